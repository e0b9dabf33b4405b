//! `Idempotency-Key`: the same request, sent again, sends no second message.

use std::sync::Arc;

use serde_json::{Value, json};

use support::{Reply, TestApp, code, eventually, for_crowds, send, with_app, with_settings};

async fn ask(app: &TestApp, phone: &str, key: &str) -> Reply {
    app.send("POST", "/user/veri_code", &[("Idempotency-Key", key)], json!({ "phone": phone }).to_string()).await
}

#[tokio::test]
async fn the_same_key_gets_the_same_reply_for_a_day_and_no_second_message() {
    with_app(async |app| {
        let phone = app.phone();
        let first = ask(app, &phone, "8e03978e-40d5-43dd-bc93-6894a57f9324").await;
        assert_eq!((first.code, &first.data), (0, &json!({ "expires_in": 300, "retry_after": 60 })));
        for seconds in [0, 30, 60, 3600, 82_400] {
            app.advance(seconds).await;
            let again = ask(app, &phone, "8e03978e-40d5-43dd-bc93-6894a57f9324").await;
            assert_eq!((again.code, again.data), (0, first.data.clone()), "after {seconds} s more");
        }
        assert_eq!(app.messages(&phone, 1).await.len(), 1);
        app.advance(361).await;
        assert_eq!(ask(app, &phone, "8e03978e-40d5-43dd-bc93-6894a57f9324").await.code, 0);
        assert_eq!(app.messages(&phone, 2).await.len(), 2, "after 24 hours the key is new again");
    })
    .await;
}

#[tokio::test]
async fn another_key_is_another_request() {
    with_app(async |app| {
        let phone = app.phone();
        assert_eq!(ask(app, &phone, "one").await.code, 0);
        assert_eq!(ask(app, &phone, "two").await.code, code::TOO_MANY_REQUESTS);
        app.advance(61).await;
        assert_eq!(ask(app, &phone, "two").await.code, 0, "a refused request may be repeated under its key");
        assert_eq!(app.messages(&phone, 2).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_key_belongs_to_its_phone() {
    with_app(async |app| {
        let (phone, other) = (app.phone(), app.phone());
        for asked in [&phone, &other] {
            let reply = ask(app, asked, "one").await;
            assert_eq!((reply.code, reply.data), (0, json!({ "expires_in": 300, "retry_after": 60 })));
            assert_eq!(app.messages(asked, 1).await.len(), 1);
        }
        assert_eq!(ask(app, &format!("+86 {phone}"), "one").await.code, 0, "another spelling is the same request");
        assert_eq!(app.messages(&phone, 1).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    with_app(async |app| {
        let phone = app.phone();
        for key in ["", " ", &"k".repeat(256)] {
            let refused = ask(app, &phone, key).await;
            assert_eq!(
                (refused.code, refused.msg.as_str()),
                (code::PARAMS_INVALID, "idempotency_key参数无效"),
                "{key:?}"
            );
        }
        assert_eq!(ask(app, &phone, &"k".repeat(255)).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn two_requests_with_one_key_at_the_same_moment_send_one_message() {
    const PAIRS: usize = 1000;
    with_settings(for_crowds, async |app| {
        let url = Arc::new(format!("{}/local/iwc/badge/user/veri_code", app.emulator.url()));
        let phones: Vec<_> = (0..PAIRS).map(|_| app.phone()).collect();
        for few in phones.chunks(50) {
            let asked: Vec<_> = few
                .iter()
                .flat_map(|phone| [phone, phone])
                .map(|phone| {
                    let (url, phone) = (Arc::clone(&url), phone.clone());
                    tokio::spawn(async move {
                        let (key, body) = (format!("key of {phone}"), json!({ "phone": phone }).to_string());
                        let answer = send("POST", &url, &[("idempotency-key", &key)], body).await;
                        serde_json::from_slice::<Value>(&answer.body).unwrap()
                    })
                })
                .collect();
            for one in asked {
                let reply = one.await.unwrap();
                assert_eq!(reply["data"], json!({ "expires_in": 300, "retry_after": 60 }), "{reply}");
            }
        }
        for phone in &phones {
            assert_eq!(app.messages(phone, 1).await.len(), 1);
        }
        // A message is there before its invocation has ended.
        let invoked = eventually("each message has its invocation", async || {
            let invoked = app.inspect("invocations?function=send_sms&limit=5000").await.as_array().unwrap().len();
            (invoked >= PAIRS).then_some(invoked)
        });
        assert_eq!(invoked.await, PAIRS);
    })
    .await;
}
