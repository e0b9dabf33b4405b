//! What many do at the same moment happens once.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use support::{applicant, code, send, with_app};

const REQUESTS: usize = 1000;

/// Sends all bodies at once; how often each code came, and the data of the successes.
async fn rush(url: String, bodies: Vec<Value>) -> (BTreeMap<i64, usize>, Vec<Value>) {
    let url = Arc::new(url);
    let running: Vec<_> = bodies
        .into_iter()
        .map(|body| {
            let url = Arc::clone(&url);
            tokio::spawn(async move {
                let answer = send("POST", &url, &[], body.to_string()).await;
                let value: Value = serde_json::from_slice(&answer.body).unwrap();
                (value["code"].as_i64().unwrap(), value["data"].clone())
            })
        })
        .collect();
    let mut codes = BTreeMap::new();
    let mut successes = Vec::new();
    for one in running {
        let (code, data) = one.await.unwrap();
        *codes.entry(code).or_default() += 1;
        if code == 0 {
            successes.push(data);
        }
    }
    (codes, successes)
}

#[tokio::test]
async fn a_thousand_registrations_of_one_phone_make_one_user() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let bodies = (0..REQUESTS)
            .map(|n| {
                let mut body = applicant(&phone, &code);
                body["user_name"] = json!(format!("user {n}"));
                body
            })
            .collect();
        let url = format!("{}/local/iwc/badge/user/register", app.emulator.url());
        let (codes, _) = rush(url, bodies).await;
        assert_eq!(codes, BTreeMap::from([(0, 1), (code::PHONE_TAKEN, REQUESTS - 1)]));
    })
    .await;
}

#[tokio::test]
async fn a_thousand_repetitions_of_one_registration_get_one_user() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let url = format!("{}/local/iwc/badge/user/register", app.emulator.url());
        let (codes, users) = rush(url, vec![applicant(&phone, &code); REQUESTS]).await;
        assert_eq!(codes, BTreeMap::from([(0, REQUESTS)]));
        assert!(users.iter().all(|user| user == &users[0]));
        app.advance(61).await;
        let sid = app.log_in(&phone).await.sid;
        let index = app.send("GET", "/user/index", &[("authorization", &sid)], "").await;
        assert_eq!(index.data.as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_thousand_logins_with_one_code_make_one_session() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let code = app.code(&phone, 2).await;
        let url = format!("{}/local/iwc/badge/user/login", app.emulator.url());
        let (codes, _) = rush(url, vec![json!({ "phone": phone, "veri_code": code }); REQUESTS]).await;
        assert_eq!(codes, BTreeMap::from([(0, 1), (code::VERI_CODE_WRONG, REQUESTS - 1)]));
    })
    .await;
}

#[tokio::test]
async fn a_thousand_requests_for_a_code_send_one_message() {
    with_app(async |app| {
        let phone = app.phone();
        let url = format!("{}/local/iwc/badge/user/veri_code", app.emulator.url());
        let (codes, _) = rush(url, vec![json!({ "phone": phone }); REQUESTS]).await;
        assert_eq!(codes, BTreeMap::from([(0, 1), (code::TOO_MANY_REQUESTS, REQUESTS - 1)]));
        assert_eq!(app.messages(&phone, 1).await.len(), 1);
    })
    .await;
}
