//! What the runtime and the SDKs have to say: lines of the same form, nothing secret at any level, and no more than was
//! asked for.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::{lines, runtime_api};
use support::{DynamoDbProxy, Refusal, Reply, TestApp, TestAppBuilder, applicant, get};

const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// A request that no function takes.
const EVENT: &str = include_str!("../front/http_api.json");

/// Whether a line is what a library says.
fn is_of(line: &Value, library: &str) -> bool {
    line["target"].as_str().is_some_and(|target| target.starts_with(library))
}

/// What every line of a library has.
fn has_the_form(line: &Value, function: &str) {
    for name in ["time", "level", "message"] {
        assert!(line[name].is_string(), "{name}: {line}");
    }
    assert_eq!((&line["stage"], &line["function"]), (&json!("local"), &json!(function)), "{line}");
    assert!(line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
}

/// The variables of a function, and a Runtime API of the test's own.
async fn variables(app: &TestApp, function: &str, runtime_api: &str) -> Vec<(String, String)> {
    let url = format!("{}/_stage/environment?function={function}", app.emulator.url());
    let answer = get(&url).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let own = text.lines().map(|line| line.split_once('=').unwrap());
    let of_lambda = [
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
        ("AWS_LAMBDA_FUNCTION_NAME", &format!("badge-local-{function}")),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
    ];
    own.chain(of_lambda).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn a_runtime_api_that_refuses_is_seen_in_the_log() {
    let mut folder = PathBuf::new();
    let opening = TestAppBuilder::new().options(|options| folder.clone_from(&options.bin_dir));
    let app = opening.start().await;
    // A line of the emulator's own function, which the end of the test looks for.
    app.send("GET", "/user/nothing", &[], "").await;
    for status in [403, 410, 500] {
        let api = runtime_api::refusing(status, EVENT).await;
        let mut process = Command::new(folder.join("fallback"))
            .env_clear()
            .envs(variables(&app, "fallback", &api).await)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut lines: Vec<Value> = Vec::new();
        let until_the_second_request = async {
            while lines.iter().filter(|line| line["code"].is_number()).count() < 2 {
                let line = output.next_line().await.unwrap().unwrap_or_else(|| panic!("it has ended: {lines:?}"));
                lines.push(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")));
            }
        };
        timeout(Duration::from_mins(1), until_the_second_request).await.unwrap();
        process.kill().await.unwrap();
        let mut errors = String::new();
        process.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
        assert_eq!(errors, "", "{status}: everything goes one way");

        let refused: Vec<_> = lines.iter().filter(|line| is_of(line, "lambda_runtime")).collect();
        let first = refused.first().unwrap_or_else(|| panic!("{status}: the runtime says nothing: {lines:?}"));
        has_the_form(first, "badge-local-fallback");
        assert_eq!(first["level"], "ERROR", "{first}");
        assert!(first["message"].as_str().unwrap().contains("Lambda Runtime API"), "{first}");
        assert!(first.to_string().contains(&status.to_string()), "its fields are there: {first}");
    }
    app.finish().await;
}

/// A page of users, with one refusal of DynamoDB on the way.
async fn index_with_a_retry(level: Option<&str>, test: impl AsyncFnOnce(&TestApp, Reply)) {
    let proxy = DynamoDbProxy::new().await;
    let mut opening = TestAppBuilder::new().variable("AWS_ENDPOINT_URL_DYNAMODB", &proxy.url);
    if let Some(level) = level {
        opening = opening.variable(LEVEL, level);
    }
    opening
        .run(async |app| {
            proxy.lead_to(app);
            let authorization = format!("jwt {}", app.somebody().await.token);
            proxy.refuse_next([Refusal::new("com.amazon.coral.availability#ThrottlingException", "Rate exceeded")]);
            let reply = app.send("GET", "/user/index", &[("authorization", &authorization)], "").await;
            assert_eq!((reply.code, proxy.attempts_at_the_first().len()), (0, 2));
            test(app, reply).await;
        })
        .await;
}

#[tokio::test]
async fn a_retry_of_an_sdk_is_seen_in_the_log_of_who_asks_for_it() {
    index_with_a_retry(Some("DEBUG"), async |app, reply| {
        let lines = lines(app);
        let of_sdk: Vec<_> = lines.iter().filter(|line| is_of(line, "aws_")).collect();
        for line in &of_sdk {
            has_the_form(line, line["function"].as_str().unwrap());
        }
        let index = of_sdk.iter().filter(|line| line["function"] == "badge-local-user_index");
        // The orchestrator of aws-smithy-runtime counts them.
        let is_second = |line: &&&Value| line["message"].as_str().unwrap().contains("attempt #2");
        assert!(index.clone().any(|line| is_second(&line)), "{:#?}", index.collect::<Vec<_>>());
        let own = lines.iter().filter(|line| line["request_id"] == reply.request_id && line["code"].is_number());
        assert_eq!(own.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn by_default_libraries_say_nothing_of_what_goes_well_at_last() {
    index_with_a_retry(None, async |app, reply| {
        for line in lines(app) {
            let is_own = line["code"].is_number() && line["target"].is_null();
            assert!(is_own || matches!(line["level"].as_str(), Some("WARN" | "ERROR")), "{line}");
        }
        assert_eq!(app.log(&reply.request_id).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn at_the_level_trace_nothing_secret_is_logged_and_each_request_has_one_line() {
    let opening = TestAppBuilder::new().variable(LEVEL, "TRACE");
    opening
        .run(async |app| {
            // ASCII, so that no way of escaping hides them.
            let (name, birth_day) = ("Ariadne Quicksilver", "1987-06-05");
            let keys = ["jwt", "veri_code", "sms"].map(|key| app.key(key));
            keys.iter().map(String::as_str).chain([name, birth_day]).for_each(|secret| app.add_secret(secret));
            let phone = app.phone();
            let mut replies = Vec::new();
            let ask = json!({ "phone": phone });
            replies.push(app.post("/user/veri_code", &ask).await);
            let code = app.messages(&phone, 1).await[0]["code"].as_str().unwrap().to_owned();
            app.add_secret(&code);
            let mut form = applicant(&phone, &code);
            (form["user_name"], form["birth_day"]) = (name.into(), birth_day.into());
            replies.push(app.post("/user/register", &form).await);
            app.advance(61).await;
            replies.push(app.post("/user/veri_code", &ask).await);
            let code = app.messages(&phone, 2).await[0]["code"].as_str().unwrap().to_owned();
            app.add_secret(&code);
            replies.push(app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await);
            let came = replies.last().unwrap().signed_in();
            let (cookie, token) = (format!("__sid__={}", came.sid), format!("Bearer {}", came.token));
            replies.push(app.send("GET", "/user/index", &[("cookie", &cookie)], "").await);
            replies.push(app.send("GET", "/user/index", &[("authorization", &token)], "").await);
            replies.push(app.send("POST", "/user/logout", &[("cookie", &cookie)], "").await);
            assert!(replies.iter().all(|reply| reply.code == 0), "{replies:?}");

            let lines = lines(app);
            for reply in &replies {
                let own = lines.iter().filter(|line| line["request_id"] == reply.request_id);
                assert_eq!(own.filter(|line| line["code"].is_number()).count(), 1, "{reply:?}");
            }
            let detailed = lines.iter().filter(|line| matches!(line["level"].as_str(), Some("DEBUG" | "TRACE")));
            let mut of_libraries = detailed.clone().filter(|line| is_of(line, "aws_") || is_of(line, "lambda_"));
            assert!(of_libraries.next().is_some(), "libraries say nothing");
            detailed.for_each(|line| has_the_form(line, line["function"].as_str().unwrap()));
        })
        .await;
}
