//! Round trips and capacity units per request, as the functions count them, against the budget of the design.

use serde_json::{Value, json};

use support::{Reply, TestApp, applicant, other_than, with_app};

/// Calls that a line lists; `spent` counts all.
const LISTED: u64 = 16;

/// Steps in sequence, Redis, DynamoDB and other calls, read and write units.
type Spent = (u64, u64, u64, u64, f64, f64);

async fn spent(app: &TestApp, reply: &Reply) -> Spent {
    // A change of rights has a line of its own before that of the request.
    let line: Value = app.log(&reply.request_id).await.pop().unwrap();
    let (count, units) =
        (|name: &str| line["spent"][name].as_u64().unwrap(), |name: &str| line["spent"][name].as_f64().unwrap());
    let calls = line["calls"].as_array().map_or(0, Vec::len) as u64;
    let all = count("redis") + count("dynamodb") + count("http");
    assert_eq!(calls, all.min(LISTED), "each call is counted: {line}");
    (count("steps"), count("redis"), count("dynamodb"), count("http"), units("read_units"), units("write_units"))
}

#[tokio::test]
async fn requests_stay_within_the_budget() {
    with_app(async |app| {
        let phone = app.phone();
        let sent = app.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert_eq!(spent(app, &sent).await, (2, 3, 0, 1, 0.0, 0.0), "veri_code");
        let code = app.messages(&phone, 1).await[0]["code"].as_str().unwrap().to_owned();

        let made = app.post("/user/register", &applicant(&phone, &code)).await;
        assert_eq!(spent(app, &made).await, (3, 4, 1, 0, 0.0, 2.0), "register");
        app.advance(61).await;

        let code = app.code(&phone, 2).await;
        let login = app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        assert_eq!(spent(app, &login).await, (2, 5, 1, 0, 1.0, 0.0), "login");
        let somebody = login.signed_in();

        let page = app.send("GET", "/user/index", &[("authorization", &somebody.sid)], "").await;
        assert_eq!(spent(app, &page).await, (2, 2, 1, 0, 0.5, 0.0), "index by session");
        let jwt = format!("jwt {}", somebody.token);
        let page = app.send("GET", "/user/index", &[("authorization", &jwt)], "").await;
        assert_eq!(spent(app, &page).await, (1, 2, 1, 0, 0.5, 0.0), "index by token");

        for (method, path, body, by_session, by_token) in [
            ("GET", "/user/me", "", (2, 1, 1, 0, 1.0, 0.0), Some((1, 0, 1, 0, 0.5, 0.0))),
            // A unit for the table and one for the index that has all attributes.
            ("POST", "/user/update", r#"{"city":"310100"}"#, (2, 1, 1, 0, 0.0, 2.0), Some((2, 0, 2, 0, 0.5, 2.0))),
            ("POST", "/user/token", "", (1, 1, 0, 0, 0.0, 0.0), None),
            ("GET", "/user/sessions", "", (3, 3, 0, 0, 0.0, 0.0), Some((3, 2, 1, 0, 0.5, 0.0))),
            ("POST", "/user/end_sessions", r#"{"id":"x"}"#, (1, 1, 0, 0, 0.0, 0.0), Some((1, 1, 0, 0, 0.0, 0.0))),
            ("GET", "/user/export", "", (4, 4, 2, 0, 1.5, 0.0), None),
            ("POST", "/user/end_sessions", r#"{"others":true}"#, (3, 4, 1, 0, 0.0, 2.0), None),
        ] {
            for (authorization, expected) in [(&jwt, by_token), (&somebody.sid, Some(by_session))] {
                let Some(expected) = expected else { continue };
                let reply = app.send(method, path, &[("authorization", authorization)], body).await;
                let (steps, redis, dynamodb, http, read, write) = spent(app, &reply).await;
                // Two in sequence count once when a third runs beside both.
                assert!(steps <= expected.0, "{path}: {steps} steps");
                let found = (expected.0, redis, dynamodb, http, read, write);
                assert_eq!((reply.code, found), (0, expected), "{path} by {authorization}");
            }
        }

        let out = app.send("POST", "/user/logout", &[("authorization", &somebody.sid)], "").await;
        assert_eq!(spent(app, &out).await, (1, 1, 0, 0, 0.0, 0.0), "logout");
    })
    .await;
}

#[tokio::test]
async fn admins_stay_within_the_budget() {
    with_app(async |app| {
        let phone = app.phone();
        let id = app.register(&phone).await;
        app.change_rights(&phone, "promote").await;
        let admin = app.log_in(&phone).await;
        let other = app.somebody().await.user_id;
        let jwt = format!("jwt {}", admin.token);
        for (method, path, body, by_session, by_token) in [
            ("GET", format!("/admin/user?phone={phone}"), json!({}), (2, 1, 1, 0, 1.0, 0.0), (2, 1, 1, 0, 1.0, 0.0)),
            // A query for the live and one for the deleted, side by side.
            ("GET", format!("/admin/user?id={id}"), json!({}), (2, 1, 2, 0, 1.0, 0.0), (2, 1, 2, 0, 1.0, 0.0)),
            (
                "POST",
                "/admin/update".to_owned(),
                json!({ "id": other, "end_sessions": true }),
                (4, 3, 3, 0, 1.0, 2.0),
                (4, 3, 3, 0, 1.0, 2.0),
            ),
        ] {
            for (authorization, expected) in [(&admin.sid, by_session), (&jwt, by_token)] {
                let headers = [("authorization", authorization.as_str())];
                let reply = app.send(method, &path, &headers, body.to_string()).await;
                let (steps, redis, dynamodb, http, read, write) = spent(app, &reply).await;
                assert!(steps <= expected.0, "{path}: {steps} steps");
                assert_eq!((reply.code, (expected.0, redis, dynamodb, http, read, write)), (0, expected), "{path}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn moving_and_leaving_stay_within_the_budget() {
    with_app(async |app| {
        let (old, new) = (app.phone(), app.phone());
        app.register(&old).await;
        let sid = app.log_in(&old).await.sid;
        app.advance(61).await;
        let session = [("authorization", sid.as_str())];
        let (old_code, new_code) = (app.code(&old, 3).await, app.code(&new, 1).await);
        let body = json!({ "phone": new, "veri_code": new_code, "old_veri_code": old_code }).to_string();
        let moved = app.send("POST", "/user/change_phone", &session, body.clone()).await;
        // Session and address; two codes and the row; the transaction; what follows. The notice is the stream's.
        let (steps, redis, dynamodb, http, read, write) = spent(app, &moved).await;
        assert_eq!((moved.code, redis, dynamodb, http, read), (0, 13, 2, 0, 1.0), "change_phone");
        // Four; those side by side count twice when one ends before the other begins.
        assert!(steps <= 5, "{steps}");
        assert!(write >= 4.0, "a transaction costs each write twice: {write}");
        let again = app.send("POST", "/user/change_phone", &session, body).await;
        // The session has moved, so the epoch for tokens is asked too; then what follows, which a lost process may have left.
        let (steps, redis, dynamodb, http, read, write) = spent(app, &again).await;
        assert_eq!((again.code, redis, dynamodb, http, read, write), (0, 8, 1, 0, 1.0, 0.0), "the same change");
        assert!(steps <= 5, "{steps}");

        app.advance(61).await;
        let body = json!({ "veri_code": app.code(&new, 2).await }).to_string();
        let left = app.send("POST", "/user/delete", &session, body).await;
        let (steps, _, dynamodb, http, read, _) = spent(app, &left).await;
        assert_eq!((left.code, dynamodb, http, read), (0, 1, 0, 0.0), "delete by the session that moved");
        assert!(steps <= 5, "{steps}: at most one more than of a session that has not moved");

        let phone = app.phone();
        app.register(&phone).await;
        let sid = app.log_in(&phone).await.sid;
        app.advance(61).await;
        let body = json!({ "veri_code": app.code(&phone, 3).await }).to_string();
        let left = app.send("POST", "/user/delete", &[("authorization", &sid)], body).await;
        let (steps, redis, dynamodb, http, read, _) = spent(app, &left).await;
        // A sandbox that has not read the secrets for five minutes reads both again, side by side.
        let is_read_again = http == 2;
        assert_eq!((left.code, redis, dynamodb, read), (0, 7, 1, 0.0), "delete");
        // Four; those side by side count twice when one ends before the other begins.
        assert!(steps - u64::from(is_read_again) <= 5, "{steps}");
        assert!(http == 0 || is_read_again, "{http} for the secrets");
    })
    .await;
}

#[tokio::test]
async fn wrong_tries_and_repetitions_stay_within_the_budget() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let wrong = other_than(&code);
        let attempt = json!({ "phone": phone, "veri_code": wrong });
        let refused = app.post("/user/login", &attempt).await;
        assert_eq!(spent(app, &refused).await, (2, 4, 1, 0, 1.0, 0.0), "login without a user");
        let refused = app.post("/user/register", &applicant(&phone, &wrong)).await;
        assert_eq!(spent(app, &refused).await, (3, 4, 1, 0, 1.0, 0.0), "register");
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0);
        let refused = app.post("/user/login", &attempt).await;
        assert_eq!(spent(app, &refused).await, (2, 4, 1, 0, 1.0, 0.0), "login of a user");
        let again = app.post("/user/register", &applicant(&phone, &code)).await;
        assert_eq!((again.code, spent(app, &again).await.0), (0, 3), "the same registration");
        app.advance(301).await;
        let again = app.post("/user/register", &applicant(&phone, &code)).await;
        // A sandbox that has not read the secret for five minutes reads it again.
        let (steps, redis, dynamodb, http, read, write) = spent(app, &again).await;
        let spent = (steps - http, redis, dynamodb, read, write);
        assert_eq!((again.code, spent), (0, (2, 2, 1, 1.0, 0.0)), "after the code's time");
    })
    .await;
}

#[tokio::test]
async fn what_can_be_refused_without_a_backend_is() {
    with_app(async |app| {
        let nothing = (0, 0, 0, 0, 0.0, 0.0);
        for (method, path, authorization, body) in [
            ("POST", "/user/veri_code", "", "{}"),
            ("POST", "/user/register", "", "x"),
            ("POST", "/user/login", "", r#"{"phone": "1", "veri_code": "1"}"#),
            ("POST", "/user/logout", "", ""),
            ("POST", "/user/logout", "not-a-session", ""),
            ("POST", "/user/change_phone", "", ""),
            ("POST", "/user/delete", "jwt a.b.c", ""),
            ("GET", "/user/index", "", ""),
            ("GET", "/user/index", "jwt a.b.c", ""),
            ("GET", "/user/me", "", ""),
            ("POST", "/user/update", "jwt a.b.c", ""),
            ("POST", "/user/token", "jwt a.b.c", ""),
            ("GET", "/user/sessions", "", ""),
            ("POST", "/user/end_sessions", "", ""),
            ("GET", "/user/export", "", ""),
            ("GET", "/admin/user", "", ""),
            ("POST", "/admin/update", "", ""),
            ("GET", "/admin/audit", "", ""),
            ("GET", "/user/nothing", "", ""),
            ("PUT", "/user/login", "", ""),
        ] {
            let reply = app.send(method, path, &[("authorization", authorization)], body).await;
            assert_ne!(reply.code, 0);
            assert_eq!(spent(app, &reply).await, nothing, "{method} {path} {authorization}");
        }
    })
    .await;
}
