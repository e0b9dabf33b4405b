//! The session that README.md offers to paste.

use serde_json::Value;
use support::tree::read;
use support::{code, with_app};
use tokio::process::Command;

/// The address of `make run` in the documents.
const ADDRESS: &str = "http://127.0.0.1:9600";

/// The first block of shell commands below that heading.
fn block<'a>(document: &'a str, heading: &str) -> &'a str {
    let (_, section) = document.split_once(&format!("\n{heading}\n")).unwrap();
    section.split_once("\n```sh\n").unwrap().1.split_once("```").unwrap().0
}

#[tokio::test]
async fn the_session_of_the_readme_can_be_pasted() {
    let readme = read("README.md");
    let session = block(&readme, "## Try it");
    assert!(read("README.zh-CN.md").contains(session), "README.zh-CN.md has another session");
    with_app(async |app| {
        let here = session.replace(ADDRESS, app.emulator.url());
        let output = Command::new("bash").arg("-c").arg(here).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let lines = text.lines().filter(|line| !line.is_empty());
        let replies: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        // What is not of the control API.
        let replies: Vec<_> = replies.iter().filter(|reply| reply.get("code").is_some()).collect();
        assert!(replies.len() >= 4 && replies.iter().all(|reply| reply["code"] == code::OK), "{text}");
        let users = replies.last().unwrap()["data"].as_array().unwrap();
        assert!(session.contains(users[0]["user_name"].as_str().unwrap()), "{text}");
        assert!(users[0]["phone"].as_str().unwrap().contains('*'), "{text}");
    })
    .await;
}
