//! `POST /user/register`.

use serde_json::{Value, json};

use crate::bed::{Bed, applicant, on_a_stage, other_than};

async fn register(bed: &Bed, body: &Value) -> (i64, Value) {
    let reply = bed.post("/user/register", body).await;
    (reply.code, reply.data)
}

#[tokio::test]
async fn the_same_request_again_gets_the_same_success() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        let first = register(bed, &applicant(&phone, &code)).await;
        assert_eq!(first.0, 0);
        assert_eq!(register(bed, &applicant(&phone, &code)).await, first);
        let respelled = applicant(&format!("+86 {phone}"), &code);
        assert_eq!(register(bed, &respelled).await, first, "another spelling is the same request");
    })
    .await;
}

#[tokio::test]
async fn another_request_with_the_code_is_told_that_the_phone_is_taken() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        register(bed, &applicant(&phone, &code)).await;
        for (name, value) in [("user_name", json!("李四")), ("gender", json!(2)), ("city", json!("310000"))] {
            let mut other = applicant(&phone, &code);
            other[name] = value;
            assert_eq!(register(bed, &other).await.0, 11002, "{name}");
        }
        bed.advance(61).await;
        let next = bed.code(&phone, 2).await;
        assert_ne!(next, code, "a used code is not sent again");
        assert_eq!(register(bed, &applicant(&phone, &next)).await.0, 11002);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_registered_does_not_sign_in() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        register(bed, &applicant(&phone, &code)).await;
        let reply = bed.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        assert_eq!(reply.code, 11003);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_code_makes_nobody() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        assert_eq!(register(bed, &applicant(&phone, "123456")).await.0, 11003, "never sent");
        let code = bed.code(&phone, 1).await;
        assert_eq!(register(bed, &applicant(&phone, &other_than(&code))).await.0, 11003, "wrong");
        let other_phone = bed.phone();
        assert_eq!(register(bed, &applicant(&other_phone, &code)).await.0, 11003, "of another phone");
        bed.advance(301).await;
        assert_eq!(register(bed, &applicant(&phone, &code)).await.0, 11003, "expired");
    })
    .await;
}

#[tokio::test]
async fn a_code_is_good_to_its_last_second() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        bed.advance(290).await;
        assert_eq!(register(bed, &applicant(&phone, &code)).await.0, 0);
    })
    .await;
}

#[tokio::test]
async fn numbers_may_come_as_numbers() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        let mut body = applicant(&phone, &code);
        body["phone"] = json!(phone.parse::<u64>().unwrap());
        body["gender"] = json!("2");
        body["province"] = json!(310_000);
        body["unknown"] = json!({ "is": "ignored" });
        assert_eq!(register(bed, &body).await.0, 0);
    })
    .await;
}

#[tokio::test]
async fn every_bad_parameter_is_named_with_its_reason() {
    on_a_stage(async |bed| {
        let body = json!({
            "user_name": "n".repeat(33), "gender": 3, "birth_day": "1990-02-30", "phone": "010 6552 9988",
            "veri_code": 12345, "province": "p".repeat(17), "city": ["x"]
        });
        let reply = bed.post("/user/register", &body).await;
        assert_eq!(reply.code, 11001);
        assert_eq!(reply.msg, "user_name,gender,birth_day,phone,veri_code,province,city参数无效");
        let names: Vec<_> = reply.data.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names.len(), 7);
    })
    .await;
}

#[tokio::test]
async fn the_last_of_duplicate_keys_counts_and_the_query_does_not() {
    on_a_stage(async |bed| {
        let twice = r#"{"phone": "x", "phone": ""}"#;
        assert_eq!(bed.send("POST", "/user/login?phone=13800138000", &[], twice).await.msg, "phone参数有缺失");
    })
    .await;
}
