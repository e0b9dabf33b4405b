//! A cache in cluster mode: no command may span two slots. `make test-cluster` runs every test of this folder on one.

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use stage::CacheMode;

use crate::bed::Opening;

#[tokio::test]
async fn a_cluster_serves_all_that_users_and_jobs_do() {
    Opening::new()
        .options(|options| options.cache = CacheMode::Cluster)
        .run(async |bed| {
            let url = bed.stage.cache_url();
            let stream = TcpStream::connect(url.strip_prefix("redis://").unwrap()).await.unwrap();
            let mut stream = BufReader::new(stream);
            stream.write_all(b"MGET a b\r\n").await.unwrap();
            let mut refusal = String::new();
            stream.read_line(&mut refusal).await.unwrap();
            assert_eq!(refusal.trim_end(), "-CROSSSLOT Keys in request don't hash to the same slot");

            // Codes, sessions and counters of two people, so of two slots.
            for _ in 0..2 {
                let somebody = bed.somebody().await;
                let session = [("authorization", somebody.sid.as_str())];
                assert_eq!(bed.send("GET", "/user/index", &session, "").await.code, 0);
                assert_eq!(bed.send("POST", "/user/logout", &session, "").await.code, 0);
                assert_eq!(bed.send("GET", "/user/index", &session, "").await.code, 10006);
            }
            // Figures are read from all slots at once.
            bed.advance(86_400).await;
            let daily = bed.door("POST", "schedules/daily", "").await;
            assert_eq!(daily["outcome"], json!("ok"), "{daily}");
        })
        .await;
}
