//! Sandboxes: the runtime API, their number, their ends, and what is remembered of each run.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Repository, TestApp, eventually, get, post, probe};
use tokio::time::Instant;

const INTERNAL: &str = r#"{"message":"Internal Server Error"}"#;

#[tokio::test]
async fn a_sandbox_has_the_environment_and_the_headers_of_lambda() {
    let app = TestApp::with_probe().await;
    let seen = app.echo().await;
    let env = &seen["env"];
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "test-probe"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/test-probe"),
        ("_HANDLER", "bootstrap"),
        ("TZ", ":UTC"),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    // Functions reach the stores by ways that can be made to fail.
    assert_ne!(env["CACHE_URL"], app.emulator.cache_url());
    assert_ne!(env["AWS_ENDPOINT_URL_DYNAMODB"], app.emulator.dynamodb_url());
    // Nothing of the emulator's own environment.
    assert_eq!(env.get("CARGO_MANIFEST_DIR"), None);
    let headers = &seen["headers"];
    assert_eq!(
        headers["lambda-runtime-invoked-function-arn"],
        "arn:aws:lambda:us-east-1:000000000000:function:test-probe"
    );
    assert!(headers["lambda-runtime-trace-id"].as_str().unwrap().starts_with("Root=1-"));
    assert!(headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000);
    assert_eq!(headers["lambda-runtime-aws-request-id"], app.invocations().await[0]["request_id"]);
}

#[tokio::test]
async fn a_warm_sandbox_serves_the_next_request() {
    let app = TestApp::with_probe().await;
    let (first, second) = (app.echo().await, app.echo().await);
    assert_eq!(first["pid"], second["pid"]);
    let runs = app.invocations().await;
    assert_eq!((&runs[0]["cold"], &runs[1]["cold"]), (&json!(false), &json!(true)));
    assert_eq!(runs[0]["init_ms"], Value::Null);
    assert!(runs[1]["init_ms"].as_f64().unwrap() > 0.0);
    assert_eq!((&runs[0]["outcome"], &runs[0]["code"]), (&json!("ok"), &json!(7)));
    assert_eq!(runs[0]["trigger"], "POST /{stage}/probe");
}

#[tokio::test]
async fn requests_at_the_same_time_get_a_sandbox_each() {
    let app = TestApp::with_probe().await;
    let folder = app.repository.file("meeting");
    fs::create_dir(&folder).unwrap();
    // Each waits for the other, so one sandbox could never answer.
    let command = json!({"do": "meet", "folder": folder, "guests": 2});
    let (one, other) = tokio::join!(app.probe(&command), app.probe(&command));
    assert_ne!(one.json()["pid"], other.json()["pid"]);
    assert_eq!(app.function("probe").await["sandboxes"], 2);
}

#[tokio::test]
async fn requests_over_the_limit_wait_for_a_sandbox() {
    let app = Repository::new().start(|options| options.sandbox_limit = 1).await;
    let (one, two, three) = tokio::join!(app.echo(), app.echo(), app.echo());
    assert_eq!(one["pid"], two["pid"]);
    assert_eq!(one["pid"], three["pid"]);
    assert_eq!(app.function("probe").await["cold_starts"], 1);
}

#[tokio::test]
async fn a_function_may_have_a_lower_limit_of_its_own() {
    let repository = Repository::empty();
    repository.add("single", &probe(), "ReservedConcurrentExecutions: 1, Events: { A: { Type: HttpApi } }");
    let app = repository.start(|_| {}).await;
    let (one, two) = tokio::join!(app.echo(), app.echo());
    assert_eq!(one["pid"], two["pid"]);
}

#[tokio::test]
async fn an_idle_sandbox_is_ended() {
    let app = Repository::new().start(|options| options.idle_limit = Duration::from_millis(50)).await;
    let first = app.echo().await;
    eventually("no sandbox", async || (app.function("probe").await["sandboxes"] == 0).then_some(())).await;
    assert_ne!(app.echo().await["pid"], first["pid"]);
}

#[tokio::test]
async fn a_run_over_the_timeout_is_killed_and_the_next_gets_a_new_sandbox() {
    let repository = Repository::empty();
    repository.add("slow", &probe(), "Timeout: 1, Events: { A: { Type: HttpApi } }");
    let app = repository.start(|_| {}).await;
    let begin = Instant::now();
    let answer = app.probe(&json!({"do": "hang"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (503, r#"{"message":"Service Unavailable"}"#));
    assert!(begin.elapsed() >= Duration::from_secs(1));
    let run = &app.invocations().await[0];
    assert_eq!(run["outcome"], "timeout");
    assert_eq!(run["log"], json!(["ready", "hanging", "Task timed out after 1.00 seconds"]));
    assert!(app.echo().await["pid"].is_number());
    assert_eq!(app.function("slow").await["sandboxes"], 1);
}

#[tokio::test]
async fn a_process_that_ends_mid_run_is_a_crash() {
    let app = TestApp::with_probe().await;
    let answer = app.probe(&json!({"do": "exit"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (500, INTERNAL));
    let run = &app.invocations().await[0];
    assert_eq!(run["outcome"], "crash");
    assert_eq!(run["log"], json!(["ready", "about to exit", "Runtime exited with error: exit status: 3"]));
    assert!(app.echo().await["pid"].is_number());
}

#[tokio::test]
async fn a_reported_error_leaves_the_sandbox_alive() {
    let app = TestApp::with_probe().await;
    let before = app.echo().await;
    let answer = app.probe(&json!({"do": "error"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (500, INTERNAL));
    assert_eq!(app.invocations().await[0]["outcome"], "error");
    assert_eq!(app.echo().await["pid"], before["pid"]);
}

#[tokio::test]
async fn a_process_that_cannot_start_fails_its_request_at_once() {
    let repository = Repository::empty();
    repository.add("broken", "#!/bin/sh\necho no key >&2\nexit 4\n", "Events: { A: { Type: HttpApi } }");
    let app = repository.start(|_| {}).await;
    let answer = get(&app.url("/")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (500, INTERNAL));
    let run = &app.invocations().await[0];
    assert_eq!(run["outcome"], "init_error");
    assert_eq!(run["log"], json!(["no key", "Runtime exited with error: exit status: 4"]));
    assert_eq!(app.function("broken").await["sandboxes"], 0);
}

#[tokio::test]
async fn a_file_that_is_no_program_fails_its_request_at_once() {
    let repository = Repository::empty();
    repository.add("garbage", "\x7fELF", "Events: { A: { Type: HttpApi } }");
    let app = repository.start(|_| {}).await;
    assert_eq!(get(&app.url("/")).await.status, 500);
    let run = &app.invocations().await[0];
    assert_eq!(run["outcome"], "init_error");
    assert!(run["log"][0].as_str().unwrap().starts_with("the sandbox cannot be started: "));
}

#[tokio::test]
async fn a_reported_init_error_fails_the_request_at_once() {
    let repository = Repository::empty();
    repository.add("init", &probe(), "Environment: { Variables: { INIT: error } }, Events: { A: { Type: HttpApi } }");
    let app = repository.start(|_| {}).await;
    assert_eq!(get(&app.url("/")).await.status, 500);
    let run = &app.invocations().await[0];
    assert_eq!((&run["outcome"], &run["log"]), (&json!("init_error"), &json!(["ready"])));
}

#[tokio::test]
async fn a_streamed_response_arrives_whole() {
    let app = TestApp::with_probe().await;
    let answer = app.probe(&json!({"do": "stream"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (201, "hello, world"));
    assert_eq!(answer.headers["x-streamed"], "yes");
}

#[tokio::test]
async fn a_streamed_response_that_ends_in_an_error_is_an_error() {
    let app = TestApp::with_probe().await;
    assert_eq!(app.probe(&json!({"do": "stream_error"})).await.status, 500);
    assert_eq!(app.invocations().await[0]["outcome"], "error");
}

#[tokio::test]
async fn an_answer_to_another_request_is_refused() {
    let app = TestApp::with_probe().await;
    let seen = app.probe(&json!({"do": "wrong_id"})).await.json();
    assert_eq!(seen["status"], 400);
    assert_eq!(seen["error"], json!({"errorType": "InvalidRequestID", "errorMessage": "Invalid request ID"}));
}

#[tokio::test]
async fn a_runtime_that_asks_on_without_an_answer_has_failed() {
    let app = TestApp::with_probe().await;
    assert_eq!(app.probe(&json!({"do": "skip"})).await.status, 500);
    assert_eq!(app.invocations().await[0]["outcome"], "error");
    assert!(app.echo().await["pid"].is_number());
}

#[tokio::test]
async fn log_lines_are_in_their_invocation_and_in_the_file() {
    let app = TestApp::with_probe().await;
    app.probe(&json!({"do": "print", "lines": ["one", "!two"]})).await;
    app.probe(&json!({"do": "print", "lines": ["three"]})).await;
    let runs = app.invocations().await;
    assert_eq!(runs[1]["log"], json!(["ready", "one", "!two"]));
    assert_eq!(runs[0]["log"], json!(["three"]));
    let file = fs::read_to_string(app.repository.file("logs/test-probe.log")).unwrap();
    assert_eq!(file, "ready\none\n!two\nthree\n");
}

#[tokio::test]
async fn a_reload_replaces_sandboxes_after_their_request() {
    let app = TestApp::with_probe().await;
    let (started, go) = (app.repository.file("started"), app.repository.file("go"));
    let command = json!({"do": "wait_for", "started": started, "file": go});
    let busy = async { app.probe(&command).await.json() };
    let change = async {
        eventually("the run has begun", async || started.exists().then_some(())).await;
        app.repository.add(
            "more",
            &probe(),
            "Events: { A: { Type: HttpApi, Properties: { Method: POST, Path: /more } } }",
        );
        app.emulator.reload().await.unwrap();
        fs::write(&go, "").unwrap();
    };
    let (old, ()) = tokio::join!(busy, change);
    assert!(old["pid"].is_number(), "the run under way was cut off");
    assert_ne!(app.echo().await["pid"], old["pid"]);
    assert_eq!(post(&app.url("/more"), &json!({})).await.json()["event"]["routeKey"], "POST /more");
}
