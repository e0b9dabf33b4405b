//! Settings that cannot work stop the cold start, and the log says which.

use std::fs;

use serde_json::{Value, json};

use crate::bed::{Bed, Opening, on_a_stage_with};
use crate::client;

/// A request to a function that does not start; what its log says.
async fn refusal_to_start(bed: &Bed) -> String {
    let url = format!("{}/local/iwc/badge/user/login", bed.stage.url());
    let answer = client::send("POST", &url, &[], "{}".into()).await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (500, &br#"{"message":"Internal Server Error"}"#[..]));
    let invocations = bed.door("GET", "invocations?function=login", "").await;
    assert_eq!(invocations[0]["outcome"], "init_error");
    invocations[0]["log"].to_string()
}

#[tokio::test]
async fn a_setting_that_cannot_work_stops_the_cold_start_by_name() {
    for (from, to, key) in [
        ("time_zone", "tiem_zone = \"x\"\ntime_zone", "tiem_zone"),
        ("tries = 5", "tries = 0", "veri_code.tries"),
        ("ttl_secs = 86400", "ttl_secs = \"a day\"", "ttl_secs"),
        ("[secrets]", "[secrets]\nother = \"x\"", "other"),
        ("badge/local/jwt", "badge/local/absent", "badge/local/absent"),
    ] {
        let change = |settings: &str| {
            assert!(settings.contains(from), "{from}");
            settings.replacen(from, to, 1)
        };
        on_a_stage_with(change, async |bed| {
            let log = refusal_to_start(bed).await;
            assert!(log.contains(key), "{log}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_weak_key_stops_the_cold_start_by_name() {
    let weak = json!({ "kid": "k1", "key": "only thirty-one bytes long key!" }).to_string();
    let secret = json!({ "value": weak, "version": "1", "created": 0 });
    let opening = Opening::new();
    fs::create_dir(opening.folder().join("state")).unwrap();
    let secrets: Value = json!({ "badge/local/jwt": secret });
    fs::write(opening.folder().join("state/secrets.json"), secrets.to_string()).unwrap();
    opening
        .run(async |bed| {
            let log = refusal_to_start(bed).await;
            assert!(log.contains("badge/local/jwt") && log.contains("32 bytes") && !log.contains("thirty"), "{log}");
        })
        .await;
}
