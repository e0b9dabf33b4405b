//! Backends that fail in every way: an envelope in time, nothing lost, and service again with the next call.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bed::{Bed, PREFIX, Reply, SignedIn, applicant, dynamodb, on_a_stage};
use crate::client;

/// The contract's bound on every answer.
const IN_TIME: Duration = Duration::from_millis(2500);

/// Every way in which a store fails. Slow is slower than anybody waits.
fn failures() -> [Value; 4] {
    [
        json!({"mode": "refuse"}),
        json!({"mode": "hang"}),
        json!({"mode": "slow", "ms": 5000}),
        json!({"mode": "throttle"}),
    ]
}

async fn in_time(what: &str, reply: impl Future<Output = Reply>) -> i64 {
    let begin = Instant::now();
    let code = reply.await.code;
    assert!(begin.elapsed() < IN_TIME, "{what}: {:?}", begin.elapsed());
    code
}

/// One call of every function that asks a store, at the same time.
#[derive(Debug, PartialEq, Eq)]
struct Codes {
    by_token: i64,
    index: i64,
    register: i64,
    login: i64,
}

async fn call_all(bed: &Bed, somebody: &SignedIn, phone: &str, code: &str) -> Codes {
    let jwt = format!("jwt {}", somebody.token);
    let (session, token) = ([("authorization", somebody.sid.as_str())], [("authorization", jwt.as_str())]);
    let (applicant, attempt) = (applicant(phone, code), json!({ "phone": phone, "veri_code": code }));
    let (by_token, index, register, login) = tokio::join!(
        in_time("index by token", bed.send("GET", "/user/index", &token, "")),
        in_time("index", bed.send("GET", "/user/index", &session, "")),
        in_time("register", bed.post("/user/register", &applicant)),
        in_time("login", bed.post("/user/login", &attempt)),
    );
    Codes { by_token, index, register, login }
}

/// What must be answered without a backend.
async fn needs_no_backend(bed: &Bed) {
    for (method, path, authorization, body, code) in [
        ("POST", "/user/veri_code", "", "{}", 11001),
        ("POST", "/user/login", "", "{}", 11001),
        ("POST", "/user/register", "", r#"{"phone": "x"}"#, 11001),
        ("POST", "/user/logout", "", "", 10006),
        ("GET", "/user/index", "", "", 10006),
        ("GET", "/user/index", "jwt a.b.c", "", 10005),
        ("GET", "/user/nothing", "", "", 51404),
        ("PUT", "/user/login", "", "", 51405),
    ] {
        let credential = [("authorization", authorization)];
        assert_eq!(
            in_time(path, bed.send(method, path, &credential, body)).await,
            code,
            "{method} {path} {authorization}"
        );
    }
}

#[tokio::test]
async fn a_cache_that_fails_is_told_as_such_and_nothing_else_suffers() {
    on_a_stage(async |bed| {
        let somebody = bed.somebody().await;
        let session = [("authorization", somebody.sid.as_str())];
        for fault in failures() {
            let phone = bed.phone();
            let code = bed.code(&phone, 1).await;
            bed.fail(&json!({ "redis": fault })).await;
            // Some functions are warm and lose their connection, some start now and never had one.
            for _ in 0..2 {
                let codes = call_all(bed, &somebody, &phone, &code).await;
                assert_eq!(codes, Codes { by_token: 0, index: 15004, register: 15004, login: 15004 }, "{fault}");
                assert_eq!(in_time("logout", bed.send("POST", "/user/logout", &session, "")).await, 15004);
            }
            let refused = bed.post("/user/veri_code", &json!({ "phone": bed.phone() })).await;
            assert_eq!(refused.code, 15004, "without limits nothing is sent");
            let line = bed.log(&refused.request_id).await.remove(0);
            assert_eq!(line["level"], "ERROR");
            assert!(line["error"].as_str().unwrap().starts_with("redis: "), "{line}");

            bed.fail(&json!({})).await;
            assert_eq!(bed.send("GET", "/user/index", &session, "").await.code, 0, "{fault}: with the next call");
            let made = bed.post("/user/register", &applicant(&phone, &code)).await;
            assert_eq!(made.code, 0, "{fault}: a fault of ours burns no code");
        }
    })
    .await;
}

#[tokio::test]
async fn a_login_that_the_cache_failed_succeeds_when_it_is_sent_again() {
    on_a_stage(async |bed| {
        for fault in failures() {
            let phone = bed.phone();
            bed.register(&phone).await;
            let code = bed.code(&phone, 2).await;
            let attempt = json!({ "phone": phone, "veri_code": code });
            bed.fail(&json!({ "redis": fault })).await;
            assert_eq!(in_time("login", bed.post("/user/login", &attempt)).await, 15004, "{fault}");
            bed.fail(&json!({})).await;
            assert_eq!(bed.post("/user/login", &attempt).await.code, 0, "{fault}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_table_that_fails_burns_no_code() {
    on_a_stage(async |bed| {
        let somebody = bed.somebody().await;
        let session = [("authorization", somebody.sid.as_str())];
        for fault in failures() {
            let phone = bed.phone();
            let code = bed.code(&phone, 1).await;
            bed.fail(&json!({ "dynamodb": fault })).await;
            assert_eq!(in_time("register", bed.post("/user/register", &applicant(&phone, &code))).await, 15003);
            let codes = call_all(bed, &somebody, &phone, &code).await;
            // The registration has claimed the code, so that it opens nothing else.
            assert_eq!(codes, Codes { by_token: 15003, index: 15003, register: 15003, login: 11003 }, "{fault}");
            bed.fail(&json!({})).await;
            assert_eq!(bed.post("/user/register", &applicant(&phone, &code)).await.code, 0, "{fault}");
            assert_eq!(bed.send("GET", "/user/index", &session, "").await.code, 0, "{fault}");

            bed.advance(61).await;
            let code = bed.code(&phone, 2).await;
            let attempt = json!({ "phone": phone, "veri_code": code });
            bed.fail(&json!({ "dynamodb": fault })).await;
            assert_eq!(in_time("login", bed.post("/user/login", &attempt)).await, 15003, "{fault}");
            bed.fail(&json!({})).await;
            assert_eq!(bed.post("/user/login", &attempt).await.code, 0, "{fault}");
        }
    })
    .await;
}

#[tokio::test]
async fn stores_that_are_a_little_slow_or_fail_now_and_then_are_borne() {
    on_a_stage(async |bed| {
        bed.fail(&json!({"redis": {"mode": "slow", "ms": 30}, "dynamodb": {"mode": "slow", "ms": 50}})).await;
        let somebody = bed.somebody().await;
        let session = [("authorization", somebody.sid.as_str())];
        assert_eq!(in_time("index", bed.send("GET", "/user/index", &session, "")).await, 0);
        // One of two tries suffices, so three of four calls go well.
        bed.fail(&json!({"dynamodb": {"mode": "throttle", "rate": 0.5}})).await;
        let mut well = 0;
        for _ in 0..100 {
            well += u32::from(in_time("index", bed.send("GET", "/user/index", &session, "")).await == 0);
        }
        // A fair draw is outside these bounds once in more than a million runs.
        assert!((50..=97).contains(&well), "{well}");
    })
    .await;
}

#[tokio::test]
async fn with_both_stores_down_what_needs_neither_is_answered() {
    on_a_stage(async |bed| {
        for fault in [json!({"mode": "refuse"}), json!({"mode": "hang"})] {
            bed.fail(&json!({ "redis": fault, "dynamodb": fault })).await;
            // First by functions that start now, then by warm ones.
            needs_no_backend(bed).await;
            needs_no_backend(bed).await;
            bed.fail(&json!({})).await;
            bed.stage.reload().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn functions_start_while_a_store_is_down() {
    on_a_stage(async |bed| {
        let somebody = bed.somebody().await;
        for mode in ["refuse", "hang", "throttle"] {
            let phone = bed.phone();
            bed.register(&phone).await;
            let code = bed.code(&phone, 2).await;
            let fault = json!({ "mode": mode });
            for (faults, expected) in [
                (json!({ "redis": fault }), Codes { by_token: 0, index: 15004, register: 15004, login: 15004 }),
                (
                    json!({ "redis": fault, "dynamodb": fault }),
                    Codes { by_token: 15003, index: 15004, register: 15004, login: 15004 },
                ),
            ] {
                bed.fail(&faults).await;
                bed.stage.reload().await.unwrap();
                assert_eq!(call_all(bed, &somebody, &phone, &code).await, expected, "{faults}");
                bed.fail(&json!({})).await;
            }
            bed.fail(&json!({ "dynamodb": fault })).await;
            bed.stage.reload().await.unwrap();
            let attempt = json!({ "phone": phone, "veri_code": code });
            assert_eq!(in_time("login", bed.post("/user/login", &attempt)).await, 15003, "{mode}");
            let again = applicant(&phone, &code);
            assert_eq!(in_time("register", bed.post("/user/register", &again)).await, 15003, "{mode}");
            bed.fail(&json!({})).await;
            assert_eq!(bed.post("/user/register", &again).await.code, 11002, "{mode}: with the next call");
        }
        let runs = bed.door("GET", "invocations?limit=1000", "").await;
        assert!(runs.as_array().unwrap().iter().all(|run| run["outcome"] != "init_error"), "{runs}");
    })
    .await;
}

#[tokio::test]
async fn a_registration_killed_after_its_write_succeeds_when_it_is_sent_again() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let body = applicant(&phone, &bed.code(&phone, 1).await);
        bed.fail(&json!({"invoke": {"mode": "kill_before_reply"}})).await;
        let url = format!("{}{PREFIX}/user/register", bed.stage.url());
        let lost = client::send("POST", &url, &[], body.to_string().into()).await;
        assert_eq!(lost.status, 500);
        bed.fail(&json!({})).await;
        let users = dynamodb(bed, "Scan", &json!({"TableName": "badge-local-users"})).await;
        assert_eq!(users["Count"], 1, "it was written");

        let again = bed.post("/user/register", &body).await;
        assert_eq!((again.code, &again.data["user_id"]), (0, &users["Items"][0]["id"]["S"]));
    })
    .await;
}

#[tokio::test]
async fn a_cache_that_has_lost_its_scripts_gets_each_again_with_the_call_that_needs_it() {
    on_a_stage(async |bed| {
        let forget = async || assert_eq!(bed.tell_cache(&["SCRIPT FLUSH"]).await, "+OK");
        let phone = bed.phone();
        forget().await;
        let code = bed.code(&phone, 1).await;
        forget().await;
        assert_eq!(bed.post("/user/register", &applicant(&phone, &code)).await.code, 0);
        bed.advance(61).await;
        let code = bed.code(&phone, 2).await;
        forget().await;
        assert_eq!(bed.post("/user/login", &json!({ "phone": phone, "veri_code": "000000" })).await.code, 11003);
        forget().await;
        assert_eq!(bed.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_registration_that_meets_a_transaction_succeeds_when_it_is_sent_again() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let body = applicant(&phone, &bed.code(&phone, 1).await);
        bed.fail(&json!({"dynamodb": {"mode": "conflict"}})).await;
        assert_eq!(in_time("register", bed.post("/user/register", &body)).await, 15003);
        bed.fail(&json!({})).await;
        assert_eq!(bed.post("/user/register", &body).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_fails_holds_up_nobody_and_its_messages_are_kept() {
    on_a_stage(async |bed| {
        for (fault, arrives) in [
            (json!({"mode": "slow", "ms": 50}), true),
            (json!({"mode": "refuse"}), false),
            (json!({"mode": "throttle"}), false),
            (json!({"mode": "hang"}), false),
        ] {
            // Each delivery comes twice, too.
            bed.fail(&json!({"sms": fault, "invoke": {"mode": "duplicate"}})).await;
            let phone = bed.phone();
            assert_eq!(in_time("veri_code", bed.post("/user/veri_code", &json!({ "phone": phone }))).await, 0);
            if !arrives {
                while bed.door("GET", "dead_letters", "").await.as_array().unwrap().is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                bed.fail(&json!({})).await;
                bed.door("POST", "dead_letters/redrive", "").await;
            }
            assert_eq!(bed.messages(&phone, 1).await.len(), 1, "{fault}");
        }
    })
    .await;
}
