//! More messages at once than the provider takes: `send_concurrency` makes them wait in Lambda's queue.

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{TestAppBuilder, code, eventually};

const BURST: usize = 6;

#[tokio::test]
async fn a_burst_of_messages_waits_and_none_fails() {
    let builder = TestAppBuilder::new().parameter("SendConcurrency", "1");
    builder
        .run(async |app| {
            app.fail(&json!({ "sms": { "mode": "slow", "ms": 100 } })).await;
            let phones: Vec<_> = (0..BURST).map(|_| app.phone()).collect();
            let bodies: Vec<_> = phones.iter().map(|phone| json!({ "phone": phone })).collect();
            let replies = join_all(bodies.iter().map(|body| app.post("/user/veri_code", body))).await;
            assert!(replies.iter().all(|reply| reply.code == code::OK), "{replies:?}");
            for phone in &phones {
                app.messages(phone, 1).await;
            }
            // The last message is there a moment before its call has ended.
            let sends = eventually("every call has ended", async || {
                let sends = app.inspect("invocations?function=send_sms").await.as_array().unwrap().clone();
                (sends.len() >= BURST).then_some(sends)
            })
            .await;
            // One sandbox has done it all, one message after the other, each at the first attempt.
            assert_eq!(sends.len(), BURST, "{sends:?}");
            assert_eq!(sends.iter().filter(|one| !one["init_ms"].is_null()).count(), 1, "{sends:?}");
            assert!(sends.iter().all(|one| one["outcome"] == "ok" && one["attempt"] == 1), "{sends:?}");
            assert_eq!(app.dead_letters().await, Vec::<Value>::new());
        })
        .await;
}
