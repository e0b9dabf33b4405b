//! Settings that cannot work stop the cold start, and the log says which; backends that are down do not.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::bed::{Bed, applicant, on_a_stage, on_a_stage_after};
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

fn edit(folder: &Path, from: &str, to: &str) {
    let file = folder.join("conf/local.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
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
        on_a_stage_after(
            |folder| edit(folder, from, to),
            async |bed| {
                let log = refusal_to_start(bed).await;
                assert!(log.contains(key), "{log}");
            },
        )
        .await;
    }
}

#[tokio::test]
async fn a_weak_key_stops_the_cold_start_by_name() {
    let weak = json!({ "kid": "k1", "key": "only thirty-one bytes long key!" }).to_string();
    let secret = json!({ "value": weak, "version": "1", "created": 0 });
    on_a_stage_after(
        |folder| {
            fs::create_dir(folder.join("state")).unwrap();
            let secrets: Value = json!({ "badge/local/jwt": secret });
            fs::write(folder.join("state/secrets.json"), secrets.to_string()).unwrap();
        },
        async |bed| {
            let log = refusal_to_start(bed).await;
            assert!(log.contains("badge/local/jwt") && log.contains("32 bytes") && !log.contains("thirty"), "{log}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_cache_that_dies_is_told_as_such_and_nothing_else_suffers() {
    on_a_stage(async |bed| {
        let somebody = bed.somebody().await;
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        shut_down_cache(bed).await;
        // Warm sandboxes lose their connection; functions that start now never had one.
        let jwt = format!("jwt {}", somebody.token);
        for _ in 0..2 {
            assert_eq!(bed.send("GET", "/user/index", &[("authorization", &jwt)], "").await.code, 0);
            assert_eq!(bed.send("GET", "/user/index", &[("authorization", &somebody.sid)], "").await.code, 15004);
            assert_eq!(bed.send("POST", "/user/logout", &[("authorization", &somebody.sid)], "").await.code, 15004);
            assert_eq!(bed.post("/user/veri_code", &json!({ "phone": bed.phone() })).await.code, 15004);
            assert_eq!(bed.post("/user/register", &applicant(&phone, &code)).await.code, 15004);
            assert_eq!(bed.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await.code, 15004);
        }
        assert_eq!(bed.post("/user/login", &json!({})).await.code, 11001);
        assert_eq!(bed.send("GET", "/user/index", &[], "").await.code, 10006);
        assert_eq!(bed.send("GET", "/user/nothing", &[], "").await.code, 51404);
        let refused = bed.post("/user/veri_code", &json!({ "phone": bed.phone() })).await;
        let line = bed.log(&refused.request_id).await.remove(0);
        assert_eq!(line["level"], "ERROR");
        assert!(line["error"].as_str().unwrap().starts_with("redis: "), "{line}");
    })
    .await;
}

async fn shut_down_cache(bed: &Bed) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let url = bed.stage.cache_url();
    let mut stream = tokio::net::TcpStream::connect(url.strip_prefix("redis://").unwrap()).await.unwrap();
    stream.write_all(b"SHUTDOWN NOSAVE NOW FORCE\r\n").await.unwrap();
    // The server closes the connection when it ends.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}
