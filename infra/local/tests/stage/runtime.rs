//! Sandboxes: the runtime API, their number, their ends, and what is remembered of each run.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::bed::{Bed, Repository, eventually, probe};
use crate::client::{get, post};

const INTERNAL: &str = r#"{"message":"Internal Server Error"}"#;

#[tokio::test]
async fn a_sandbox_has_the_environment_and_the_headers_of_lambda() {
    let bed = Bed::new().await;
    let seen = bed.echo().await;
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
    assert_ne!(env["CACHE_URL"], bed.stage.cache_url());
    assert_ne!(env["AWS_ENDPOINT_URL_DYNAMODB"], bed.stage.dynamodb_url());
    // Nothing of the stage's own environment.
    assert_eq!(env.get("CARGO_MANIFEST_DIR"), None);
    let headers = &seen["headers"];
    assert_eq!(
        headers["lambda-runtime-invoked-function-arn"],
        "arn:aws:lambda:us-east-1:000000000000:function:test-probe"
    );
    assert!(headers["lambda-runtime-trace-id"].as_str().unwrap().starts_with("Root=1-"));
    assert!(headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000);
    assert_eq!(headers["lambda-runtime-aws-request-id"], bed.invocations().await[0]["request_id"]);
}

#[tokio::test]
async fn a_warm_sandbox_serves_the_next_request() {
    let bed = Bed::new().await;
    let (first, second) = (bed.echo().await, bed.echo().await);
    assert_eq!(first["pid"], second["pid"]);
    let runs = bed.invocations().await;
    assert_eq!((&runs[0]["cold"], &runs[1]["cold"]), (&json!(false), &json!(true)));
    assert_eq!(runs[0]["init_ms"], Value::Null);
    assert!(runs[1]["init_ms"].as_f64().unwrap() > 0.0);
    assert_eq!((&runs[0]["outcome"], &runs[0]["code"]), (&json!("ok"), &json!(7)));
    assert_eq!(runs[0]["trigger"], "POST /{stage}/probe");
}

#[tokio::test]
async fn requests_at_the_same_time_get_a_sandbox_each() {
    let bed = Bed::new().await;
    let folder = bed.repository.file("meeting");
    fs::create_dir(&folder).unwrap();
    // Each waits for the other, so one sandbox could never answer.
    let command = json!({"do": "meet", "folder": folder, "guests": 2});
    let (one, other) = tokio::join!(bed.probe(&command), bed.probe(&command));
    assert_ne!(one.json()["pid"], other.json()["pid"]);
    assert_eq!(bed.function("probe").await["sandboxes"], 2);
}

#[tokio::test]
async fn requests_over_the_limit_wait_for_a_sandbox() {
    let bed = Repository::new().start(|options| options.sandbox_limit = 1).await;
    let (one, two, three) = tokio::join!(bed.echo(), bed.echo(), bed.echo());
    assert_eq!(one["pid"], two["pid"]);
    assert_eq!(one["pid"], three["pid"]);
    assert_eq!(bed.function("probe").await["cold_starts"], 1);
}

#[tokio::test]
async fn a_function_may_have_a_lower_limit_of_its_own() {
    let repository = Repository::empty();
    repository.add("single", &probe(), "ReservedConcurrentExecutions: 1, Events: { A: { Type: HttpApi } }");
    let bed = repository.start(|_| {}).await;
    let (one, two) = tokio::join!(bed.echo(), bed.echo());
    assert_eq!(one["pid"], two["pid"]);
}

#[tokio::test]
async fn an_idle_sandbox_is_ended() {
    let bed = Repository::new().start(|options| options.idle_limit = Duration::from_millis(50)).await;
    let first = bed.echo().await;
    eventually("no sandbox", async || (bed.function("probe").await["sandboxes"] == 0).then_some(())).await;
    assert_ne!(bed.echo().await["pid"], first["pid"]);
}

#[tokio::test]
async fn a_run_over_the_timeout_is_killed_and_the_next_gets_a_new_sandbox() {
    let repository = Repository::empty();
    repository.add("slow", &probe(), "Timeout: 1, Events: { A: { Type: HttpApi } }");
    let bed = repository.start(|_| {}).await;
    let begin = Instant::now();
    let answer = bed.probe(&json!({"do": "hang"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (503, r#"{"message":"Service Unavailable"}"#));
    assert!(begin.elapsed() >= Duration::from_secs(1));
    let run = &bed.invocations().await[0];
    assert_eq!(run["outcome"], "timeout");
    assert_eq!(run["log"], json!(["ready", "hanging", "Task timed out after 1.00 seconds"]));
    assert!(bed.echo().await["pid"].is_number());
    assert_eq!(bed.function("slow").await["sandboxes"], 1);
}

#[tokio::test]
async fn a_process_that_ends_mid_run_is_a_crash() {
    let bed = Bed::new().await;
    let answer = bed.probe(&json!({"do": "exit"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (500, INTERNAL));
    let run = &bed.invocations().await[0];
    assert_eq!(run["outcome"], "crash");
    assert_eq!(run["log"], json!(["ready", "about to exit", "Runtime exited with error: exit status: 3"]));
    assert!(bed.echo().await["pid"].is_number());
}

#[tokio::test]
async fn a_reported_error_leaves_the_sandbox_alive() {
    let bed = Bed::new().await;
    let before = bed.echo().await;
    let answer = bed.probe(&json!({"do": "error"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (500, INTERNAL));
    assert_eq!(bed.invocations().await[0]["outcome"], "error");
    assert_eq!(bed.echo().await["pid"], before["pid"]);
}

#[tokio::test]
async fn a_process_that_cannot_start_fails_its_request_at_once() {
    let repository = Repository::empty();
    repository.add("broken", "#!/bin/sh\necho no key >&2\nexit 4\n", "Events: { A: { Type: HttpApi } }");
    let bed = repository.start(|_| {}).await;
    let answer = get(&bed.url("/")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (500, INTERNAL));
    let run = &bed.invocations().await[0];
    assert_eq!(run["outcome"], "init_error");
    assert_eq!(run["log"], json!(["no key", "Runtime exited with error: exit status: 4"]));
    assert_eq!(bed.function("broken").await["sandboxes"], 0);
}

#[tokio::test]
async fn a_file_that_is_no_program_fails_its_request_at_once() {
    let repository = Repository::empty();
    repository.add("garbage", "\x7fELF", "Events: { A: { Type: HttpApi } }");
    let bed = repository.start(|_| {}).await;
    assert_eq!(get(&bed.url("/")).await.status, 500);
    let run = &bed.invocations().await[0];
    assert_eq!(run["outcome"], "init_error");
    assert!(run["log"][0].as_str().unwrap().starts_with("the sandbox cannot be started: "));
}

#[tokio::test]
async fn a_reported_init_error_fails_the_request_at_once() {
    let repository = Repository::empty();
    repository.add("init", &probe(), "Environment: { Variables: { INIT: error } }, Events: { A: { Type: HttpApi } }");
    let bed = repository.start(|_| {}).await;
    assert_eq!(get(&bed.url("/")).await.status, 500);
    let run = &bed.invocations().await[0];
    assert_eq!((&run["outcome"], &run["log"]), (&json!("init_error"), &json!(["ready"])));
}

#[tokio::test]
async fn a_streamed_response_arrives_whole() {
    let bed = Bed::new().await;
    let answer = bed.probe(&json!({"do": "stream"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (201, "hello, world"));
    assert_eq!(answer.headers["x-streamed"], "yes");
}

#[tokio::test]
async fn a_streamed_response_that_ends_in_an_error_is_an_error() {
    let bed = Bed::new().await;
    assert_eq!(bed.probe(&json!({"do": "stream_error"})).await.status, 500);
    assert_eq!(bed.invocations().await[0]["outcome"], "error");
}

#[tokio::test]
async fn an_answer_to_another_request_is_refused() {
    let bed = Bed::new().await;
    let seen = bed.probe(&json!({"do": "wrong_id"})).await.json();
    assert_eq!(seen["status"], 400);
    assert_eq!(seen["error"], json!({"errorType": "InvalidRequestID", "errorMessage": "Invalid request ID"}));
}

#[tokio::test]
async fn a_runtime_that_asks_on_without_an_answer_has_failed() {
    let bed = Bed::new().await;
    assert_eq!(bed.probe(&json!({"do": "skip"})).await.status, 500);
    assert_eq!(bed.invocations().await[0]["outcome"], "error");
    assert!(bed.echo().await["pid"].is_number());
}

#[tokio::test]
async fn log_lines_are_kept_with_their_run_and_in_the_file() {
    let bed = Bed::new().await;
    bed.probe(&json!({"do": "print", "lines": ["one", "!two"]})).await;
    bed.probe(&json!({"do": "print", "lines": ["three"]})).await;
    let runs = bed.invocations().await;
    assert_eq!(runs[1]["log"], json!(["ready", "one", "!two"]));
    assert_eq!(runs[0]["log"], json!(["three"]));
    let file = fs::read_to_string(bed.repository.file("logs/test-probe.log")).unwrap();
    assert_eq!(file, "ready\none\n!two\nthree\n");
}

#[tokio::test]
async fn a_reload_replaces_sandboxes_after_their_request() {
    let bed = Bed::new().await;
    let (started, go) = (bed.repository.file("started"), bed.repository.file("go"));
    let command = json!({"do": "wait_for", "started": started, "file": go});
    let busy = async { bed.probe(&command).await.json() };
    let change = async {
        eventually("the run has begun", async || started.exists().then_some(())).await;
        bed.repository.add(
            "more",
            &probe(),
            "Events: { A: { Type: HttpApi, Properties: { Method: POST, Path: /more } } }",
        );
        bed.stage.reload().await.unwrap();
        fs::write(&go, "").unwrap();
    };
    let (old, ()) = tokio::join!(busy, change);
    assert!(old["pid"].is_number(), "the run under way was cut off");
    assert_ne!(bed.echo().await["pid"], old["pid"]);
    assert_eq!(post(&bed.url("/more"), &json!({})).await.json()["event"]["routeKey"], "POST /more");
}
