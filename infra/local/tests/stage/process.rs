//! The program: its one-line errors, its signals, and that nothing is left of it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;
use stage::{Stage, StageError};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::bed::{Bed, Repository, eventually, probe, processes_with};
use crate::client::post;

const PROGRAM: &str = env!("CARGO_BIN_EXE_stage");

/// A running program, and the lines that it prints.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Program {
    async fn start(repository: &Repository) -> Self {
        let mut child = tokio::process::Command::from(command(repository, "test", "0"))
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
