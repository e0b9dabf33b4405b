//! The program: its one-line errors, its signals, its logs, and its children.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use local::{Emulator, EmulatorError};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use support::{Repository, TestApp, dynamodb, eventually, get, post, probe, processes_with, redis};

const PROGRAM: &str = env!("CARGO_BIN_EXE_local");

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
async fn a_killed_emulator_with_stored_state_continues() {
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
    let url = |state: &Value, name: &str| state[name].as_str().unwrap().to_owned();
    dynamodb(&url(&before, "dynamodb_url"), "PutItem", &put).await;
    assert_eq!(redis(&url(&before, "cache_url"), &["SET a b EX 100000"]).await, "+OK");
    // The clock waits for the event, which waits for a file: the emulator is killed while both are pending.
    let clock = format!("{}/_stage/clock", program.url);
    let moving = tokio::spawn(async move { post(&clock, &json!({"advance_s": 7_200})).await });
    eventually("the event", async || repository.file("started").exists().then_some(())).await;
    let refused = refusal(command(&repository, "test", "0").arg("--keep"));
    assert!(refused.contains("another emulator uses"), "{refused}");
    program.child.kill().await.unwrap();
    assert!(moving.await.is_err(), "no answer");

    fs::write(&go, "").unwrap();
    let program = start().await;
    let after = state(&program.url).await;
    let (then, now) = (&before["schedules"][0]["next"], &after["clock"]["offset_ms"]);
    assert!((3_500_000..=3_600_000).contains(&now.as_i64().unwrap()), "{now}");
    assert_ne!(&after["schedules"][0]["next"], then, "it has fired");
    let get_item = json!({"TableName": "test-things", "Key": {"id": {"S": "a"}}});
    let item = dynamodb(&url(&after, "dynamodb_url"), "GetItem", &get_item).await.json();
    assert_eq!(item["Item"]["id"]["S"], "a");
    assert_eq!(redis(&url(&after, "cache_url"), &["GET a"]).await, "b");
    let runs = eventually("the event again", async || {
        let runs = get(&format!("{}/_stage/invocations", program.url)).await.json();
        runs.as_array().unwrap().iter().find(|run| run["trigger"] == "schedule hourly").cloned()
    })
    .await;
    assert_eq!(runs["outcome"], "ok");
    let files = || fs::read_dir(repository.file(".local/test/events")).unwrap().count();
    eventually("no pending event", async || (files() == 0).then_some(())).await;
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
async fn an_emulator_ends_its_children_when_it_is_dropped_or_stopped() {
    for is_stopped in [true, false] {
        let app = TestApp::with_probe().await;
        let mark = mark(&app.repository);
        app.echo().await;
        assert_eq!(processes_with(&mark).len(), 1);
        if is_stopped {
            app.emulator.stop().await;
        } else {
            drop(app);
        }
        eventually("no sandbox", async || processes_with(&mark).is_empty().then_some(())).await;
    }
}

#[tokio::test]
async fn emulators_in_one_process_do_not_share_anything() {
    let (one, other) = tokio::join!(TestApp::with_probe(), TestApp::with_probe());
    assert_ne!(one.emulator.url(), other.emulator.url());
    assert_ne!(one.emulator.dynamodb_url(), other.emulator.dynamodb_url());
    assert_ne!(one.emulator.cache_url(), other.emulator.cache_url());
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
        format!("error: port {port} is in use; choose another one: make run PORT={}", port.wrapping_add(1))
    );
}

#[test]
fn a_missing_cache_is_named_with_its_remedy() {
    let repository = Repository::new();
    // Where there are tools of the project, they are not what this test is about.
    let _ = fs::remove_file(repository.file(".tools"));
    let line = refusal(command(&repository, "test", "0").env("PATH", "/nowhere"));
    assert!(line.contains("valkey-server") && line.ends_with("get one with: make redis"), "{line}");
}

#[test]
fn logs_that_cannot_be_written_are_named_with_their_remedy() {
    let repository = Repository::new();
    // Root may write everywhere, so this folder is a file.
    let _ = fs::remove_dir_all(repository.file("logs"));
    fs::write(repository.file("logs"), "").unwrap();
    let line = refusal(&mut command(&repository, "test", "0"));
    assert!(line.contains("logs cannot be written: ") && line.contains("type: sudo chown -R"), "{line}");
}

#[test]
fn a_stage_without_settings_is_refused() {
    let repository = Repository::new();
    fs::write(repository.file("conf/prod.toml"), "").unwrap();
    let line = refusal(&mut command(&repository, "tset", "0"));
    assert_eq!(line, "error: there is no stage tset (no conf/tset.toml); there are: prod, test");
}

#[test]
fn settings_that_are_not_toml_are_named_with_their_line() {
    let repository = Repository::new();
    fs::write(repository.file("conf/test.toml"), "a = 1\nb = = 2\n").unwrap();
    let Output { status, stdout, stderr } = command(&repository, "test", "0").output().unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(1), 0));
    let text = String::from_utf8(stderr).unwrap();
    assert!(
        text.starts_with("error: conf/test.toml: ") && text.contains("line 2") && text.contains("b = = 2"),
        "{text}"
    );
}

#[test]
fn settings_that_functions_refuse_stop_the_start() {
    for (log, reason) in [
        (
            r#"{"level":"ERROR","error":"conf/test.toml: line 3 (trys): unknown field"}"#,
            "conf/test.toml: line 3 (trys): unknown field",
        ),
        ("Segmentation fault", "Segmentation fault"),
    ] {
        let repository = Repository::empty();
        let script = format!("#!/bin/sh\necho '{log}'\nexit 1\n");
        repository.add("login", &script, "Events: { A: { Type: HttpApi } }");
        let line = refusal(&mut command(&repository, "test", "0"));
        assert_eq!(line, format!("error: login does not start: {reason}"));
    }
}

#[tokio::test]
async fn two_emulators_of_one_clone_write_different_log_files() {
    let repository = Repository::new();
    let (first, second) = (Program::start(&repository).await, Program::start(&repository).await);
    let port = second.url.rsplit(':').next().unwrap();
    let say = async |program: &Program, line: &str| {
        let command = json!({ "do": "print", "lines": [line] });
        assert_eq!(post(&format!("{}/test/probe", program.url), &command).await.status, 200);
    };
    say(&first, "first").await;
    say(&second, "second").await;
    let log = |file: &str| fs::read_to_string(repository.file("logs").join(file)).unwrap();
    assert_eq!(log("test-probe.log"), "ready\nfirst\n");
    assert_eq!(log(&format!("{port}/test-probe.log")), "ready\nsecond\n");
}

#[test]
fn functions_that_are_not_built_are_named() {
    let repository = Repository::new();
    repository.add("login", &probe(), "Timeout: 1");
    fs::remove_file(repository.file("bin/login")).unwrap();
    let line = refusal(&mut command(&repository, "test", "0"));
    assert!(line.ends_with("bin: login; build with: cargo build"), "{line}");
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
    let Output { status, stdout, stderr } = Command::new(PROGRAM).arg("--prot").output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(2), 0));
    assert!(text.contains("--prot") && text.contains("Usage: local"), "{text}");
}

#[tokio::test]
async fn a_library_caller_gets_the_error_as_a_value() {
    let repository = Repository::new();
    let mut options = repository.options();
    options.bin_dir = Path::new("/nowhere").to_owned();
    assert!(matches!(Emulator::start(options).await, Err(EmulatorError::File { .. })));
    let mut options = repository.options();
    "other".clone_into(&mut options.stage);
    assert!(matches!(Emulator::start(options).await, Err(EmulatorError::UnknownStage { .. })));
}
