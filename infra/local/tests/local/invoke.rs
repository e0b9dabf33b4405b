//! The doubles of AWS APIs, called as functions call them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::{HttpResponse, Repository, TestApp, eventually, post_signed, probe, send};

async fn secrets_manager(app: &TestApp, operation: &str, body: &Value) -> HttpResponse {
    let target = format!("secretsmanager.{operation}");
    let url = format!("{}/", app.aws_url().await);
    post_signed(&url, "secretsmanager", &[("x-amz-target", &target)], body.to_string()).await
}

async fn secret(app: &TestApp, id: &str) -> HttpResponse {
    secrets_manager(app, "GetSecretValue", &json!({ "SecretId": id })).await
}

#[tokio::test]
async fn a_synchronous_call_returns_what_the_function_returns() {
    let app = TestApp::with_probe().await;
    let answer = app.invoke("test-probe:live", "RequestResponse", &json!({"do": "answer", "payload": "[1, 2]"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "[1, 2]"));
    assert_eq!(answer.headers.get("x-amz-function-error"), None);
    assert_eq!(answer.headers["x-amz-executed-version"], "$LATEST");
    let run = &app.invocations().await[0];
    assert_eq!(run["trigger"], "invoke");
    assert_eq!(run["request_id"], answer.headers["x-amzn-requestid"].to_str().unwrap());
}

#[tokio::test]
async fn a_synchronous_call_returns_the_error() {
    let app = TestApp::with_probe().await;
    let answer = app.invoke("test-probe", "RequestResponse", &json!({"do": "error"})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["x-amz-function-error"], "Unhandled");
    assert_eq!(answer.json()["errorType"], "Probe");
}

#[tokio::test]
async fn a_function_that_is_not_there_is_not_found() {
    let app = TestApp::with_probe().await;
    let answer = app.invoke("test-other", "Event", &json!({})).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.headers["x-amzn-errortype"], "ResourceNotFoundException");
}

#[tokio::test]
async fn an_unsigned_call_is_refused() {
    let app = TestApp::with_probe().await;
    let url = app.aws_url().await + "/2015-03-31/functions/test-probe/invocations";
    assert_eq!(send("POST", &url, &[], "{}").await.status, 403);
    assert_eq!(post_signed(&url, "sns", &[], "{}").await.status, 403);
}

#[tokio::test]
async fn a_payload_that_is_not_json_is_refused() {
    let app = TestApp::with_probe().await;
    let url = app.aws_url().await + "/2015-03-31/functions/test-probe/invocations";
    assert_eq!(post_signed(&url, "lambda", &[], "{").await.status, 400);
}

#[tokio::test]
async fn an_event_is_tried_again_with_the_same_request_id() {
    let app = TestApp::with_probe().await;
    let file = app.repository.file("attempts");
    let answer = app.invoke("test-probe", "Event", &json!({"do": "fail_times", "file": file, "times": 1})).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (202, 0));
    let runs = eventually("the retry", async || {
        let runs: Vec<Value> = app.invocations().await.into_iter().filter(|run| run["trigger"] == "async").collect();
        (runs.len() == 2).then_some(runs)
    })
    .await;
    assert_eq!((&runs[0]["outcome"], &runs[0]["attempt"]), (&json!("ok"), &json!(2)));
    assert_eq!((&runs[1]["outcome"], &runs[1]["attempt"]), (&json!("error"), &json!(1)));
    let id = answer.headers["x-amzn-requestid"].to_str().unwrap();
    assert_eq!(fs::read_to_string(file).unwrap(), format!("{id}\n{id}\n"));
    assert_eq!(app.dead_letters().await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_event_that_always_fails_becomes_a_dead_letter() {
    let repository = Repository::new();
    repository.add(
        "task",
        &probe(),
        "EventInvokeConfig: { MaximumRetryAttempts: 1, DestinationConfig: { OnFailure: { Type: SQS, Destination: \
         !GetAtt Failed.Arn } } }",
    );
    repository.append("  Failed: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub \"${Stage}-failed\" } }\n");
    let app = repository.start(|_| {}).await;
    let answer = app.invoke("test-task", "Event", &json!({"do": "error"})).await;
    let entry = eventually("a dead letter", async || app.dead_letters().await.first().cloned()).await;
    assert_eq!(entry["function"], "test-task");
    assert_eq!((&entry["queue"], &entry["condition"]), (&json!("test-failed"), &json!("RetriesExhausted")));
    assert_eq!(entry["attempts"], 2);
    assert_eq!(entry["outcome"], "error");
    assert_eq!(entry["event"], r#"{"do":"error"}"#);
    assert_eq!(entry["request_id"], answer.headers["x-amzn-requestid"].to_str().unwrap());
}

#[tokio::test]
async fn an_event_that_has_become_too_old_is_not_tried_again() {
    let repository = Repository::new();
    repository.add("task", &probe(), "EventInvokeConfig: { MaximumEventAgeInSeconds: 60 }");
    let (started, file) = (repository.file("started"), repository.file("go"));
    let app = repository.start(|_| {}).await;
    app.invoke("test-task", "Event", &json!({"do": "wait_for", "started": started, "file": file})).await;
    app.control("PUT", "faults", json!({"invoke": {"mode": "kill_before_reply"}})).await;
    eventually("the first attempt", async || started.exists().then_some(())).await;
    app.control("POST", "clock", json!({"advance_s": 61})).await;
    fs::write(file, "").unwrap();
    let entry = eventually("a dead letter", async || app.dead_letters().await.first().cloned()).await;
    assert_eq!((&entry["condition"], &entry["attempts"]), (&json!("EventAgeExceeded"), &json!(1)));
    assert_eq!((&entry["outcome"], &entry["queue"]), (&json!("crash"), &Value::Null));
}

#[tokio::test]
async fn a_secret_is_found_by_its_name_and_by_its_arn() {
    let app = TestApp::with_probe().await;
    let by_name = secret(&app, "test/key").await.json();
    assert_eq!(by_name["Name"], "test/key");
    assert_eq!(by_name["VersionStages"], json!(["AWSCURRENT"]));
    assert_eq!(by_name["SecretString"].as_str().unwrap().len(), 40);
    assert_eq!(secret(&app, by_name["ARN"].as_str().unwrap()).await.json(), by_name);
    let unknown = secret(&app, "test/other").await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["__type"]), (400, &json!("ResourceNotFoundException")));
}

#[tokio::test]
async fn secrets_outlive_an_emulator_with_a_state_folder() {
    let repository = Repository::new();
    let state = repository.file("state");
    let app = repository.start(|options| options.state_dir = Some(state.clone())).await;
    let before = secret(&app, "test/key").await.json();
    let mode = fs::metadata(state.join("secrets.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    app.emulator.stop().await;
    let app = app.repository.start(|options| options.state_dir = Some(state)).await;
    assert_eq!(secret(&app, "test/key").await.json(), before);
}

#[tokio::test]
async fn names_that_lambda_does_not_know_are_refused_as_lambda_refuses_them() {
    let app = TestApp::with_probe().await;
    let arn = |region: &str, account: &str| format!("arn:aws:lambda:{region}:{account}:function:test-probe");
    let (here, own) = ("us-east-1", "000000000000");
    for (name, status, kind) in [
        ("test-probe:blue".to_owned(), 404, "ResourceNotFoundException"),
        ("test-probe:7".to_owned(), 404, "ResourceNotFoundException"),
        ("test-other:live".to_owned(), 404, "ResourceNotFoundException"),
        (arn("eu-west-1", own), 404, "ResourceNotFoundException"),
        (arn(here, "111111111111"), 403, "AccessDeniedException"),
        (arn(here, own).replace("lambda", "sns"), 400, "InvalidParameterValueException"),
        ("test%20probe".to_owned(), 400, "InvalidParameterValueException"),
    ] {
        for how in ["RequestResponse", "Event"] {
            let response = app.invoke(&name, how, &json!({})).await;
            assert_eq!((response.status.as_u16(), response.header("x-amzn-errortype")), (status, Some(kind)), "{name}");
        }
    }
    for name in [arn(here, own), format!("{}:live", arn(here, own)), "test-probe:$LATEST".to_owned()] {
        assert_eq!(app.invoke(&name, "RequestResponse", &json!({})).await.status, 200, "{name}");
    }
    let url = format!("{}/2015-03-31/functions/test-probe/invocations?Qualifier", app.aws_url().await);
    assert_eq!(post_signed(&format!("{url}=live"), "lambda", &[], "{}").await.status, 200);
    assert_eq!(post_signed(&format!("{url}=blue"), "lambda", &[], "{}").await.status, 404);
}

#[tokio::test]
async fn versions_of_a_secret_are_found_by_id_and_by_label() {
    let app = TestApp::with_probe().await;
    let get = async |more: Value| {
        let mut body = json!({ "SecretId": "test/key" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        secrets_manager(&app, "GetSecretValue", &body).await.json()
    };
    let first = get(json!({})).await;
    assert_eq!(get(json!({ "VersionStage": "AWSPREVIOUS" })).await["__type"], "ResourceNotFoundException");
    let put = json!({ "SecretId": "test/key", "SecretString": "new" });
    let second = secrets_manager(&app, "PutSecretValue", &put).await.json();

    for version in [json!({}), json!({ "VersionStage": "AWSCURRENT" }), json!({ "VersionId": second["VersionId"] })] {
        let found = get(version).await;
        assert_eq!((&found["SecretString"], &found["VersionStages"]), (&json!("new"), &json!(["AWSCURRENT"])));
    }
    for version in [json!({ "VersionStage": "AWSPREVIOUS" }), json!({ "VersionId": first["VersionId"] })] {
        let found = get(version).await;
        let expected = (&first["SecretString"], &json!(["AWSPREVIOUS"]));
        assert_eq!((&found["SecretString"], &found["VersionStages"]), expected);
    }
    for (version, kind) in [
        (json!({ "VersionStage": "AWSPENDING" }), "ResourceNotFoundException"),
        (json!({ "VersionId": "00000000-0000-4000-8000-000000000000" }), "ResourceNotFoundException"),
        (json!({ "VersionId": first["VersionId"], "VersionStage": "AWSCURRENT" }), "InvalidRequestException"),
    ] {
        assert_eq!(get(version.clone()).await["__type"], kind, "{version}");
    }
}

#[tokio::test]
async fn a_client_request_token_makes_one_version() {
    let app = TestApp::with_probe().await;
    let put = async |token: &str, value: &str| {
        let body = json!({ "SecretId": "test/key", "SecretString": value, "ClientRequestToken": token });
        secrets_manager(&app, "PutSecretValue", &body).await.json()
    };
    let token = "11111111-1111-4111-8111-111111111111";
    assert_eq!(put(token, "one").await["VersionId"], token);
    assert_eq!(put(token, "one").await["VersionId"], token, "the same call again is the same version");
    assert_eq!(put(token, "two").await["__type"], "ResourceExistsException");
    assert_eq!(put("short", "two").await["__type"], "InvalidParameterException");
    assert_eq!(secret(&app, "test/key").await.json()["SecretString"], "one");
}

#[tokio::test]
async fn a_cache_is_described_by_the_name_that_the_template_gives_it() {
    let repository = Repository::new();
    let cache = "{ Type: AWS::ElastiCache::ServerlessCache, Condition: Never, Properties: { ServerlessCacheName: !Sub \"${Stage}-cache\" } }";
    repository.append(&format!("  Cache: {cache}\nConditions: {{ Never: !Equals [a, b] }}\n"));
    let app = repository.start(|_| {}).await;
    let url = format!("{}/", app.aws_url().await);
    for (query, status, text) in [
        ("DescribeServerlessCaches&ServerlessCacheName=test-cache", 200, "<ServerlessCacheName>test-cache<"),
        ("DescribeServerlessCaches", 200, "<ServerlessCacheName>test-cache<"),
        ("DescribeServerlessCaches&ServerlessCacheName=other", 404, "<Code>ServerlessCacheNotFoundFault<"),
        ("DescribeServerlessCacheSnapshots&ServerlessCacheName=test-cache", 200, "<ServerlessCacheSnapshots/>"),
        ("DescribeServerlessCacheSnapshots&ServerlessCacheName=other", 404, "<Code>ServerlessCacheNotFoundFault<"),
        ("DescribeReplicationGroups&ReplicationGroupId=test-cache", 404, "<Code>ReplicationGroupNotFoundFault<"),
        ("DescribeCacheClusters&CacheClusterId=test-cache-001", 404, "<Code>CacheClusterNotFound<"),
        ("DeleteServerlessCache&ServerlessCacheName=test-cache", 400, "<Code>InvalidAction<"),
    ] {
        let response = post_signed(&url, "elasticache", &[], format!("Version=2015-02-02&Action={query}")).await;
        assert_eq!(response.status, status, "{query}: {}", response.text());
        assert!(response.text().contains(text), "{query}: {}", response.text());
    }
}

#[tokio::test]
async fn a_batch_has_each_secret_that_is_there_and_names_the_others() {
    let app = TestApp::with_probe().await;
    let batch =
        async |ids: Value| secrets_manager(&app, "BatchGetSecretValue", &json!({ "SecretIdList": ids })).await.json();
    let (found, one) = (batch(json!(["test/key", "test/none"])).await, secret(&app, "test/key").await.json());
    assert_eq!(found["SecretValues"], json!([one]));
    let errors = &found["Errors"];
    assert_eq!((&errors[0]["SecretId"], &errors[1]), (&json!("test/none"), &Value::Null));
    assert_eq!(errors[0]["ErrorCode"], "ResourceNotFoundException");
    for ids in [json!([]), json!(null), json!(vec!["test/key"; 21])] {
        assert_eq!(batch(ids).await["__type"], "InvalidParameterException");
    }
}
