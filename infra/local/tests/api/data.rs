//! The control API for stored data. It repeats the service's names of keys and attributes; these tests compare them with
//! what functions write.

use serde_json::{Value, json};

use support::{TestApp, TestAppBuilder, applicant, code, eventually, get, other_than, post, with_app, with_settings};

async fn limits(app: &TestApp, phone: &str) -> Value {
    app.inspect(&format!("limits?phone={phone}&ip=127.0.0.1")).await
}

fn row<'a>(limits: &'a Value, name: &str) -> &'a Value {
    limits["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()
}

#[tokio::test]
async fn users_are_listed_newest_first_and_found_by_phone() {
    with_app(async |app| {
        let (one, other) = (app.phone(), app.phone());
        let (first, second) = (app.register(&one).await, app.register(&other).await);
        let page = app.inspect("users?limit=1").await;
        assert_eq!((&page["users"][0]["id"], &page["next"]), (&json!(second), &json!(second)));
        let page = app.inspect(&format!("users?limit=1&before={second}")).await;
        assert_eq!((&page["users"][0]["id"], &page["next"]), (&json!(first), &Value::Null));
        for phone in [one.clone(), format!("%2B86{one}"), format!("86{one}")] {
            let found = app.inspect(&format!("users?phone={phone}")).await;
            assert_eq!(found["users"][0]["id"], first, "{phone}");
        }
        assert_eq!(app.inspect("users?phone=13700000000").await["users"], json!([]));
        app.change_rights(&other, "delete").await;
        for (query, id) in [("state=deleted", &second), ("", &first)] {
            let page = app.inspect(&format!("users?{query}")).await;
            assert_eq!((page["users"].as_array().unwrap().len(), &page["users"][0]["id"]), (1, &json!(id)), "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn events_of_a_user_are_shown_newest_first() {
    with_app(async |app| {
        let phone = app.phone();
        let user_id = app.register(&phone).await;
        app.change_rights(&phone, "promote").await;
        app.streams_are_empty().await;
        let events = app.inspect(&format!("audit?user_id={user_id}")).await;
        let versions: Vec<_> = events.as_array().unwrap().iter().map(|event| event["version"].clone()).collect();
        assert_eq!(versions, [json!(2), json!(1)], "{events}");
        let (newest, first) = (&events[0], &events[1]);
        assert_eq!((&newest["changed_by"]["role"], &newest["fields"]), (&json!("operator"), &json!(["epoch", "role"])));
        assert_eq!((&first["changed_by"]["credential"], &first["values"]["role"]), (&json!("code"), &json!("user")));
        assert!(!events.to_string().contains(&phone));
    })
    .await;
}

#[tokio::test]
async fn a_session_is_shown_without_its_id_and_ended() {
    with_app(async |app| {
        let phone = app.phone();
        let user_id = app.register(&phone).await;
        let signed_in = app.log_in(&phone).await;
        let cookie = format!("__sid__={}", signed_in.sid);
        let path = format!("sessions?phone={phone}&user_id={user_id}");
        let sessions = app.inspect(&path).await;
        assert_eq!((sessions.as_array().unwrap().len(), &sessions[0]["role"]), (1, &json!("user")));
        assert!((1..=86_400_000).contains(&sessions[0]["ends_in_ms"].as_i64().unwrap()), "{sessions}");
        assert_eq!((&sessions[0]["client"], &sessions[0]["network"]), (&json!(""), &json!("127.0.0.*")), "{sessions}");
        assert!(!sessions.to_string().contains(&signed_in.sid));
        assert_eq!(app.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code, 0);

        let body = json!({ "phone": phone, "hash": sessions[0]["hash"] });
        app.control("POST", "sessions/end", &body).await;
        assert_eq!(app.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code, code::NOT_LOGIN);
        assert_eq!(app.inspect(&path).await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn every_row_of_the_limits_counts_what_functions_have_counted() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let wrong = json!({ "phone": phone, "veri_code": other_than(&code) });
        assert_eq!(app.post("/user/login", &wrong).await.code, code::VERI_CODE_WRONG);
        let found = limits(app, &phone).await;
        for row in found["rows"].as_array().unwrap() {
            let expected = match (&row["name"], &row["key"]) {
                (_, key) if key == "device" => 0.0,
                (name, _) if name == "budget" => 0.045,
                _ => 1.0,
            };
            assert_eq!(row["count"], expected, "{row}");
            assert_eq!(row["wait_ms"].as_i64().unwrap() > 0, row["name"] == "cool_down", "{row}");
            let is_range = ["prefix", "block", "area"].iter().any(|key| row["key"] == *key);
            assert_eq!(row["debt"], if is_range { json!(1) } else { Value::Null }, "{row}");
        }
        let (prefix, budget) = (row(&found, "sends_per_prefix"), row(&found, "budget"));
        assert_eq!((&prefix["max"], &prefix["max_known"]), (&json!(70.0), &json!(100.0)));
        assert_eq!((&budget["max"], &budget["max_known"]), (&json!(700.0), &json!(1000.0)));
        assert_eq!((&found["code"]["tries"], &found["code"]["used"]), (&json!(1), &Value::Null));
        assert_eq!(
            (&found["last"]["function"], &found["last"]["code"]),
            (&json!("badge-local-login"), &json!(code::VERI_CODE_WRONG))
        );

        let applicant = applicant(&phone, &code);
        let made = app.post("/user/register", &applicant).await;
        assert_eq!(made.code, 0);
        let found = limits(app, &phone).await;
        assert_eq!(found["code"]["used"], "claim");
        assert_eq!(row(&found, "sends_per_prefix")["debt"], 0);
        assert_eq!(row(&found, "tries_in_a_row")["count"], 0.0, "a success ends them");

        let (device, source_ip) = (made.data["device"].as_str(), "2001:db8:1:ab02::3");
        let asked = app.post_from("/user/veri_code", source_ip, device, &json!({ "phone": phone })).await;
        assert_eq!(asked.code, 0, "a known device has a cool-down of its own");
        let code = app.messages(&phone, 2).await[0]["code"].as_str().unwrap().to_owned();
        app.add_secret(&code);
        let wrong = json!({ "phone": phone, "veri_code": other_than(&code) });
        app.post_from("/user/login", source_ip, device, &wrong).await;
        let found = app.inspect(&format!("limits?phone={phone}&ip={source_ip}")).await;
        for (name, subject) in [
            ("device_cool_down", format!("+86{phone}")),
            ("device_sends_per_day", format!("+86{phone}")),
            ("device_tries_per_day", format!("+86{phone}")),
            ("device_tries_in_a_row", format!("+86{phone}")),
            ("sends_per_ip", "2001:db8:1:ab02::/64".to_owned()),
            ("sends_per_ip_day", "2001:db8:1:ab02::/64".to_owned()),
            ("sends_per_ip56", "2001:db8:1:ab00::/56".to_owned()),
            ("sends_per_ip48", "2001:db8:1::/48".to_owned()),
            ("sends_per_ip48_day", "2001:db8:1::/48".to_owned()),
            ("tries_per_ip", "2001:db8:1:ab02::/64".to_owned()),
        ] {
            let row = row(&found, name);
            assert_eq!((&row["count"], &row["subject"]), (&json!(1.0), &json!(subject)), "{row}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_explained_and_ends_with_a_reset() {
    with_app(async |app| {
        let phone = app.phone();
        app.code(&phone, 1).await;
        let refused = app.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert_eq!(refused.code, code::TOO_MANY_REQUESTS);
        let is_of = |request: &Value, function: &str| request["function"] == format!("badge-local-{function}");
        let found = eventually("the task in the list", async || {
            let found = limits(app, &phone).await;
            let requests = found["requests"].as_array().unwrap();
            requests.iter().any(|request| is_of(request, "send_sms")).then(|| found.clone())
        });
        let found = found.await;
        let newest = found["requests"].as_array().unwrap().iter().find(|request| is_of(request, "veri_code")).unwrap();
        assert_eq!((&newest["request_id"], &newest["outcome"]), (&json!(refused.request_id), &json!("ok")));
        assert_eq!(found["last"], found["requests"][0]);
        let wait_ms = row(&found, "cool_down")["wait_ms"].as_i64().unwrap();
        let reply_ms = refused.data["retry_after"].as_i64().unwrap() * 1_000;
        assert!(wait_ms <= reply_ms && wait_ms > reply_ms - 30_000, "{wait_ms} ms of {reply_ms}");

        let body = json!({ "phone": phone, "name": "cool_down" }).to_string();
        assert_eq!(app.control("POST", "limits/reset", &body).await, json!({ "forgotten": 1 }));
        assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, 0);
        let body = json!({ "phone": phone, "ip": "127.0.0.1" }).to_string();
        app.control("POST", "limits/reset", &body).await;
        for row in limits(app, &phone).await["rows"].as_array().unwrap() {
            assert_eq!(row["count"], 0.0, "{row}");
        }
    })
    .await;
}

/// The states of a phone's codes, newest first.
async fn codes(app: &TestApp, phone: &str) -> Vec<String> {
    let messages = app.inspect(&format!("sms?phone={phone}")).await;
    let codes = app.inspect("codes").await;
    let state = |id: &Value| codes.as_array().unwrap().iter().find(|code| code["id"] == *id).unwrap()["state"].clone();
    let states = messages.as_array().unwrap().iter().map(|message| state(&message["id"]));
    states.map(|state| state.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_code_is_live_exactly_as_long_as_functions_accept_it() {
    with_app(async |app| {
        let (phone, other) = (app.phone(), app.phone());
        let first = app.code(&phone, 1).await;
        assert_eq!(codes(app, &phone).await, ["live"]);
        assert_eq!(app.post("/user/register", &applicant(&phone, &first)).await.code, 0);
        assert_eq!(codes(app, &phone).await, ["used"]);
        app.advance(61).await;
        let second = app.code(&phone, 2).await;
        assert_eq!(codes(app, &phone).await, ["live", "used"]);
        app.advance(61).await;
        assert_eq!(app.code(&phone, 3).await, second, "a live code is sent again");
        assert_eq!(codes(app, &phone).await, ["live", "live", "used"]);
        assert_eq!(app.post("/user/login", &json!({ "phone": phone, "veri_code": second })).await.code, 0);
        assert_eq!(codes(app, &phone).await, ["used", "used", "used"]);
        app.advance(301).await;
        assert_eq!(codes(app, &phone).await, ["expired", "expired", "replaced"]);

        let wrong = json!({ "phone": other, "veri_code": other_than(&app.code(&other, 1).await) });
        for _ in 0..5 {
            assert_eq!(codes(app, &other).await, ["live"]);
            assert_eq!(app.post("/user/login", &wrong).await.code, code::VERI_CODE_WRONG);
        }
        assert_eq!(codes(app, &other).await, ["ended"]);

        let third = app.phone();
        let old = app.code(&third, 1).await;
        app.fail(&json!({ "dynamodb": { "mode": "refuse" } })).await;
        assert_eq!(app.post("/user/register", &applicant(&third, &old)).await.code, code::DB_ERROR);
        app.fail(&json!({})).await;
        assert_eq!(codes(app, &third).await, ["live"], "a registration that failed uses no code up");
        app.advance(245).await;
        app.code(&third, 2).await;
        assert_eq!(codes(app, &third).await, ["live", "live"], "the code before it is good for its rest");
        app.advance(60).await;
        assert_eq!(codes(app, &third).await, ["live", "replaced"]);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_a_limit_refuses_is_blocked() {
    let two_tries = |settings: &str| settings.replace(r#"window = "day", max = 20 }"#, r#"window = "day", max = 2 }"#);
    with_settings(two_tries, async |app| {
        let phone = app.phone();
        let right = app.code(&phone, 1).await;
        let wrong = json!({ "phone": phone, "veri_code": other_than(&right) });
        for state in ["live", "live", "blocked"] {
            assert_eq!(codes(app, &phone).await, [state]);
            app.post("/user/login", &wrong).await;
        }
        let refused = app.post("/user/login", &json!({ "phone": phone, "veri_code": right })).await;
        assert_eq!(refused.code, code::TOO_MANY_REQUESTS);
    })
    .await;
}

#[tokio::test]
async fn an_undelivered_code_replaces_the_last_one() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        app.fail(&json!({ "sms": { "mode": "refuse" } })).await;
        assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, 0);
        assert_eq!(codes(app, &phone).await, ["used"]);
        app.advance(245).await;
        assert_eq!(codes(app, &phone).await, ["replaced"]);
    })
    .await;
}

#[tokio::test]
async fn a_role_is_changed_and_is_that_of_the_next_session() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        for (role, nth) in [("admin", 2), ("user", 3)] {
            app.control("POST", "users/role", json!({ "phone": phone, "role": role })).await;
            let code = app.code(&phone, nth).await;
            let login = app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
            let cookie = format!("__sid__={}", login.sid().unwrap());
            let rows = app.send("GET", "/user/index", &[("cookie", &cookie)], "").await.data;
            let row = rows.as_array().unwrap().iter().find(|row| row["user_name"] == "张三").unwrap();
            assert_eq!(row["phone"] == format!("+86{phone}"), role == "admin", "{row}");
            app.advance(61).await;
        }
        for (body, status) in [
            (json!({ "phone": app.phone(), "role": "admin" }), 404),
            (json!({ "phone": phone, "role": "root" }), 400),
            (json!({ "phone": "", "role": "user" }), 400),
        ] {
            assert_eq!(post(&app.url("/_stage/users/role"), &body).await.status, status, "{body}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_translation_of_the_description_is_its_overlay() {
    let app = TestAppBuilder::new().start().await;
    let overlay = app.inspect("api?lang=zh").await;
    let mut actions = overlay["actions"].as_array().unwrap().iter();
    let login = actions.find(|one| one["target"] == "$.paths['/user/login'].post").unwrap();
    assert_eq!(login["update"]["summary"], "登录");
    assert_eq!(get(&app.url("/_stage/api?lang=fr")).await.status, 400);
}

#[tokio::test]
async fn the_description_of_the_api_is_json_in_its_own_order() {
    with_app(async |app| {
        let url = format!("{}/_stage/api", app.emulator.url());
        let answer = support::send("GET", &url, &[], "").await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["paths"]["/user/login"]["post"]["operationId"], "login");
        let place = |path: &str| text.find(&format!("\"{path}\":{{")).unwrap();
        assert!(place("/user/veri_code") < place("/user/register") && place("/user/register") < place("/user/login"));
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
                let code = app.send(&method, path, &[], "{}").await.code;
                assert!(!matches!(code, code::NOT_FOUND | code::METHOD_NOT_ALLOWED), "{method} {path} is not served");
            }
        }
    })
    .await;
}
