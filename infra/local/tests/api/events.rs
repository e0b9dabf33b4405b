//! The events in `infra/local/events`, with which a function is tried beside the stage.

use std::fs;

use serde_json::{Value, json};

use crate::bed::{Bed, on_a_stage, root};
use crate::client;
use crate::front::invoke;

fn event(function: &str) -> Value {
    let file = root().join("infra/local/events").join(format!("{function}.json"));
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[tokio::test]
async fn every_function_takes_its_event() {
    on_a_stage(async |bed| {
        for (function, code) in [
            ("veri_code", 0),
            ("register", 11003),
            ("login", 11003),
            ("logout", 10006),
            ("user_index", 10006),
            ("fallback", 51404),
        ] {
            let answer = invoke(bed, function, &event(function)).await;
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert_eq!((&answer["statusCode"], &body["code"]), (&json!(200), &json!(code)), "{function}: {body}");
        }
        for function in ["cache_watch", "daily", "deployed", "send_sms"] {
            assert_eq!(invoke(bed, function, &event(function)).await, Value::Null, "{function}");
        }
    })
    .await;
}

/// The variables that the door tells.
async fn environment(bed: &Bed, query: &str) -> Vec<(String, String)> {
    let answer = client::send("GET", &format!("{}/_stage/environment{query}", bed.stage.url()), &[], "".into()).await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let variables = text.lines().map(|line| line.split_once('=').unwrap());
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn a_function_is_told_all_that_it_needs_and_what_no_other_runtime_knows() {
    on_a_stage(async |bed| {
        let of_login = environment(bed, "?function=login").await;
        let value = |name: &str| of_login.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!((value("STAGE"), value("USERS_TABLE")), (Some("local"), Some("badge-local-users")));
        assert!(value("CACHE_URL").is_some_and(|url| url.starts_with("redis://127.0.0.1:")));
        assert!(value("LAMBDA_TASK_ROOT").is_some() && value("AWS_ACCESS_KEY_ID").is_some());
        assert_eq!(value("AWS_LAMBDA_RUNTIME_API"), None, "whoever runs it has an own one");
        // A run for the look into the log with which every test ends.
        assert_eq!(bed.send("GET", "/user/index", &[], "").await.code, 10006);
        let of_all = environment(bed, "").await;
        assert!(of_login.iter().all(|variable| of_all.contains(variable)));
        let url = format!("{}/_stage/environment?function=nobody", bed.stage.url());
        let unknown = client::send("GET", &url, &[], "".into()).await;
        assert_eq!(
            (unknown.status.as_u16(), unknown.body.as_ref()),
            (404, br#"{"message":"there is no function nobody"}"#.as_slice())
        );
    })
    .await;
}
