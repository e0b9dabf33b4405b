//! A cache in cluster mode: no command may span two slots. `make test-cluster` runs every test of this folder on one.

use local::CacheMode;
use serde_json::json;

use support::{TestAppBuilder, code};

#[tokio::test]
async fn a_cluster_serves_all_that_users_and_jobs_do() {
    TestAppBuilder::new()
        .options(|options| options.cache = CacheMode::Cluster)
        .run(async |app| {
            let refusal = app.redis(&["MGET a b"]).await;
            assert_eq!(refusal, "-CROSSSLOT Keys in request don't hash to the same slot");

            // Codes, sessions and counters of two people, so of two slots.
            for _ in 0..2 {
                let somebody = app.somebody().await;
                let session = [("authorization", somebody.sid.as_str())];
                assert_eq!(app.send("GET", "/user/index", &session, "").await.code, 0);
                assert_eq!(app.send("POST", "/user/logout", &session, "").await.code, 0);
                assert_eq!(app.send("GET", "/user/index", &session, "").await.code, code::NOT_LOGIN);
            }
            // Figures are read from all slots at once.
            app.advance(86_400).await;
            let daily = app.control("POST", "schedules/daily", "").await;
            assert_eq!(daily["outcome"], json!("ok"), "{daily}");
        })
        .await;
}
