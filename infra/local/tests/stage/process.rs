//! The program: its one-line errors, its signals, and that nothing is left of it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use stage::{Stage, StageError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout};

use crate::bed::{Bed, Repository, eventually, probe, processes_with};
use crate::client::{get, post, send};

const PROGRAM: &str = env!("CARGO_BIN_EXE_stage");

/// A running program, and the lines that it prints.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Program {
    async fn start(repository: &Repository) -> Self {
        Self::start_with(repository, &[]).await
    }

    async fn start_with(repository: &Repository, arguments: &[&str]) -> Self {
        let mut child = tokio::process::Command::from(command(repository, "test", "0"))
            .args(arguments)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        let url = first.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        Self { child, lines, url }
    }

    /// The process id of the sandbox that answers.
    async fn probe(&self) -> u64 {
        post(&format!("{}/test/probe", self.url), &json!({})).await.json()["pid"].as_u64().unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }
}

fn command(repository: &Repository, stage: &str, port: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["--stage", stage, "--port", port, "--root"]).arg(repository.path());
    command.arg("--bin-dir").arg(repository.file("bin"));
    command
}

/// One call of the DynamoDB of a stage with that state.
async fn dynamodb(state: &Value, operation: &str, body: &Value) -> Value {
    let target = format!("DynamoDB_20120810.{operation}");
    let authorization = "AWS4-HMAC-SHA256 Credential=a/20261122/us-east-1/dynamodb/aws4_request, \
                         SignedHeaders=host, Signature=0";
    let headers = [
        ("x-amz-target", target.as_str()),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-date", "20261122T000000Z"),
        ("authorization", authorization),
    ];
    send("POST", &format!("{}/", state["dynamodb_url"].as_str().unwrap()), &headers, body.to_string()).await.json()
}

/// The first line of the reply of its cache.
async fn redis(state: &Value, command: &str) -> String {
    let address = state["cache_url"].as_str().unwrap().strip_prefix("redis://").unwrap();
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
    stream.lines().next_line().await.unwrap().unwrap()
}

/// Runs a program that should refuse to start; its one line.
fn refusal(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(1), 0));
    let text = String::from_utf8(stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim_end().to_owned()
}

/// The variable that marks every sandbox of a repository.
fn mark(repository: &Repository) -> String {
    format!("LAMBDA_TASK_ROOT={}", fs::canonicalize(repository.path()).unwrap().display())
}

/// The server of that port: `(process group, still there)`.
fn group_of(pid: u64) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // After the name in brackets: state, parent, group.
    stat.rsplit(')').next().unwrap().split_whitespace().nth(2).unwrap().to_owned()
}

/// How many processes of a group are running; one that has ended and waits for its parent is not.
fn running_in(group: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let fields =
        |stat: String| stat.rsplit(')').next().unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    stats.map(fields).filter(|fields| fields[0] != "Z" && fields[2] == group).count()
}

#[tokio::test]
async fn nothing_is_left_after_a_kill() {
    let repository = Repository::new();
    let mut program = Program::start(&repository).await;
    let group = group_of(program.probe().await);
    // The guardian, the cache, the sandbox.
    assert_eq!(running_in(&group), 3);
    program.child.kill().await.unwrap();
    eventually("an empty process group", async || (running_in(&group) == 0).then_some(())).await;
}

#[tokio::test]
async fn a_kept_stage_that_is_killed_goes_on_where_it_was() {
    let repository = Repository::new();
    let go = repository.file("go");
    let input = json!({"do": "wait_for", "started": repository.file("started"), "file": go});
    repository.add(
        "hourly",
        &probe(),
        &format!(
            "Events: {{ Tick: {{ Type: ScheduleV2, Properties: {{ Name: hourly, ScheduleExpression: rate(1 hour), \
             Input: '{input}' }} }} }}"
        ),
    );
    let state = async |url: &str| get(&format!("{url}/_stage/state")).await.json();
    let start = || Program::start_with(&repository, &["--keep"]);
    let mut program = start().await;
    let before = state(&program.url).await;
    let put = json!({"TableName": "test-things", "Item": {"id": {"S": "a"}}});
    dynamodb(&before, "PutItem", &put).await;
    assert_eq!(redis(&before, "SET a b EX 100000").await, "+OK");
    // The clock waits for the event, which waits for a file: the stage is killed with both under way.
    let url = format!("{}/_stage/clock", program.url);
    let moving = tokio::spawn(async move { post(&url, &json!({"advance_s": 7_200})).await });
    eventually("the event", async || repository.file("started").exists().then_some(())).await;
    let refused = refusal(command(&repository, "test", "0").arg("--keep"));
    assert!(refused.contains("another stage is running on"), "{refused}");
    program.child.kill().await.unwrap();
    assert!(moving.await.is_err(), "no answer");

    fs::write(&go, "").unwrap();
    let program = start().await;
    let after = state(&program.url).await;
    let (then, now) = (&before["schedules"][0]["next"], &after["clock"]["offset_ms"]);
    assert!((3_500_000..=3_600_000).contains(&now.as_i64().unwrap()), "{now}");
    assert_ne!(&after["schedules"][0]["next"], then, "it has fired");
    assert_eq!(
        dynamodb(&after, "GetItem", &json!({"TableName": "test-things", "Key": {"id": {"S": "a"}}})).await["Item"]["id"]
            ["S"],
        "a"
    );
    assert_eq!(redis(&after, "GET a").await, "$1");
    let runs = eventually("the event again", async || {
        let runs = get(&format!("{}/_stage/invocations", program.url)).await.json();
        runs.as_array().unwrap().iter().find(|run| run["trigger"] == "schedule hourly").cloned()
    })
    .await;
    assert_eq!(runs["outcome"], "ok");
    let files = || fs::read_dir(repository.file(".stage/test/events")).unwrap().count();
    eventually("no event under way", async || (files() == 0).then_some(())).await;
}

#[tokio::test]
async fn an_interrupt_ends_everything_and_is_no_error() {
    for signal in ["-INT", "-TERM"] {
        let repository = Repository::new();
        let mut program = Program::start(&repository).await;
        let group = group_of(program.probe().await);
        program.signal(signal);
        let status = program.child.wait().await.unwrap();
        assert_eq!((status.code(), status.signal()), (Some(0), None));
        eventually("an empty process group", async || (running_in(&group) == 0).then_some(())).await;
    }
}

#[tokio::test]
async fn a_hang_up_replaces_the_sandboxes() {
    let repository = Repository::new();
    let mut program = Program::start(&repository).await;
    let before = program.probe().await;
    program.signal("-HUP");
    while program.lines.next_line().await.unwrap().unwrap() != "reloaded" {}
    assert_ne!(program.probe().await, before);
}

#[tokio::test]
async fn a_stage_ends_its_children_when_it_is_dropped_or_stopped() {
    for is_stopped in [true, false] {
        let Bed { stage, repository } = Bed::new().await;
        let mark = mark(&repository);
        post(&format!("{}/test/probe", stage.url()), &json!({})).await;
        assert_eq!(processes_with(&mark).len(), 1);
        if is_stopped {
            stage.stop().await;
        } else {
            drop(stage);
        }
        eventually("no sandbox", async || processes_with(&mark).is_empty().then_some(())).await;
    }
}

#[tokio::test]
async fn stages_in_one_process_do_not_share_anything() {
    let (one, other) = tokio::join!(Bed::new(), Bed::new());
    assert_ne!(one.stage.url(), other.stage.url());
    assert_ne!(one.stage.dynamodb_url(), other.stage.dynamodb_url());
    assert_ne!(one.stage.cache_url(), other.stage.cache_url());
    one.echo().await;
    assert_eq!(other.invocations().await.len(), 0);
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let line = refusal(&mut command(&Repository::new(), "test", &port.to_string()));
    assert_eq!(
        line,
        format!("stage: port {port} is taken; choose another one: make run PORT={}", port.wrapping_add(1))
    );
}

#[test]
fn a_missing_cache_is_named_with_its_remedy() {
    let repository = Repository::new();
    // Where there are tools of the project, they are not what this test is about.
    let _ = fs::remove_file(repository.file(".tools"));
    let line = refusal(command(&repository, "test", "0").env("PATH", "/nowhere"));
    assert!(line.contains("valkey-server") && line.ends_with("get one with: make tools"), "{line}");
}

#[test]
fn a_stage_without_settings_is_refused() {
    let repository = Repository::new();
    fs::write(repository.file("conf/prod.toml"), "").unwrap();
    let line = refusal(&mut command(&repository, "tset", "0"));
    assert_eq!(line, "stage: there is no stage tset (no conf/tset.toml); there are: prod, test");
}

#[test]
fn functions_that_are_not_built_are_named() {
    let repository = Repository::new();
    repository.add("login", &probe(), "Timeout: 1");
    fs::remove_file(repository.file("bin/login")).unwrap();
    let line = refusal(&mut command(&repository, "test", "0"));
    assert!(line.ends_with("bin: login; build with: make build-local"), "{line}");
}

#[test]
fn an_error_in_the_template_names_its_place() {
    let repository = Repository::new();
    repository.add("login", &probe(), "Timeout: !Ref Nothing");
    let line = refusal(&mut command(&repository, "test", "0"));
    let expected = "template.yaml: Resources.login.Properties.Timeout: no parameter or resource is named Nothing";
    assert!(line.ends_with(expected), "{line}");
}

#[test]
fn an_unknown_argument_gets_the_usage() {
    let line = refusal(Command::new(PROGRAM).arg("--prot"));
    assert!(line.contains("--prot") && line.contains("usage: stage"), "{line}");
}

#[tokio::test]
async fn a_library_caller_gets_the_error_as_a_value() {
    let repository = Repository::new();
    let mut options = repository.options();
    options.bin_dir = Path::new("/nowhere").to_owned();
    assert!(matches!(Stage::start(options).await, Err(StageError::File { .. })));
    let mut options = repository.options();
    "other".clone_into(&mut options.stage);
    assert!(matches!(Stage::start(options).await, Err(StageError::UnknownStage { .. })));
}
