//! Known devices: what they may do that strangers may not, and what they may not.

use serde_json::{Value, json};

use support::{PREFIX, Reply, TestApp, applicant, code, other_than, send, with_app};

/// A request for a code, on a known device or not.
async fn ask(app: &TestApp, phone: &str, device: Option<&str>) -> Reply {
    app.post_from("/user/veri_code", "203.0.113.7", device, &json!({ "phone": phone })).await
}

async fn log_in(app: &TestApp, phone: &str, veri_code: &str, device: Option<&str>) -> Reply {
    app.post_from("/user/login", "203.0.113.7", device, &json!({ "phone": phone, "veri_code": veri_code })).await
}

/// The code of the newest message, which is the `nth` to this phone.
async fn newest(app: &TestApp, phone: &str, nth: usize) -> String {
    let code = app.messages(phone, nth).await[0]["code"].as_str().unwrap().to_owned();
    app.add_secret(&code);
    code
}

#[tokio::test]
async fn registering_and_signing_in_make_a_device_known() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let cookies = async |path: &str, body: &Value| {
            let url = app.url(&format!("{PREFIX}{path}"));
            let response = send("POST", &url, &[], body.to_string()).await;
            let cookies = response.headers.get_all("set-cookie").iter();
            let cookies: Vec<_> = cookies.map(|cookie| cookie.to_str().unwrap().to_owned()).collect();
            let device = response.json()["data"]["device"].as_str().unwrap().to_owned();
            app.add_secret(&device);
            (cookies, format!("__did__={device}; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax"))
        };
        let (given, expected) = cookies("/user/register", &applicant(&phone, &code)).await;
        assert_eq!(given, [expected]);
        app.advance(61).await;
        let code = app.code(&phone, 2).await;
        let (given, expected) = cookies("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        assert!(given.len() == 2 && given[0].starts_with("__sid__=") && given[1] == expected, "{given:?}");
    })
    .await;
}

#[tokio::test]
async fn strangers_cannot_close_a_phone_for_its_owner() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        let phone = app.phone();
        let device = app.known_device(&phone).await;
        assert_eq!(ask(app, &phone, None).await.code, 0);
        let code = newest(app, &phone, 2).await;
        let wrong = other_than(&code);
        for _ in 0..20 {
            assert_eq!(log_in(app, &phone, &wrong, None).await.code, code::VERI_CODE_WRONG);
        }
        assert_eq!(log_in(app, &phone, &code, None).await.code, code::TOO_MANY_REQUESTS);
        assert_eq!(log_in(app, &phone, &code, Some(&device)).await.code, 0, "strangers' tries do not end it for her");
        app.advance(61).await;
        assert_eq!(ask(app, &phone, None).await.code, code::TOO_MANY_REQUESTS);
        assert_eq!(ask(app, &phone, Some(&device)).await.code, 0);
        let code = newest(app, &phone, 3).await;
        let body = json!({ "phone": phone, "veri_code": code }).to_string();
        let cookie = format!("a=1; __did__={device}");
        assert_eq!(app.send("POST", "/user/login", &[("cookie", &cookie)], body).await.code, 0, "by cookie, too");
    })
    .await;
}

#[tokio::test]
async fn strangers_cannot_use_up_the_messages_of_an_owner() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        let phone = app.phone();
        let device = app.known_device(&phone).await;
        for _ in 0..9 {
            ask(app, &phone, None).await;
            app.advance(61).await;
        }
        ask(app, &phone, None).await;
        assert_eq!(ask(app, &phone, None).await.code, code::TOO_MANY_REQUESTS);
        let asked = ask(app, &phone, Some(&device)).await;
        assert_eq!((asked.code, &asked.data["retry_after"]), (0, &json!(60)), "not even a cool-down of theirs");
    })
    .await;
}

#[tokio::test]
async fn known_devices_have_ten_tries_and_five_messages_a_day() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        let phone = app.phone();
        let device = app.known_device(&phone).await;
        for n in 0..5 {
            assert_eq!(ask(app, &phone, Some(&device)).await.code, 0, "{n}");
            let again = ask(app, &phone, Some(&device)).await;
            assert_eq!(again.code, code::TOO_MANY_REQUESTS, "{n}");
            assert_eq!(again.data["retry_after"].as_u64().unwrap() <= 60, n < 4, "{n}: {again:?}");
            app.advance(61).await;
        }
        assert_eq!(ask(app, &phone, Some(&device)).await.code, code::TOO_MANY_REQUESTS);
        assert_eq!(ask(app, &phone, None).await.code, 0, "as a stranger she is one of many");
        let code = newest(app, &phone, 7).await;
        let wrong = other_than(&code);
        for _ in 0..10 {
            assert_eq!(log_in(app, &phone, &wrong, Some(&device)).await.code, code::VERI_CODE_WRONG);
        }
        let closed = log_in(app, &phone, &code, Some(&device)).await;
        assert_eq!(closed.code, code::TOO_MANY_REQUESTS);
        assert_eq!(log_in(app, &phone, &code, None).await.code, 0, "the tries of devices are not those of strangers");
        app.advance(closed.data["retry_after"].as_u64().unwrap()).await;
        assert_eq!(ask(app, &phone, Some(&device)).await.code, 0);
        let code = newest(app, &phone, 8).await;
        assert_eq!(log_in(app, &phone, &code, Some(&device)).await.code, 0, "until midnight");
    })
    .await;
}

#[tokio::test]
async fn a_device_is_known_for_its_own_phone() {
    with_app(async |app| {
        let (phone, other) = (app.phone(), app.phone());
        let (device, of_another) = (app.known_device(&phone).await, app.known_device(&other).await);
        let forged = format!("{}{}", if device.starts_with('A') { 'B' } else { 'A' }, &device[1..]);
        let is_known = async |device: &str| {
            // A stranger has just had a message, and would have to wait.
            ask(app, &phone, None).await;
            ask(app, &phone, Some(device)).await.code == 0
        };
        for unknown in [of_another.as_str(), &forged, "", "undefined", &device[1..], &device.repeat(2)] {
            assert!(!is_known(unknown).await, "{unknown}");
        }
        assert!(is_known(&device).await);
    })
    .await;
}

#[tokio::test]
async fn a_device_of_an_older_epoch_or_of_an_earlier_user_is_a_stranger_at_login() {
    with_app(async |app| {
        let phone = app.phone();
        let device = app.known_device(&phone).await;
        let key = json!({ "phone": { "S": format!("+86{phone}") } });
        let set = async |expression: &str, value: Value| {
            let update = json!({ "TableName": "badge-local-users", "Key": key, "UpdateExpression": expression,
                "ExpressionAttributeValues": { ":value": value } });
            app.dynamodb("UpdateItem", &update).await;
        };
        assert_eq!(ask(app, &phone, None).await.code, 0);
        let code = newest(app, &phone, 2).await;
        for _ in 0..5 {
            assert_eq!(log_in(app, &phone, &other_than(&code), None).await.code, code::VERI_CODE_WRONG);
        }
        let user_id = app.inspect(&format!("users?phone={phone}")).await["users"][0]["id"].clone();
        set("SET epoch = :value", json!({ "N": "1" })).await;
        assert_eq!(log_in(app, &phone, &code, Some(&device)).await.code, code::VERI_CODE_WRONG);
        set("SET epoch = :value", json!({ "N": "0" })).await;
        set("SET id = :value", json!({ "S": "019a0000-0000-7000-8000-000000000000" })).await;
        assert_eq!(log_in(app, &phone, &code, Some(&device)).await.code, code::VERI_CODE_WRONG);
        set("SET id = :value", json!({ "S": user_id })).await;
        let known = log_in(app, &phone, &code, Some(&device)).await;
        assert_eq!(known.code, 0, "the code was over for strangers alone");
    })
    .await;
}

#[tokio::test]
async fn a_device_signs_nobody_in() {
    with_app(async |app| {
        let device = app.known_device(&app.phone()).await;
        let (cookies, bearer) = (format!("__did__={device}; __sid__={device}"), format!("Bearer {device}"));
        for header in [("cookie", cookies.as_str()), ("x-device", &device), ("authorization", &device)] {
            assert_eq!(app.send("GET", "/user/index", &[header], "").await.code, code::NOT_LOGIN);
        }
        assert_eq!(app.send("GET", "/user/index", &[("authorization", &bearer)], "").await.code, code::NO_AUTH);
    })
    .await;
}

#[tokio::test]
async fn of_several_devices_the_one_of_the_phone_counts() {
    with_app(async |app| {
        let (phone, other) = (app.phone(), app.phone());
        let (own, foreign) = (app.known_device(&phone).await, app.known_device(&other).await);
        assert_eq!(ask(app, &phone, None).await.code, 0);
        assert_eq!(ask(app, &phone, None).await.code, code::TOO_MANY_REQUESTS, "strangers wait");
        let junk = "A".repeat(own.len());
        let body = json!({ "phone": phone }).to_string();
        let planted = format!("__did__={junk}; __did__={foreign}; __did__={own}");
        let sent = app.send("POST", "/user/veri_code", &[("cookie", &planted)], body.clone()).await;
        assert_eq!(sent.code, 0, "the owner does not");
        app.advance(61).await;
        let headers = [("x-device", foreign.as_str()), ("cookie", &format!("__did__={own}"))];
        assert_eq!(ask(app, &phone, None).await.code, 0);
        assert_eq!(app.send("POST", "/user/veri_code", &headers, body).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_device_of_an_older_epoch_is_sent_no_more_than_a_stranger() {
    with_app(async |app| {
        let (phone, who) = app.user().await;
        app.advance(61).await;
        let code = app.code(&phone, 3).await;
        let login = app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        let old = login.data["device"].as_str().unwrap().to_owned();
        app.advance(61).await;
        assert_eq!(ask(app, &phone, None).await.code, 0);
        assert_eq!(ask(app, &phone, Some(&old)).await.code, 0, "it has a cool-down of its own");
        let end = json!({ "others": true }).to_string();
        assert_eq!(app.send("POST", "/user/end_sessions", &[("authorization", &who.sid)], end).await.code, 0);
        app.advance(61).await;
        assert_eq!(ask(app, &phone, None).await.code, 0);
        assert_eq!(ask(app, &phone, Some(&old)).await.code, code::TOO_MANY_REQUESTS, "a stranger now");
    })
    .await;
}

/// The number had another user, whose epoch was higher.
#[tokio::test]
async fn a_device_of_an_earlier_owner_does_not_hide_that_of_the_owner() {
    with_app(async |app| {
        let (phone, first) = app.user().await;
        app.advance(61).await;
        let code = app.code(&phone, 3).await;
        assert_eq!(app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await.code, 0);
        let end = json!({ "others": true }).to_string();
        assert_eq!(app.send("POST", "/user/end_sessions", &[("authorization", &first.sid)], end).await.code, 0);
        app.advance(61).await;
        let code = app.code(&phone, 4).await;
        let login = app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        let earlier = login.data["device"].as_str().unwrap().to_owned();
        app.change_rights(&phone, "delete").await;
        app.advance(61).await;
        let made = app.post("/user/register", &applicant(&phone, &app.code(&phone, 5).await)).await;
        let own = made.data["device"].as_str().unwrap().to_owned();
        app.advance(61).await;
        assert_eq!(ask(app, &phone, None).await.code, 0);
        assert_eq!(ask(app, &phone, Some(&earlier)).await.code, code::TOO_MANY_REQUESTS, "a stranger");
        let headers = [("x-device", earlier.as_str()), ("cookie", &format!("__did__={own}"))];
        let body = json!({ "phone": phone }).to_string();
        assert_eq!(app.send("POST", "/user/veri_code", &headers, body).await.code, 0, "the owner need not wait");
    })
    .await;
}
