//! Recorded requests of the old service with the replies that the contract asks for.

use bytes::Bytes;
use serde_json::Value;

use support::with_app;

#[tokio::test]
async fn all_recorded_cases_get_the_reply_of_the_contract() {
    with_app(async |app| {
        let cases: Vec<Value> = serde_json::from_str(include_str!("cases.json")).unwrap();
        assert_eq!(cases.len(), 73);
        for case in &cases {
            let text = |value: &Value| value.as_str().unwrap().replace("{stage}", "local");
            let request = &case["request"];
            let body = match (&request["body"], &request["body_hex"]) {
                (Value::String(body), _) => Bytes::from(body.clone()),
                (_, Value::String(hex)) => from_hex(hex),
                _ => Bytes::new(),
            };
            let content_type = request["content_type"].as_str().map(|value| ("content-type", value));
            let headers: Vec<_> = content_type.into_iter().collect();
            let reply = app.send_to(&text(&request["method"]), &text(&request["path"]), &headers, body).await;
            let (id, expect) = (&case["id"], &case["expect"]);
            assert_eq!(expect["code"], reply.code, "{id}");
            if !expect["msg"].is_null() {
                assert_eq!(text(&expect["msg"]), reply.msg, "{id}");
            }
            if !expect["data"].is_null() {
                assert_eq!(expect["data"], reply.data, "{id}");
            }
            for key in expect["data_keys"].as_array().into_iter().flatten() {
                assert!(!reply.data[text(key)].is_null(), "{id}");
            }
        }
    })
    .await;
}

fn from_hex(hex: &str) -> Bytes {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect::<Vec<_>>().into()
}
