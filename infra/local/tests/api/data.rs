//! The control API for stored data. It repeats the service's names of keys and attributes; these tests compare them with
//! what functions write.

use serde_json::{Value, json};

use support::{TestApp, applicant, code, other_than, with_app};

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
            let expected = if row["name"] == "budget" { 0.045 } else { 1.0 };
            assert_eq!(row["count"], expected, "{row}");
            assert_eq!(row["wait_ms"].as_i64().unwrap() > 0, row["name"] == "cool_down", "{row}");
            let is_range = ["prefix", "block", "area"].iter().any(|key| row["key"] == *key);
            assert_eq!(row["debt"], if is_range { json!(1) } else { Value::Null }, "{row}");
        }
        assert_eq!((&found["code"]["tries"], &found["code"]["used"]), (&json!(1), &Value::Null));
        assert_eq!(
            (&found["last"]["function"], &found["last"]["code"]),
            (&json!("badge-local-login"), &json!(code::VERI_CODE_WRONG))
        );

        let applicant = applicant(&phone, &code);
        assert_eq!(app.post("/user/register", &applicant).await.code, 0);
        let found = limits(app, &phone).await;
        assert_eq!(found["code"]["used"], "claim");
        assert_eq!(row(&found, "sends_per_prefix")["debt"], 0);
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
        let found = limits(app, &phone).await;
        assert_eq!(found["last"]["request_id"], refused.request_id);
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
