//! `POST /user/register`.

use serde_json::{Value, json};

use support::{TestApp, applicant, code, other_than, with_app};

async fn register(app: &TestApp, body: &Value) -> (i64, Value) {
    let reply = app.post("/user/register", body).await;
    (reply.code, reply.data)
}

#[tokio::test]
async fn the_same_request_again_gets_the_same_success() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let first = register(app, &applicant(&phone, &code)).await;
        assert_eq!(first.0, 0);
        assert_eq!(register(app, &applicant(&phone, &code)).await, first);
        let respelled = applicant(&format!("+86 {phone}"), &code);
        assert_eq!(register(app, &respelled).await, first, "another spelling is the same request");
    })
    .await;
}

#[tokio::test]
async fn the_same_request_gets_the_same_success_for_a_day_and_counts_nothing() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let request = applicant(&phone, &code);
        let (_, first) = register(app, &request).await;
        assert!(first["device"].is_string());
        app.advance(301).await;
        let repeated = (0, json!({ "user_id": first["user_id"] }));
        for _ in 0..25 {
            assert_eq!(register(app, &request).await, repeated, "after the code's time it has no device");
        }
        app.code(&phone, 2).await;
        for _ in 0..25 {
            assert_eq!(register(app, &request).await, repeated, "beside a newer code");
        }
        app.advance(86_000 - 301).await;
        assert_eq!(register(app, &request).await, repeated);
        app.advance(401).await;
        assert_eq!(register(app, &request).await.0, code::VERI_CODE_WRONG, "after 24 hours");
    })
    .await;
}

#[tokio::test]
async fn a_receipt_of_a_disabled_account_is_none() {
    with_app(async |app| {
        let phone = app.phone();
        let request = applicant(&phone, &app.code(&phone, 1).await);
        assert_eq!(register(app, &request).await.0, 0);
        for (change, expected) in
            [("disable", code::ACCOUNT_DISABLED), ("delete", code::ACCOUNT_DISABLED), ("enable", code::VERI_CODE_WRONG)]
        {
            app.change_rights(&phone, change).await;
            app.advance(301).await;
            assert_eq!(register(app, &request).await.0, expected, "{change}");
        }
    })
    .await;
}

#[tokio::test]
async fn another_request_is_a_wrong_try_as_long_as_a_receipt_stands() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let request = applicant(&phone, &code);
        assert_eq!(register(app, &request).await.0, 0);
        app.advance(301).await;
        let mut other = request.clone();
        other["user_name"] = json!("李四");
        for body in [&other, &applicant(&phone, &other_than(&code))].into_iter().cycle().take(20) {
            assert_eq!(register(app, body).await.0, code::VERI_CODE_WRONG);
        }
        for body in [&other, &request] {
            assert_eq!(register(app, body).await.0, code::TOO_MANY_REQUESTS, "the phone is closed");
        }
    })
    .await;
}

#[tokio::test]
async fn a_receipt_ends_with_its_account() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let request = applicant(&phone, &code);
        assert_eq!(register(app, &request).await.0, 0);
        app.advance(301).await;
        let key = json!({ "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } } });
        app.dynamodb("DeleteItem", &key).await;
        assert_eq!(register(app, &request).await.0, code::VERI_CODE_WRONG);
    })
    .await;
}

#[tokio::test]
async fn a_code_of_a_refused_registration_signs_in() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let code = app.code(&phone, 2).await;
        assert_eq!(register(app, &applicant(&phone, &code)).await.0, code::PHONE_TAKEN);
        let attempt = json!({ "phone": phone, "veri_code": code });
        assert_eq!(app.post("/user/login", &attempt).await.code, 0);
        assert_eq!(app.post("/user/login", &attempt).await.code, code::VERI_CODE_WRONG);
    })
    .await;
}

#[tokio::test]
async fn another_request_with_the_code_gets_phone_taken() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        register(app, &applicant(&phone, &code)).await;
        for (name, value) in [("user_name", json!("李四")), ("gender", json!(2)), ("city", json!("310000"))] {
            let mut other = applicant(&phone, &code);
            other[name] = value;
            assert_eq!(register(app, &other).await.0, code::PHONE_TAKEN, "{name}");
        }
        app.advance(61).await;
        let next = app.code(&phone, 2).await;
        assert_ne!(next, code, "a used code is not sent again");
        assert_eq!(register(app, &applicant(&phone, &next)).await.0, code::PHONE_TAKEN);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_registered_does_not_sign_in() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        register(app, &applicant(&phone, &code)).await;
        let reply = app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        assert_eq!(reply.code, code::VERI_CODE_WRONG);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_code_creates_no_user() {
    with_app(async |app| {
        let phone = app.phone();
        assert_eq!(register(app, &applicant(&phone, "123456")).await.0, code::VERI_CODE_WRONG, "never sent");
        let code = app.code(&phone, 1).await;
        assert_eq!(register(app, &applicant(&phone, &other_than(&code))).await.0, code::VERI_CODE_WRONG, "wrong");
        let other_phone = app.phone();
        assert_eq!(register(app, &applicant(&other_phone, &code)).await.0, code::VERI_CODE_WRONG, "of another phone");
        app.advance(301).await;
        assert_eq!(register(app, &applicant(&phone, &code)).await.0, code::VERI_CODE_WRONG, "expired");
    })
    .await;
}

#[tokio::test]
async fn a_code_is_good_to_its_last_second() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        app.advance(270).await;
        assert_eq!(register(app, &applicant(&phone, &code)).await.0, 0);
    })
    .await;
}

#[tokio::test]
async fn numbers_may_come_as_numbers() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let mut body = applicant(&phone, &code);
        body["phone"] = json!(phone.parse::<u64>().unwrap());
        body["gender"] = json!("2");
        body["province"] = json!(310_000);
        body["unknown"] = json!({ "is": "ignored" });
        assert_eq!(register(app, &body).await.0, 0);
    })
    .await;
}

#[tokio::test]
async fn every_bad_parameter_is_named_with_its_reason() {
    with_app(async |app| {
        let body = json!({
            "user_name": "n".repeat(33), "gender": 3, "birth_day": "1990-02-30", "phone": "010 6552 9988",
            "veri_code": 12345, "province": "p".repeat(17), "city": ["x"]
        });
        let reply = app.post("/user/register", &body).await;
        assert_eq!(reply.code, code::PARAMS_INVALID);
        assert_eq!(reply.msg, "user_name,gender,birth_day,phone,veri_code,province,city参数无效");
        let names: Vec<_> = reply.data.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names.len(), 7);
    })
    .await;
}

#[tokio::test]
async fn the_last_of_duplicate_keys_counts_and_the_query_does_not() {
    with_app(async |app| {
        let twice = r#"{"phone": "x", "phone": ""}"#;
        assert_eq!(app.send("POST", "/user/login?phone=13800138000", &[], twice).await.msg, "phone参数有缺失");
    })
    .await;
}
