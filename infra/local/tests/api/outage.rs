//! Backends that refuse or hang: an envelope in time, nothing lost, and service again with the next call.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bed::{Bed, Reply, applicant, on_a_stage_behind_lines};
use crate::line::Mode;

/// The contract's bound on every answer.
const IN_TIME: Duration = Duration::from_millis(2500);

async fn in_time(what: &str, reply: impl Future<Output = Reply>) -> i64 {
    let begin = Instant::now();
    let code = reply.await.code;
    assert!(begin.elapsed() < IN_TIME, "{what}: {:?}", begin.elapsed());
    code
}

/// What must be answered without a backend.
async fn needs_no_backend(bed: &Bed) {
    assert_eq!(bed.post("/user/login", &json!({})).await.code, 11001);
    assert_eq!(bed.post("/user/register", &json!({ "phone": "x" })).await.code, 11001);
    assert_eq!(bed.send("GET", "/user/index", &[], "").await.code, 10006);
    assert_eq!(bed.send("GET", "/user/index", &[("authorization", "jwt a.b.c")], "").await.code, 10005);
    assert_eq!(bed.send("GET", "/user/nothing", &[], "").await.code, 51404);
    assert_eq!(bed.send("PUT", "/user/login", &[], "").await.code, 51405);
}

#[tokio::test]
async fn a_cache_that_is_down_is_told_as_such_and_nothing_else_suffers() {
    on_a_stage_behind_lines(async |bed, cache, _| {
        let somebody = bed.somebody().await;
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        let jwt = format!("jwt {}", somebody.token);
        let (session, token) = ([("authorization", somebody.sid.as_str())], [("authorization", jwt.as_str())]);
        for mode in [Mode::Cut, Mode::Hang] {
            cache.set(mode);
            // Some functions are warm and lose their connection, some start now and never had one.
            for _ in 0..2 {
                assert_eq!(in_time("by token", bed.send("GET", "/user/index", &token, "")).await, 0);
                assert_eq!(in_time("index", bed.send("GET", "/user/index", &session, "")).await, 15004);
                assert_eq!(in_time("logout", bed.send("POST", "/user/logout", &session, "")).await, 15004);
                let (applicant, attempt) = (applicant(&phone, &code), json!({ "phone": phone, "veri_code": code }));
                assert_eq!(in_time("register", bed.post("/user/register", &applicant)).await, 15004);
                assert_eq!(in_time("login", bed.post("/user/login", &attempt)).await, 15004);
            }
            let wish = json!({ "phone": bed.phone() });
            let refused = bed.post("/user/veri_code", &wish).await;
            assert_eq!(refused.code, 15004, "without limits nothing is sent");
            let line = bed.log(&refused.request_id).await.remove(0);
            assert_eq!(line["level"], "ERROR");
            assert!(line["error"].as_str().unwrap().starts_with("redis: "), "{line}");
            needs_no_backend(bed).await;
            cache.set(Mode::Pass);
            assert_eq!(bed.send("GET", "/user/index", &session, "").await.code, 0, "with the next call");
        }
        let made = bed.post("/user/register", &applicant(&phone, &code)).await;
        assert_eq!(made.code, 0, "a fault of ours burns no code");
    })
    .await;
}

#[tokio::test]
async fn a_table_that_is_down_burns_no_code() {
    on_a_stage_behind_lines(async |bed, _, dynamodb| {
        let somebody = bed.somebody().await;
        let session = [("authorization", somebody.sid.as_str())];
        for mode in [Mode::Cut, Mode::Hang] {
            let phone = bed.phone();
            let code = bed.code(&phone, 1).await;
            let attempt = json!({ "phone": phone, "veri_code": code });
            dynamodb.set(mode);
            for _ in 0..2 {
                assert_eq!(in_time("register", bed.post("/user/register", &applicant(&phone, &code))).await, 15003);
                assert_eq!(
                    in_time("login", bed.post("/user/login", &attempt)).await,
                    11003,
                    "claimed by a registration"
                );
                assert_eq!(in_time("index", bed.send("GET", "/user/index", &session, "")).await, 15003);
            }
            needs_no_backend(bed).await;
            dynamodb.set(Mode::Pass);
            assert_eq!(bed.post("/user/register", &applicant(&phone, &code)).await.code, 0, "{mode:?}");
            assert_eq!(bed.send("GET", "/user/index", &session, "").await.code, 0);

            bed.advance(61).await;
            let code = bed.code(&phone, 2).await;
            let attempt = json!({ "phone": phone, "veri_code": code });
            dynamodb.set(mode);
            assert_eq!(in_time("login", bed.post("/user/login", &attempt)).await, 15003);
            dynamodb.set(Mode::Pass);
            assert_eq!(bed.post("/user/login", &attempt).await.code, 0, "{mode:?}");
        }
    })
    .await;
}
