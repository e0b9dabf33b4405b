//! Backends that fail in every way: an envelope in time, nothing lost, and service again with the next call.

use std::time::Duration;

use serde_json::{Value, json};

use support::{PREFIX, Reply, SignedIn, TestApp, applicant, code, send, with_app};

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

async fn in_time(app: &TestApp, what: &str, reply: impl Future<Output = Reply>) -> i64 {
    let reply = reply.await;
    let took = app.duration(&reply).await;
    assert!(took < IN_TIME, "{what}: {took:?}");
    reply.code
}

/// One call of every function that asks a store, at the same time.
#[derive(Debug, PartialEq, Eq)]
struct Codes {
    by_token: i64,
    index: i64,
    register: i64,
    login: i64,
}

async fn call_all(app: &TestApp, somebody: &SignedIn, phone: &str, code: &str) -> Codes {
    let jwt = format!("jwt {}", somebody.token);
    let (session, token) = ([("authorization", somebody.sid.as_str())], [("authorization", jwt.as_str())]);
    let (applicant, attempt) = (applicant(phone, code), json!({ "phone": phone, "veri_code": code }));
    let (by_token, index, register, login) = tokio::join!(
        in_time(app, "index by token", app.send("GET", "/user/index", &token, "")),
        in_time(app, "index", app.send("GET", "/user/index", &session, "")),
        in_time(app, "register", app.post("/user/register", &applicant)),
        in_time(app, "login", app.post("/user/login", &attempt)),
    );
    Codes { by_token, index, register, login }
}

/// What must be answered without a backend.
async fn needs_no_backend(app: &TestApp) {
    for (method, path, authorization, body, code) in [
        ("POST", "/user/veri_code", "", "{}", code::PARAMS_INVALID),
        ("POST", "/user/login", "", "{}", code::PARAMS_INVALID),
        ("POST", "/user/register", "", r#"{"phone": "x"}"#, code::PARAMS_INVALID),
        ("POST", "/user/logout", "", "", code::NOT_LOGIN),
        ("GET", "/user/index", "", "", code::NOT_LOGIN),
        ("GET", "/user/index", "jwt a.b.c", "", code::NO_AUTH),
        ("GET", "/user/nothing", "", "", code::NOT_FOUND),
        ("PUT", "/user/login", "", "", code::METHOD_NOT_ALLOWED),
    ] {
        let credential = [("authorization", authorization)];
        assert_eq!(
            in_time(app, path, app.send(method, path, &credential, body)).await,
            code,
            "{method} {path} {authorization}"
        );
    }
}

#[tokio::test]
async fn a_failing_cache_has_its_own_code_and_affects_nothing_else() {
    with_app(async |app| {
        let somebody = app.somebody().await;
        let session = [("authorization", somebody.sid.as_str())];
        for fault in failures() {
            let phone = app.phone();
            let code = app.code(&phone, 1).await;
            app.fail(&json!({ "redis": fault })).await;
            // Some functions are warm and lose their connection, some start now and never had one.
            for _ in 0..2 {
                let codes = call_all(app, &somebody, &phone, &code).await;
                assert_eq!(
                    codes,
                    Codes {
                        by_token: 0,
                        index: code::REDIS_ERROR,
                        register: code::REDIS_ERROR,
                        login: code::REDIS_ERROR
                    },
                    "{fault}"
                );
                assert_eq!(
                    in_time(app, "logout", app.send("POST", "/user/logout", &session, "")).await,
                    code::REDIS_ERROR
                );
            }
            let refused = app.post("/user/veri_code", &json!({ "phone": app.phone() })).await;
            assert_eq!(refused.code, code::REDIS_ERROR, "without limits nothing is sent");
            let line = app.log(&refused.request_id).await.remove(0);
            assert_eq!(line["level"], "ERROR");
            assert!(line["error"].as_str().unwrap().starts_with("redis: "), "{line}");

            app.fail(&json!({})).await;
            assert_eq!(app.send("GET", "/user/index", &session, "").await.code, 0, "{fault}: with the next call");
            let made = app.post("/user/register", &applicant(&phone, &code)).await;
            assert_eq!(made.code, 0, "{fault}: a fault of ours burns no code");
        }
    })
    .await;
}

#[tokio::test]
async fn a_login_that_the_cache_failed_succeeds_when_it_is_sent_again() {
    with_app(async |app| {
        for fault in failures() {
            let phone = app.phone();
            app.register(&phone).await;
            let code = app.code(&phone, 2).await;
            let attempt = json!({ "phone": phone, "veri_code": code });
            app.fail(&json!({ "redis": fault })).await;
            assert_eq!(in_time(app, "login", app.post("/user/login", &attempt)).await, code::REDIS_ERROR, "{fault}");
            app.fail(&json!({})).await;
            assert_eq!(app.post("/user/login", &attempt).await.code, 0, "{fault}");
        }
    })
    .await;
}

/// So slow that the step which opens the session gets no answer in time, although it is done.
#[tokio::test]
async fn a_login_whose_session_was_opened_without_an_answer_succeeds() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        for (nth, ms) in [(2, 250), (3, 300), (4, 350)] {
            app.advance(61).await;
            let attempt = json!({ "phone": phone, "veri_code": app.code(&phone, nth).await });
            // Warm: it is the step itself that is late.
            assert_eq!(
                app.post("/user/login", &json!({ "phone": app.phone(), "veri_code": "123456" })).await.code,
                code::VERI_CODE_WRONG
            );
            app.fail(&json!({ "redis": { "mode": "slow", "ms": ms } })).await;
            let first = app.post("/user/login", &attempt).await;
            app.fail(&json!({})).await;
            if first.code != 0 {
                assert_eq!(first.code, code::REDIS_ERROR, "{ms}");
                assert_eq!(app.post("/user/login", &attempt).await.code, 0, "{ms}: the code is as it was");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_table_that_fails_burns_no_code() {
    with_app(async |app| {
        let somebody = app.somebody().await;
        let session = [("authorization", somebody.sid.as_str())];
        for fault in failures() {
            let phone = app.phone();
            let code = app.code(&phone, 1).await;
            app.fail(&json!({ "dynamodb": fault })).await;
            assert_eq!(
                in_time(app, "register", app.post("/user/register", &applicant(&phone, &code))).await,
                code::DB_ERROR
            );
            let codes = call_all(app, &somebody, &phone, &code).await;
            assert_eq!(
                codes,
                Codes {
                    by_token: code::DB_ERROR,
                    index: code::DB_ERROR,
                    register: code::DB_ERROR,
                    login: code::DB_ERROR
                },
                "{fault}"
            );
            app.fail(&json!({})).await;
            assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0, "{fault}");
            assert_eq!(app.send("GET", "/user/index", &session, "").await.code, 0, "{fault}");

            app.advance(61).await;
            let code = app.code(&phone, 2).await;
            let attempt = json!({ "phone": phone, "veri_code": code });
            app.fail(&json!({ "dynamodb": fault })).await;
            assert_eq!(in_time(app, "login", app.post("/user/login", &attempt)).await, code::DB_ERROR, "{fault}");
            app.fail(&json!({})).await;
            assert_eq!(app.post("/user/login", &attempt).await.code, 0, "{fault}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_registration_that_failed_burns_no_code_for_any_route() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let code = app.code(&phone, 2).await;
        let attempt = json!({ "phone": phone, "veri_code": code });
        app.fail(&json!({ "dynamodb": { "mode": "refuse" } })).await;
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, code::DB_ERROR);
        app.fail(&json!({})).await;
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, code::PHONE_TAKEN);
        assert_eq!(app.post("/user/login", &attempt).await.code, 0);
        assert_eq!(app.post("/user/login", &attempt).await.code, code::VERI_CODE_WRONG, "used once");
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, code::VERI_CODE_WRONG);
    })
    .await;
}

#[tokio::test]
async fn stores_that_are_a_little_slow_or_fail_now_and_then_are_borne() {
    with_app(async |app| {
        app.fail(&json!({"redis": {"mode": "slow", "ms": 30}, "dynamodb": {"mode": "slow", "ms": 50}})).await;
        let somebody = app.somebody().await;
        let session = [("authorization", somebody.sid.as_str())];
        assert_eq!(in_time(app, "index", app.send("GET", "/user/index", &session, "")).await, 0);
        // One of two tries suffices, so three of four calls go well.
        app.fail(&json!({"dynamodb": {"mode": "throttle", "rate": 0.5}})).await;
        let mut well = 0;
        for nth in 0..100 {
            if nth == 50 {
                // A user may ask for 60 pages a minute.
                app.advance(61).await;
            }
            well += u32::from(in_time(app, "index", app.send("GET", "/user/index", &session, "")).await == 0);
        }
        // A fair draw is outside these bounds once in more than a million runs.
        assert!((50..=97).contains(&well), "{well}");
    })
    .await;
}

#[tokio::test]
async fn with_both_stores_down_what_needs_neither_is_answered() {
    with_app(async |app| {
        for fault in [json!({"mode": "refuse"}), json!({"mode": "hang"})] {
            app.fail(&json!({ "redis": fault, "dynamodb": fault })).await;
            // First by functions that start now, then by warm ones.
            needs_no_backend(app).await;
            needs_no_backend(app).await;
            app.fail(&json!({})).await;
            app.emulator.reload().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn functions_start_while_a_store_is_down() {
    with_app(async |app| {
        let somebody = app.somebody().await;
        for mode in ["refuse", "hang", "throttle"] {
            let phone = app.phone();
            app.register(&phone).await;
            let code = app.code(&phone, 2).await;
            let fault = json!({ "mode": mode });
            for (faults, expected) in [
                (
                    json!({ "redis": fault }),
                    Codes {
                        by_token: 0,
                        index: code::REDIS_ERROR,
                        register: code::REDIS_ERROR,
                        login: code::REDIS_ERROR,
                    },
                ),
                (
                    json!({ "redis": fault, "dynamodb": fault }),
                    Codes {
                        by_token: code::DB_ERROR,
                        index: code::REDIS_ERROR,
                        register: code::REDIS_ERROR,
                        login: code::REDIS_ERROR,
                    },
                ),
            ] {
                app.fail(&faults).await;
                app.emulator.reload().await.unwrap();
                assert_eq!(call_all(app, &somebody, &phone, &code).await, expected, "{faults}");
                app.fail(&json!({})).await;
            }
            app.fail(&json!({ "dynamodb": fault })).await;
            app.emulator.reload().await.unwrap();
            let attempt = json!({ "phone": phone, "veri_code": code });
            assert_eq!(in_time(app, "login", app.post("/user/login", &attempt)).await, code::DB_ERROR, "{mode}");
            let again = applicant(&phone, &code);
            assert_eq!(in_time(app, "register", app.post("/user/register", &again)).await, code::DB_ERROR, "{mode}");
            app.fail(&json!({})).await;
            assert_eq!(app.post("/user/register", &again).await.code, code::PHONE_TAKEN, "{mode}: with the next call");
        }
        let runs = app.inspect("invocations?limit=1000").await;
        assert!(runs.as_array().unwrap().iter().all(|run| run["outcome"] != "init_error"), "{runs}");
    })
    .await;
}

#[tokio::test]
async fn a_registration_killed_after_its_write_succeeds_when_it_is_sent_again() {
    with_app(async |app| {
        let phone = app.phone();
        let body = applicant(&phone, &app.code(&phone, 1).await);
        app.fail(&json!({"invoke": {"mode": "kill_before_reply"}})).await;
        let url = format!("{}{PREFIX}/user/register", app.emulator.url());
        let lost = send("POST", &url, &[], body.to_string()).await;
        assert_eq!(lost.status, 500);
        app.fail(&json!({})).await;
        let users = app.dynamodb("Scan", &json!({"TableName": "badge-local-users"})).await;
        assert_eq!(users["Count"], 1, "it was written");

        let again = app.post("/user/register", &body).await;
        assert_eq!((again.code, &again.data["user_id"]), (0, &users["Items"][0]["id"]["S"]));
    })
    .await;
}

#[tokio::test]
async fn a_cache_that_has_lost_its_scripts_gets_each_again_with_the_call_that_needs_it() {
    with_app(async |app| {
        let forget = async || assert_eq!(app.redis(&["SCRIPT FLUSH"]).await, "+OK");
        let phone = app.phone();
        forget().await;
        let code = app.code(&phone, 1).await;
        forget().await;
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0);
        app.advance(61).await;
        let code = app.code(&phone, 2).await;
        forget().await;
        assert_eq!(
            app.post("/user/login", &json!({ "phone": phone, "veri_code": "000000" })).await.code,
            code::VERI_CODE_WRONG
        );
        forget().await;
        assert_eq!(app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_registration_that_meets_a_transaction_succeeds_when_it_is_sent_again() {
    with_app(async |app| {
        let phone = app.phone();
        let body = applicant(&phone, &app.code(&phone, 1).await);
        app.fail(&json!({"dynamodb": {"mode": "conflict"}})).await;
        assert_eq!(in_time(app, "register", app.post("/user/register", &body)).await, code::DB_ERROR);
        app.fail(&json!({})).await;
        assert_eq!(app.post("/user/register", &body).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_failing_provider_delays_no_request_and_loses_no_message() {
    with_app(async |app| {
        for (fault, arrives) in [
            (json!({"mode": "slow", "ms": 50}), true),
            (json!({"mode": "refuse"}), false),
            (json!({"mode": "throttle"}), false),
            (json!({"mode": "hang"}), false),
        ] {
            // Each delivery comes twice, too.
            app.fail(&json!({"sms": fault, "invoke": {"mode": "duplicate"}})).await;
            let phone = app.phone();
            assert_eq!(in_time(app, "veri_code", app.post("/user/veri_code", &json!({ "phone": phone }))).await, 0);
            if !arrives {
                while app.inspect("dead_letters").await.as_array().unwrap().is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                app.fail(&json!({})).await;
                app.control("POST", "dead_letters/redrive", "").await;
            }
            assert_eq!(app.messages(&phone, 1).await.len(), 1, "{fault}");
        }
    })
    .await;
}
