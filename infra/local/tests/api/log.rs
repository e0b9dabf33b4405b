//! The log: one line a request, without what is secret. Every other test looks for secrets too, when it ends.

use serde_json::json;

use crate::bed::{applicant, on_a_stage};

#[tokio::test]
async fn a_request_leaves_one_line_without_its_secrets() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        let mut body = applicant(&phone, &code);
        body["user_name"] = json!("a\n[2026-01-01] [INFO] forged");
        body["13812345678"] = json!("a key that is a phone");
        let refused = bed.post("/user/register", &body).await;
        body["user_name"] = json!("secret name");
        let made = bed.post("/user/register", &body).await;
        assert_eq!((refused.code, made.code), (11001, 0));
        for (reply, code) in [(refused, 11001), (made, 0)] {
            let lines = bed.log(&reply.request_id).await;
            assert_eq!(lines.len(), 1);
            let line = &lines[0];
            assert_eq!((&line["code"], &line["stage"]), (&json!(code), &json!("local")));
            assert_eq!(line["path"], "/local/iwc/badge/user/register");
            assert_eq!(line["phone"], format!("+86{}****{}", &phone[..3], &phone[7..]));
            assert_eq!(line["params"], json!(["user_name", "gender", "birth_day", "phone", "veri_code"]));
            for name in ["time", "level", "function", "request_id", "method", "cold", "duration_ms"] {
                assert!(!line[name].is_null(), "{name}");
            }
        }
        let logs = bed.logs();
        for absent in ["forged", "secret name", "13812345678", "1990-01-02"] {
            assert!(!logs.contains(absent), "{absent}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_secret_in_a_path_a_query_or_a_header_is_not_logged() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let secret = "3fAbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg";
        bed.keep_secret(secret);
        bed.send("GET", &format!("/user/{phone}/{secret}?phone={phone}"), &[], "").await;
        let headers = [("authorization", secret), ("cookie", "__sid__=3fAbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg")];
        bed.send("GET", &format!("/user/index?cursor={secret}&phone={phone}"), &headers, "").await;
        bed.send("POST", "/user/login", &[], format!("{{\"{secret}\": 1, \"phone\": \"{phone}x\"}}")).await;
    })
    .await;
}
