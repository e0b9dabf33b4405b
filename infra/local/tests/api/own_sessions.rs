//! `POST /user/token`, `GET /user/sessions`, `POST /user/end_sessions`, `GET /user/export`: a user's own credentials and data.

use std::process::Command;

use serde_json::{Value, json};

use support::{
    Gate, PREFIX, Reply, SignedIn, Stop, TEST_CODE, TEST_NUMBER, TestApp, TestAppBuilder, applicant, code, for_crowds,
    send, with_app, with_settings, with_test_numbers, with_variables,
};

fn jwt(who: &SignedIn) -> String {
    format!("jwt {}", who.token)
}

async fn get(app: &TestApp, path: &str, authorization: &str) -> Reply {
    app.send("GET", path, &[("authorization", authorization)], "").await
}

async fn post(app: &TestApp, path: &str, authorization: &str, body: &Value) -> Reply {
    app.send("POST", path, &[("authorization", authorization)], body.to_string()).await
}

async fn log_in(app: &TestApp, agent: &str, address: &str) -> SignedIn {
    let headers = [("user-agent", agent), ("x-stage-source-ip", address)];
    let attempt = json!({ "phone": TEST_NUMBER, "veri_code": TEST_CODE }).to_string();
    let login = app.send("POST", "/user/login", &headers, attempt).await;
    assert_eq!(login.code, 0, "{login:?}");
    login.signed_in()
}

/// Three sessions of one user, a minute apart.
async fn three(app: &TestApp) -> [SignedIn; 3] {
    app.post("/user/register", &applicant(TEST_NUMBER, TEST_CODE)).await;
    let long = format!("Firefox\u{1}{}", "x".repeat(100));
    let first = log_in(app, "curl/8.5.0", "203.0.113.7").await;
    app.advance(60).await;
    let second = log_in(app, &long.replace('\u{1}', ""), "2001:db8:1:2::3").await;
    app.advance(60).await;
    [first, second, log_in(app, "app", "198.51.100.9").await]
}

#[tokio::test]
async fn a_session_gets_a_token_and_a_token_does_not() {
    with_app(async |app| {
        let who = app.somebody().await;
        app.advance(1_300).await;
        assert_eq!(get(app, "/user/me", &jwt(&who)).await.code, code::NO_AUTH, "it has expired");
        let new = post(app, "/user/token", &who.sid, &json!({})).await;
        assert_eq!((new.code, &new.data["expires_in"]), (0, &json!(1200)));
        let token = format!("Bearer {}", new.data["token"].as_str().unwrap());
        assert_eq!(get(app, "/user/me", &token).await.data["id"], json!(who.user_id));
        for authorization in [&*token, "", "jwt a.b.c"] {
            assert_eq!(post(app, "/user/token", authorization, &json!({})).await.code, code::NOT_LOGIN);
        }
        app.fail(&json!({ "redis": { "mode": "refuse" } })).await;
        assert_eq!(post(app, "/user/token", &who.sid, &json!({})).await.code, code::REDIS_ERROR);
        app.fail(&json!({ "dynamodb": { "mode": "refuse" } })).await;
        assert_eq!(post(app, "/user/token", &who.sid, &json!({})).await.code, 0, "no row is asked");
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_newest_first_with_what_tells_them_apart() {
    with_settings(with_test_numbers, async |app| {
        let [first, second, third] = three(app).await;
        let page = get(app, "/user/sessions", &second.sid).await;
        assert_eq!((page.code, page.next), (0, Some(Value::Null)));
        let rows = page.data.as_array().unwrap().clone();
        let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
        assert_eq!(column("current"), [json!(false), json!(true), json!(false)]);
        assert_eq!(column("network"), ["198.51.100.*", "2001:db8:1::/48", "203.0.113.*"]);
        let clients = column("client");
        assert_eq!((&clients[0], &clients[2]), (&json!("app"), &json!("curl/8.5.0")));
        assert_eq!(clients[1].as_str().unwrap().chars().count(), 64);
        for (row, who) in rows.iter().zip([&third, &second, &first]) {
            assert!(!row["id"].as_str().unwrap().contains(&who.sid), "it is the id of the session");
        }
        // Used again, the oldest stays the oldest and has been seen last.
        app.advance(600).await;
        let rows = get(app, "/user/sessions", &first.sid).await.data;
        assert!(rows[2]["seen_at"].as_str() > rows[0]["seen_at"].as_str(), "{rows}");
        assert!(rows[2]["opened_at"].as_str() < rows[0]["opened_at"].as_str(), "{rows}");
        let by_token = get(app, "/user/sessions", &jwt(&third)).await;
        assert_eq!((by_token.code, by_token.data.as_array().unwrap().len()), (0, 3));
        assert!(by_token.data.as_array().unwrap().iter().all(|row| row["current"] == false));
        // One that has ended is gone.
        app.send("POST", "/user/logout", &[("authorization", &second.sid)], "").await;
        assert_eq!(get(app, "/user/sessions", &first.sid).await.data.as_array().unwrap().len(), 2);
        assert_eq!(get(app, "/user/sessions", &second.sid).await.code, code::NOT_LOGIN);
        assert_eq!(get(app, "/user/sessions", "").await.code, code::NOT_LOGIN);
    })
    .await;
}

#[tokio::test]
async fn a_session_is_ended_by_its_name_and_only_by_its_user() {
    with_settings(with_test_numbers, async |app| {
        let [first, second, third] = three(app).await;
        let stranger = app.somebody().await;
        let rows = get(app, "/user/sessions", &first.sid).await.data;
        let id = rows[1]["id"].clone();
        let end = async |who: &str, id: &Value| post(app, "/user/end_sessions", who, &json!({ "id": id })).await.code;
        assert_eq!(end(&stranger.sid, &id).await, 0);
        assert_eq!(get(app, "/user/me", &second.sid).await.code, 0, "a stranger ended it");
        assert_eq!(end(&first.sid, &id).await, 0);
        assert_eq!(get(app, "/user/me", &second.sid).await.code, code::NOT_LOGIN);
        for unknown in [&id, &json!("x"), &json!("0".repeat(66))] {
            assert_eq!(end(&first.sid, unknown).await, 0, "{unknown}");
        }
        // By token, and oneself.
        assert_eq!(end(&jwt(&first), &rows[0]["id"]).await, 0);
        assert_eq!(get(app, "/user/me", &third.sid).await.code, code::NOT_LOGIN);
        assert_eq!(end(&first.sid, &rows[2]["id"]).await, 0);
        assert_eq!(end(&first.sid, &rows[2]["id"]).await, code::NOT_LOGIN);
    })
    .await;
}

#[tokio::test]
async fn all_others_end_and_the_callers_session_goes_on() {
    with_settings(with_test_numbers, async |app| {
        let [first, second, third] = three(app).await;
        let others = json!({ "others": true });
        assert_eq!(post(app, "/user/end_sessions", &jwt(&first), &others).await.code, code::NOT_LOGIN);
        for _ in 0..2 {
            assert_eq!(post(app, "/user/end_sessions", &first.sid, &others).await.code, 0);
            assert_eq!(get(app, "/user/me", &first.sid).await.code, 0);
            assert_eq!(get(app, "/user/index", &first.sid).await.code, 0);
        }
        for ended in [&second.sid, &third.sid] {
            assert_eq!(get(app, "/user/index", ended).await.code, code::NOT_LOGIN);
        }
        for who in [&first, &second] {
            assert_eq!(get(app, "/user/index", &jwt(who)).await.code, code::NO_AUTH);
        }
        let rows = get(app, "/user/sessions", &first.sid).await.data;
        assert_eq!((rows.as_array().unwrap().len(), &rows[0]["client"]), (1, &json!("curl/8.5.0")));
        // What the session gives now is good.
        let token = post(app, "/user/token", &first.sid, &json!({})).await.data["token"].as_str().unwrap().to_owned();
        assert_eq!(get(app, "/user/index", &format!("jwt {token}")).await.code, 0);
        assert_eq!(get(app, "/user/me", &log_in(app, "app", "203.0.113.7").await.sid).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn what_ends_nothing_is_refused_and_faults_have_their_codes() {
    with_app(async |app| {
        let who = app.somebody().await;
        let end = async |body: Value| post(app, "/user/end_sessions", &who.sid, &body).await;
        assert_eq!(end(json!({})).await.msg, "id参数有缺失");
        assert_eq!(end(json!({ "others": false })).await.code, code::PARAMS_INVALID);
        assert_eq!(end(json!({ "others": "yes" })).await.msg, "others参数无效");
        assert_eq!(end(json!({ "id": 7 })).await.msg, "id参数无效");
        assert_eq!(post(app, "/user/end_sessions", "", &json!({ "id": "x" })).await.code, code::NOT_LOGIN);
        app.fail(&json!({ "dynamodb": { "mode": "refuse" } })).await;
        assert_eq!(end(json!({ "others": true })).await.code, code::DB_ERROR);
        assert_eq!(get(app, "/user/sessions", &jwt(&who)).await.code, code::DB_ERROR);
        assert_eq!(get(app, "/user/sessions", &who.sid).await.code, 0);
        app.fail(&json!({ "redis": { "mode": "refuse" } })).await;
        let id = "0".repeat(66);
        assert_eq!(post(app, "/user/end_sessions", &jwt(&who), &json!({ "id": id })).await.code, code::REDIS_ERROR);
        assert_eq!(get(app, "/user/sessions", &jwt(&who)).await.code, code::REDIS_ERROR);
        app.fail(&json!({})).await;
        assert_eq!(end(json!({ "others": true })).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn an_export_has_everything_and_there_are_five_a_day() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        let who = app.somebody().await;
        for _ in 0..5 {
            let exported = get(app, "/user/export", &who.sid).await;
            assert_eq!((exported.code, &exported.data["user"]["id"]), (0, &json!(who.user_id)));
            assert_eq!(exported.data["user"]["birth_day"], "1990-01-02");
            assert_eq!(exported.data["sessions"][0]["current"], true);
            assert!(exported.data["events"].is_array());
        }
        let refused = get(app, "/user/export", &who.sid).await;
        assert_eq!(refused.code, code::TOO_MANY_REQUESTS);
        assert!(refused.data["retry_after"].as_u64().is_some_and(|secs| secs > 80_000));
        assert_eq!(get(app, "/user/export", &app.somebody().await.sid).await.code, 0, "each user has its own");
        assert_eq!(get(app, "/user/export", &jwt(&who)).await.code, code::NOT_LOGIN);
        assert_eq!(get(app, "/user/export", "").await.code, code::NOT_LOGIN);
        app.advance(82_000).await;
        app.send("GET", "/user/me", &[("authorization", &who.sid)], "").await;
        app.advance_to_midnight().await;
        assert_eq!(get(app, "/user/export", &who.sid).await.code, 0);
        app.fail(&json!({ "dynamodb": { "mode": "refuse" } })).await;
        assert_eq!(get(app, "/user/export", &who.sid).await.code, code::DB_ERROR);
    })
    .await;
}

/// What a change of rights writes into the row. Its copies in the cache come a moment later; until then the session is found.
async fn write_row(app: &TestApp, phone: &str, change: &str) {
    let values = json!({ ":one": { "N": "1" }, ":none": { "N": "0" } });
    let write = json!({
        "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } },
        "UpdateExpression": format!("SET epoch = if_not_exists(epoch, :none) + :one{change}"),
        "ExpressionAttributeValues": values,
    });
    app.dynamodb("UpdateItem", &write).await;
}

/// The template in which nothing reads the stream for epochs: it would raise the copies before the test has looked.
fn without_epochs(template: &str) -> String {
    let mapping = "EpochsMapping:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties:\n";
    assert!(template.contains(mapping));
    template.replacen(mapping, &format!("{mapping}      Enabled: false\n"), 1)
}

#[tokio::test]
async fn nothing_keeps_a_session_that_a_change_of_rights_is_ending() {
    TestAppBuilder::new()
        .template(without_epochs)
        .settings(for_crowds)
        .run(async |app| {
            for (change, expected) in [(", is_disabled = :one", code::ACCOUNT_DISABLED), ("", code::NOT_LOGIN)] {
                for path in ["/user/end_sessions", "/user/change_phone", "/user/delete", "/user/update"] {
                    let (phone, who) = app.user().await;
                    app.advance(61).await;
                    let (old, new) = (app.code(&phone, 3).await, app.phone());
                    let body = match path {
                        "/user/end_sessions" => json!({ "others": true }),
                        "/user/change_phone" => {
                            json!({ "phone": new, "veri_code": app.code(&new, 1).await, "old_veri_code": old })
                        }
                        "/user/delete" => json!({ "veri_code": old }),
                        _ => json!({ "city": "310100" }),
                    };
                    write_row(app, &phone, change).await;
                    let refused = post(app, path, &who.sid, &body).await.code;
                    assert_eq!(refused, expected, "{path}{change}");
                    assert_eq!(get(app, "/user/me", &who.sid).await.code, expected, "{path}{change}");
                    let row = format!("phone={phone}");
                    let admin = app.admin().await.1;
                    let found = get(app, &format!("/admin/user?{row}"), &admin.sid).await;
                    assert_eq!((&found.data["is_delete"], &found.data["city"]), (&json!(0), &json!("")), "{path}");
                }
            }
        })
        .await;
}

/// The same change of phone, sent again after the user's sessions were ended.
#[tokio::test]
async fn a_repeated_change_of_phone_keeps_no_session_that_was_ended_since() {
    TestAppBuilder::new()
        .template(without_epochs)
        .run(async |app| {
            let (phone, who) = app.user().await;
            app.advance(61).await;
            let new = app.phone();
            let body = json!({
                "phone": new, "veri_code": app.code(&new, 1).await, "old_veri_code": app.code(&phone, 3).await,
            });
            for _ in 0..2 {
                assert_eq!(post(app, "/user/change_phone", &who.sid, &body).await.code, 0);
            }
            write_row(app, &new, "").await;
            assert_ne!(post(app, "/user/change_phone", &who.sid, &body).await.code, 0);
            assert_eq!(get(app, "/user/me", &who.sid).await.code, code::NOT_LOGIN);
        })
        .await;
}

#[tokio::test]
async fn ending_the_others_twice_at_once_signs_nobody_out() {
    with_app(async |app| {
        let who = app.somebody().await;
        for _ in 0..20 {
            let body = json!({ "others": true });
            let end = || post(app, "/user/end_sessions", &who.sid, &body);
            let (one, other) = tokio::join!(end(), end());
            assert_eq!((one.code, other.code), (0, 0), "{one:?} {other:?}");
            assert_eq!(get(app, "/user/me", &who.sid).await.code, 0);
        }
    })
    .await;
}

#[tokio::test]
async fn an_end_of_the_others_killed_at_any_call_succeeds_when_it_is_sent_again() {
    let gate = Gate::default();
    let (variables, targets) = gate.backends().await;
    TestAppBuilder::new()
        .template(|template| with_variables(template, "EndSessions", &variables))
        .settings(with_test_numbers)
        .options(|options| options.sandbox_limit = 1)
        .run(async |app| {
            targets.lead_to(app).await;
            app.post("/user/register", &applicant(TEST_NUMBER, TEST_CODE)).await;
            let others = json!({ "others": true });
            for is_done in [false, true] {
                let mut killed = 0;
                loop {
                    let who = log_in(app, "app", "203.0.113.7").await;
                    let other = log_in(app, "app", "198.51.100.9").await;
                    // A sandbox that has started: the one before was killed.
                    assert_eq!(post(app, "/user/end_sessions", &who.sid, &json!({})).await.code, code::PARAMS_INVALID);
                    let pids = app.function("end_sessions").await["pids"].as_array().unwrap().clone();
                    gate.stop_at(Stop { call: killed, is_done });
                    let url = app.url(&format!("{PREFIX}/user/end_sessions"));
                    let headers = [("authorization", who.sid.as_str())];
                    let mut end = Box::pin(send("POST", &url, &headers, others.to_string()));
                    let lived = tokio::select! {
                        biased;
                        () = gate.reached() => None,
                        answer = &mut end => Some(answer),
                    };
                    if let Some(answer) = &lived {
                        assert_eq!(answer.json()["code"], 0, "{}", answer.text());
                    } else {
                        for pid in pids {
                            Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
                        }
                        assert_eq!(end.await.status, 500, "the reply is lost");
                    }
                    gate.open();
                    if lived.is_none() {
                        let again = post(app, "/user/end_sessions", &who.sid, &others).await;
                        assert_eq!(again.code, 0, "{killed} {is_done}: {again:?}");
                    }
                    assert_eq!(get(app, "/user/me", &who.sid).await.code, 0, "{killed} {is_done}");
                    assert_eq!(get(app, "/user/index", &other.sid).await.code, code::NOT_LOGIN, "{killed} {is_done}");
                    if lived.is_some() {
                        break;
                    }
                    killed += 1;
                }
                // The session, the row, its stamp, and the copies of the epoch.
                assert!(killed >= 5, "{killed} {is_done}");
            }
        })
        .await;
}
