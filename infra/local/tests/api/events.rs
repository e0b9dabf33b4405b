//! The events in `infra/local/events`, that run a function without the emulator.

use std::fs;

use serde_json::{Value, json};

use support::{TestApp, code, root, send, with_app};

fn event(function: &str) -> Value {
    let file = root().join("infra/local/events").join(format!("{function}.json"));
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[tokio::test]
async fn every_function_takes_its_event() {
    with_app(async |app| {
        for (function, code) in [
            ("veri_code", 0),
            ("register", code::VERI_CODE_WRONG),
            ("login", code::VERI_CODE_WRONG),
            ("logout", code::NOT_LOGIN),
            ("change_phone", code::NOT_LOGIN),
            ("delete_account", code::NOT_LOGIN),
            ("user_index", code::NOT_LOGIN),
            ("admin_audit", code::NOT_LOGIN),
            ("user_me", code::NOT_LOGIN),
            ("user_update", code::NOT_LOGIN),
            ("user_token", code::NOT_LOGIN),
            ("user_sessions", code::NOT_LOGIN),
            ("end_sessions", code::NOT_LOGIN),
            ("user_export", code::NOT_LOGIN),
            ("admin_user", code::NOT_LOGIN),
            ("admin_update", code::NOT_LOGIN),
            ("fallback", code::NOT_FOUND),
        ] {
            let answer = app.invoke_function(function, &event(function)).await;
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert_eq!((&answer["statusCode"], &body["code"]), (&json!(200), &json!(code)), "{function}: {body}");
        }
        for function in ["cache_watch", "daily", "deployed", "send_sms"] {
            assert_eq!(app.invoke_function(function, &event(function)).await, Value::Null, "{function}");
        }
        for function in ["audit", "epochs"] {
            assert_eq!(app.invoke_function(function, &event(function)).await, json!({ "batchItemFailures": [] }));
        }
        // Nobody has registered with the phone of that event.
        let event = event("change_rights");
        let refused = app.invoke("badge-local-change_rights:live", "RequestResponse", &event).await;
        assert_eq!(refused.json()["errorType"], code::USER_NOT_FOUND.to_string());
    })
    .await;
}

/// The variables by `GET environment`.
async fn environment(app: &TestApp, query: &str) -> Vec<(String, String)> {
    let answer = send("GET", &format!("{}/_stage/environment{query}", app.emulator.url()), &[], "").await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let variables = text.lines().map(|line| line.split_once('=').unwrap());
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn environment_lists_the_variables_of_a_function_for_other_runtimes() {
    with_app(async |app| {
        let of_login = environment(app, "?function=login").await;
        let value = |name: &str| of_login.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!((value("STAGE"), value("USERS_TABLE")), (Some("local"), Some("badge-local-users")));
        assert!(value("CACHE_URL").is_some_and(|url| url.starts_with("redis://127.0.0.1:")));
        assert!(value("LAMBDA_TASK_ROOT").is_some() && value("AWS_ACCESS_KEY_ID").is_some());
        assert_eq!(value("AWS_LAMBDA_RUNTIME_API"), None, "each runtime has its own");
        // A run for the look into the log with which every test ends.
        assert_eq!(app.send("GET", "/user/index", &[], "").await.code, code::NOT_LOGIN);
        let of_all = environment(app, "").await;
        assert!(of_login.iter().all(|variable| of_all.contains(variable)));
        let url = format!("{}/_stage/environment?function=nobody", app.emulator.url());
        let unknown = send("GET", &url, &[], "").await;
        assert_eq!(
            (unknown.status.as_u16(), unknown.body.as_ref()),
            (404, br#"{"message":"there is no function nobody"}"#.as_slice())
        );
    })
    .await;
}
