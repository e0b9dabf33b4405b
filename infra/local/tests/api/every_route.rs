//! The routes of accounts for life, all by one table: each fault of the stores, by warm functions and by such as start now, a
//! lost reply, a hundred requests at once, strangers while both stores are down. What each route does is in its own module.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use support::{AccountCall, PREFIX, TestApp, account_calls, code, for_crowds, send, with_app, with_settings};

/// The contract's bound on every answer.
const IN_TIME: Duration = Duration::from_millis(2500);

/// Without the limits that a user meets who asks again and again.
fn without_limits(settings: &str) -> String {
    let settings = for_crowds(settings);
    settings.lines().filter(|line| !line.contains("exports_per_user")).collect::<Vec<_>>().join("\n")
}

/// Sends all at once. A function that starts now may take longer than one that is warm.
async fn all(app: &TestApp, cases: &[AccountCall], when: &str, bound: Duration, expected: fn(&AccountCall) -> i64) {
    let replies = join_all(cases.iter().map(async |case| {
        let reply = case.send(app).await;
        (reply.code, app.duration(&reply).await)
    }));
    let found: Vec<_> = cases.iter().zip(replies.await).map(|(case, (code, took))| (case, code, took)).collect();
    let wrong: Vec<_> = found
        .into_iter()
        .filter(|(case, code, took)| *code != expected(case) || *took > bound)
        .map(|(case, code, took)| {
            format!("{} {}: {code} after {took:?}, not {}", case.method, case.path, expected(case))
        })
        .collect();
    assert!(wrong.is_empty(), "{when}: {wrong:#?}");
}

#[tokio::test]
async fn each_route_answers_each_fault_in_time_and_serves_again_with_the_next_call() {
    with_settings(without_limits, async |app| {
        let cases = account_calls(app).await;
        let (good, cold) = (|case: &AccountCall| case.good, Duration::from_mins(1));
        let dynamodb: fn(&AccountCall) -> i64 = |case| case.dynamodb;
        let stores = [("dynamodb", dynamodb), ("redis", |case| case.redis)];
        all(app, &cases, "no fault", cold, good).await;
        for fault in [
            json!({ "mode": "refuse" }),
            json!({ "mode": "hang" }),
            json!({ "mode": "slow", "ms": 5000 }),
            json!({ "mode": "throttle" }),
        ] {
            for (store, expected) in stores {
                app.fail(&json!({ store: fault })).await;
                all(app, &cases, &format!("{store} {fault}"), IN_TIME, expected).await;
                app.fail(&json!({})).await;
                all(app, &cases, &format!("after {store} {fault}"), cold, good).await;

                app.fail(&json!({ store: fault })).await;
                app.emulator.reload().await.unwrap();
                all(app, &cases, &format!("started with {store} {fault}"), cold, expected).await;
                app.fail(&json!({})).await;
                all(app, &cases, &format!("after a start with {store} {fault}"), cold, good).await;
            }
        }
        let runs = app.inspect("invocations?limit=1000").await;
        assert!(runs.as_array().unwrap().iter().all(|run| run["outcome"] != "init_error"), "{runs}");
    })
    .await;
}

#[tokio::test]
async fn a_request_whose_reply_was_lost_succeeds_when_it_is_sent_again() {
    with_settings(without_limits, async |app| {
        let cases = account_calls(app).await;
        app.fail(&json!({ "invoke": { "mode": "kill_before_reply" } })).await;
        let lost = join_all(cases.iter().map(async |case| {
            let url = app.url(&format!("{PREFIX}{}", case.path));
            send(case.method, &url, &[("authorization", &case.authorization)], case.body.clone()).await.status
        }));
        assert!(lost.await.iter().all(|status| *status == 500));
        app.fail(&json!({})).await;
        all(app, &cases, "again", Duration::from_mins(1), |case| case.good).await;
    })
    .await;
}

#[tokio::test]
async fn a_deletion_whose_reply_was_lost_is_done_and_has_ended_the_session() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let sid = app.log_in(&phone).await.sid;
        app.advance(61).await;
        let body = json!({ "veri_code": app.code(&phone, 3).await }).to_string();
        let session = [("authorization", sid.as_str())];
        app.fail(&json!({ "invoke": { "mode": "kill_before_reply" } })).await;
        assert_eq!(send("POST", &app.url(&format!("{PREFIX}/user/delete")), &session, body.clone()).await.status, 500);
        app.fail(&json!({})).await;
        assert_eq!(app.send("POST", "/user/delete", &session, body).await.code, code::NOT_LOGIN);
        app.advance(61).await;
        let attempt = json!({ "phone": phone, "veri_code": app.code(&phone, 5).await });
        assert_eq!(app.post("/user/login", &attempt).await.code, code::ACCOUNT_DELETED);
        assert_eq!(app.messages(&phone, 5).await.len(), 5, "one confirmation");
    })
    .await;
}

#[tokio::test]
async fn a_hundred_at_once_all_succeed() {
    with_settings(for_crowds, async |app| {
        // Those with a code have tests of their own.
        for case in account_calls(app).await.iter().filter(|case| case.good == code::OK) {
            let mut codes = BTreeMap::new();
            for reply in join_all((0..100).map(|_| case.send(app))).await {
                *codes.entry(reply.code).or_insert(0) += 1;
            }
            // One that has read the session before another one ended all others comes with an old session; one that finds the row
            // changed again and again gives up.
            let beside = match case.path.as_str() {
                "/user/end_sessions" if case.body.contains("others") => Some(code::NOT_LOGIN),
                "/admin/update" => Some(code::DB_ERROR),
                _ => None,
            };
            if let Some(given_up) = beside.and_then(|code| codes.remove(&code)) {
                *codes.entry(code::OK).or_insert(0) += given_up;
                assert!(given_up < 100, "{}", case.path);
                assert_eq!(case.send(app).await.code, code::OK, "{} goes on", case.path);
            }
            let expected = match case.path.as_str() {
                "/user/export" => BTreeMap::from([(code::OK, 5), (code::TOO_MANY_REQUESTS, 95)]),
                _ => BTreeMap::from([(code::OK, 100)]),
            };
            assert_eq!(codes, expected, "{} {} {}", case.method, case.path, case.body);
        }
    })
    .await;
}

#[tokio::test]
async fn with_both_stores_down_strangers_and_wrong_methods_are_refused() {
    with_app(async |app| {
        let cases = account_calls(app).await;
        let down = json!({ "mode": "hang" });
        app.fail(&json!({ "redis": down, "dynamodb": down })).await;
        for case in &cases {
            for (authorization, expected) in
                [("", [code::NOT_LOGIN; 2]), ("jwt a.b.c", [code::NO_AUTH, code::NOT_LOGIN])]
            {
                let headers = [("authorization", authorization)];
                let reply = app.send(case.method, &case.path, &headers, case.body.clone()).await;
                assert!(expected.contains(&reply.code), "{} {}: {reply:?}", case.method, case.path);
            }
            let other = if case.method == "GET" { "POST" } else { "GET" };
            assert_eq!(
                app.send(other, &case.path, &[], "").await.code,
                code::METHOD_NOT_ALLOWED,
                "{other} {}",
                case.path
            );
        }
    })
    .await;
}

/// A session that a change of phone has kept takes a step more to be found.
#[tokio::test]
async fn a_cache_that_is_slow_at_each_step_makes_no_reply_late() {
    with_settings(without_limits, async |app| {
        let (phone, who) = app.user().await;
        app.advance(61).await;
        let new = app.phone();
        let (old_code, new_code) = (app.code(&phone, 3).await, app.code(&new, 1).await);
        let change = json!({ "phone": new, "veri_code": new_code, "old_veri_code": old_code }).to_string();
        let session = [("authorization", who.sid.as_str())];
        assert_eq!(app.send("POST", "/user/change_phone", &session, change).await.code, code::OK);
        let requests = [
            ("GET", "/user/me", ""),
            ("GET", "/user/index", ""),
            ("GET", "/user/sessions", ""),
            ("GET", "/user/export", ""),
            ("POST", "/user/token", ""),
            ("POST", "/user/update", r#"{"city":"310100"}"#),
            ("POST", "/user/delete", r#"{"veri_code":"123456"}"#),
            ("POST", "/user/end_sessions", r#"{"others":true}"#),
        ];
        for ms in [400, 850] {
            for (method, path, body) in requests {
                app.fail(&json!({ "redis": { "mode": "slow", "ms": ms } })).await;
                let reply = app.send(method, path, &session, body).await;
                let took = app.duration(&reply).await;
                assert!(took < IN_TIME, "{path} {ms}: {took:?}, {}", reply.code);
                app.fail(&json!({})).await;
            }
        }
        let device = app.known_device(&app.phone()).await;
        for ms in [400, 850] {
            app.fail(&json!({ "redis": { "mode": "slow", "ms": ms } })).await;
            let body = json!({ "phone": phone }).to_string();
            let reply =
                app.send("POST", "/user/veri_code", &[("x-device", &device), ("idempotency-key", "k")], body).await;
            let took = app.duration(&reply).await;
            assert!(took < IN_TIME, "veri_code {ms}: {took:?}, {}", reply.code);
            app.fail(&json!({})).await;
        }
        // What was given up is finished by the same request.
        for (method, path, body) in [requests[7], requests[0]] {
            assert_eq!(app.send(method, path, &session, body).await.code, code::OK, "{path}");
        }
    })
    .await;
}
