//! The doubles of AWS APIs, called as functions call them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::bed::{Bed, Repository, eventually, probe};
use crate::client::{Answer, get, post_signed, send};

impl Bed {
    /// Where a function finds the doubles.
    async fn aws_url(&self) -> String {
        self.echo().await["env"]["AWS_ENDPOINT_URL_LAMBDA"].as_str().unwrap().to_owned()
    }

    async fn invoke(&self, name: &str, kind: &str, payload: &Value) -> Answer {
        let url = format!("{}/2015-03-31/functions/{name}/invocations", self.aws_url().await);
        post_signed(&url, "lambda", &[("x-amz-invocation-type", kind)], payload).await
    }

    async fn secret(&self, id: &str) -> Answer {
        let target = [("x-amz-target", "secretsmanager.GetSecretValue")];
        let url = format!("{}/", self.aws_url().await);
        post_signed(&url, "secretsmanager", &target, &json!({"SecretId": id})).await
    }
}

#[tokio::test]
async fn a_synchronous_call_returns_what_the_function_returns() {
    let bed = Bed::new().await;
    let answer = bed.invoke("test-probe:live", "RequestResponse", &json!({"do": "answer", "payload": "[1, 2]"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "[1, 2]"));
    assert_eq!(answer.headers.get("x-amz-function-error"), None);
    assert_eq!(answer.headers["x-amz-executed-version"], "$LATEST");
    let run = &bed.invocations().await[0];
    assert_eq!(run["trigger"], "invoke");
    assert_eq!(run["request_id"], answer.headers["x-amzn-requestid"].to_str().unwrap());
}

#[tokio::test]
async fn a_synchronous_call_tells_of_the_error() {
    let bed = Bed::new().await;
    let answer = bed.invoke("test-probe", "RequestResponse", &json!({"do": "error"})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["x-amz-function-error"], "Unhandled");
    assert_eq!(answer.json()["errorType"], "Probe");
}

#[tokio::test]
async fn a_function_that_is_not_there_is_not_found() {
    let bed = Bed::new().await;
    let answer = bed.invoke("test-other", "Event", &json!({})).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.headers["x-amzn-errortype"], "ResourceNotFoundException");
}

#[tokio::test]
async fn an_unsigned_call_is_refused() {
    let bed = Bed::new().await;
    let url = bed.aws_url().await + "/2015-03-31/functions/test-probe/invocations";
    assert_eq!(send("POST", &url, &[], "{}").await.status, 403);
    assert_eq!(post_signed(&url, "sns", &[], &json!({})).await.status, 403);
}

#[tokio::test]
async fn a_payload_that_is_not_json_is_refused() {
    let bed = Bed::new().await;
    let url = bed.aws_url().await + "/2015-03-31/functions/test-probe/invocations";
    let authorization = "AWS4-HMAC-SHA256 Credential=A/1/r/lambda/aws4_request, SignedHeaders=host, Signature=0";
    assert_eq!(send("POST", &url, &[("authorization", authorization)], "{").await.status, 400);
}

#[tokio::test]
async fn an_event_is_tried_again_with_the_same_request_id() {
    let bed = Bed::new().await;
    let file = bed.repository.file("attempts");
    let answer = bed.invoke("test-probe", "Event", &json!({"do": "fail_times", "file": file, "times": 1})).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (202, 0));
    let runs = eventually("the retry", async || {
        let runs: Vec<Value> = bed.invocations().await.into_iter().filter(|run| run["trigger"] == "async").collect();
        (runs.len() == 2).then_some(runs)
    })
    .await;
    assert_eq!((&runs[0]["outcome"], &runs[0]["attempt"]), (&json!("ok"), &json!(2)));
    assert_eq!((&runs[1]["outcome"], &runs[1]["attempt"]), (&json!("error"), &json!(1)));
    let id = answer.headers["x-amzn-requestid"].to_str().unwrap();
    assert_eq!(fs::read_to_string(file).unwrap(), format!("{id}\n{id}\n"));
    assert_eq!(get(&bed.url("/_stage/dead_letters")).await.json(), json!([]));
}

#[tokio::test]
async fn an_event_that_always_fails_is_kept() {
    let repository = Repository::new();
    repository.add(
        "task",
        &probe(),
        "EventInvokeConfig: { MaximumRetryAttempts: 1, DestinationConfig: { OnFailure: { Type: SQS, Destination: \
         !GetAtt Failed.Arn } } }",
    );
    repository.append("  Failed: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub \"${Stage}-failed\" } }\n");
    let bed = repository.start(|_| {}).await;
    let answer = bed.invoke("test-task", "Event", &json!({"do": "error"})).await;
    let letter = eventually("a dead letter", async || {
        get(&bed.url("/_stage/dead_letters")).await.json().as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!(letter["function"], "test-task");
    assert_eq!((&letter["queue"], &letter["condition"]), (&json!("test-failed"), &json!("RetriesExhausted")));
    assert_eq!(letter["attempts"], 2);
    assert_eq!(letter["outcome"], "error");
    assert_eq!(letter["event"], r#"{"do":"error"}"#);
    assert_eq!(letter["request_id"], answer.headers["x-amzn-requestid"].to_str().unwrap());
}

#[tokio::test]
async fn an_event_that_has_become_too_old_is_not_tried_again() {
    let repository = Repository::new();
    repository.add("task", &probe(), "EventInvokeConfig: { MaximumEventAgeInSeconds: 60 }");
    let (started, file) = (repository.file("started"), repository.file("go"));
    let bed = repository.start(|_| {}).await;
    bed.invoke("test-task", "Event", &json!({"do": "wait_for", "started": started, "file": file})).await;
    bed.door("PUT", "faults", &json!({"invoke": {"mode": "kill_before_reply"}})).await;
    eventually("the first attempt", async || started.exists().then_some(())).await;
    bed.door("POST", "clock", &json!({"advance_s": 61})).await;
    fs::write(file, "").unwrap();
    let letter = eventually("a dead letter", async || {
        get(&bed.url("/_stage/dead_letters")).await.json().as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!((&letter["condition"], &letter["attempts"]), (&json!("EventAgeExceeded"), &json!(1)));
    assert_eq!((&letter["outcome"], &letter["queue"]), (&json!("crash"), &Value::Null));
}

#[tokio::test]
async fn a_secret_is_found_by_its_name_and_by_its_arn() {
    let bed = Bed::new().await;
    let by_name = bed.secret("test/key").await.json();
    assert_eq!(by_name["Name"], "test/key");
    assert_eq!(by_name["VersionStages"], json!(["AWSCURRENT"]));
    assert_eq!(by_name["SecretString"].as_str().unwrap().len(), 40);
    assert_eq!(bed.secret(by_name["ARN"].as_str().unwrap()).await.json(), by_name);
    let unknown = bed.secret("test/other").await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["__type"]), (400, &json!("ResourceNotFoundException")));
}

#[tokio::test]
async fn secrets_outlive_a_stage_with_a_state_folder() {
    let repository = Repository::new();
    let state = repository.file("state");
    let bed = repository.start(|options| options.state_dir = Some(state.clone())).await;
    let before = bed.secret("test/key").await.json();
    let mode = fs::metadata(state.join("secrets.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    bed.stage.stop().await;
    let bed = bed.repository.start(|options| options.state_dir = Some(state)).await;
    assert_eq!(bed.secret("test/key").await.json(), before);
}
