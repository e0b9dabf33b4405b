//! The log: one line a request, without what is secret. Every other test looks for secrets too, when it ends.

mod libraries;
mod runtime_api;

use serde_json::{Value, json};

use support::{TestApp, TestAppBuilder, applicant, code, with_app};

#[tokio::test]
async fn a_request_leaves_one_line_without_its_secrets() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let mut body = applicant(&phone, &code);
        body["user_name"] = json!("a\n[2026-01-01] [INFO] forged");
        body["13812345678"] = json!("a key that is a phone");
        let refused = app.post("/user/register", &body).await;
        body["user_name"] = json!("secret name");
        let made = app.post("/user/register", &body).await;
        assert_eq!((refused.code, made.code), (code::PARAMS_INVALID, 0));
        for (reply, code) in [(refused, code::PARAMS_INVALID), (made, 0)] {
            let lines = app.log(&reply.request_id).await;
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
        let logs = app.logs();
        for absent in ["forged", "secret name", "13812345678", "1990-01-02"] {
            assert!(!logs.contains(absent), "{absent}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_line_of_a_signed_in_caller_says_who_by_what_and_from_where() {
    with_app(async |app| {
        let phone = app.phone();
        let user_id = app.register(&phone).await;
        let code = app.code(&phone, 2).await;
        let login = app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        let (sid, jwt) = (login.sid().unwrap(), format!("jwt {}", login.data["token"].as_str().unwrap()));
        let line = async |method: &str, path: &str, headers: &[(&str, &str)]| {
            let reply = app.send(method, path, headers, "").await;
            app.log(&reply.request_id).await.remove(0)
        };
        let (one, other) = (("x-stage-source-ip", "198.51.100.7"), ("x-stage-source-ip", "198.51.100.8"));
        let by_session = line("GET", "/user/index", &[("authorization", &sid), one]).await;
        let by_token = line("GET", "/user/index", &[("authorization", &jwt), one]).await;
        let elsewhere = line("GET", "/user/index", &[("authorization", &jwt), other]).await;
        let leaves = line("POST", "/user/logout", &[("authorization", &sid), one]).await;
        let enters = app.log(&login.request_id).await.remove(0);
        for (line, credential) in [
            (&enters, "veri_code"),
            (&by_session, "session"),
            (&by_token, "jwt"),
            (&elsewhere, "jwt"),
            (&leaves, "session"),
        ] {
            let found = (&line["user_id"], &line["role"], &line["credential"]);
            assert_eq!(found, (&json!(user_id), &json!("user"), &json!(credential)), "{line}");
            assert_eq!(line["network"].as_str().unwrap().len(), 16, "{line}");
        }
        assert_eq!((&by_session["network"], &leaves["network"]), (&by_token["network"], &by_token["network"]));
        assert_ne!(by_token["network"], elsewhere["network"]);
        assert!(!app.logs().contains("198.51.100."));
        let stranger = line("GET", "/user/index", &[]).await;
        assert!(
            ["user_id", "role", "credential", "network"].iter().all(|name| stranger[*name].is_null()),
            "{stranger}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_secret_in_a_path_a_query_or_a_header_is_not_logged() {
    with_app(async |app| {
        let phone = app.phone();
        let secret = "3fAbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg";
        app.add_secret(secret);
        app.send("GET", &format!("/user/{phone}/{secret}?phone={phone}"), &[], "").await;
        let headers = [("authorization", secret), ("cookie", "__sid__=3fAbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg")];
        app.send("GET", &format!("/user/index?cursor={secret}&phone={phone}"), &headers, "").await;
        app.send("POST", "/user/login", &[], format!("{{\"{secret}\": 1, \"phone\": \"{phone}x\"}}")).await;
    })
    .await;
}

/// Every line of every function.
fn lines(app: &TestApp) -> Vec<Value> {
    let files = std::fs::read_dir(app.repository.file("logs")).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|file| file.file_name().unwrap().to_str().unwrap().starts_with("badge-"));
    let text = files.map(|file| std::fs::read_to_string(file).unwrap()).collect::<Vec<_>>().concat();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The characters of a text that are letters or digits, digits of other scripts as ASCII, and nothing between them.
fn without_separators(text: &str) -> String {
    let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    let scripts = ['\u{ff10}', '\u{660}', '\u{6f0}', '\u{966}'];
    let digit =
        |c: char| scripts.iter().find_map(|zero| u32::from(c).checked_sub(u32::from(*zero)).filter(|n| *n < 10));
    let ascii = |c: char| digit(c).and_then(|digit| char::from_digit(digit, 10)).unwrap_or(c);
    text.chars().map(ascii).filter(|c| c.is_alphanumeric()).collect()
}

#[tokio::test]
async fn a_phone_in_a_path_is_not_logged_however_it_is_written() {
    with_app(async |app| {
        let phone = "13800138000";
        let spellings = [
            "138-0013-8000",
            "138.0013.8000",
            "138%200013%208000",
            "(138)0013-8000",
            "%28138%29%200013-8000",
            "+86-138-0013-8000",
            "+86%20138%200013%208000",
            "0086138.0013.8000",
            "138_0013_8000",
            "138~0013~8000",
            "138%C2%A00013%C2%A08000",
            "138%E2%80%910013%E2%80%918000",
            "138%2D0013%2D8000",
            "1-3-8-0-0-1-3-8-0-0-0",
            "a138-0013-8000b",
            "138-0013-8000.json",
            "%EF%BC%91%EF%BC%93%EF%BC%98%EF%BC%90%EF%BC%90%EF%BC%91%EF%BC%93%EF%BC%98%EF%BC%90%EF%BC%90%EF%BC%90",
            "%D9%A1%D9%A3%D9%A8%D9%A0%D9%A0%D9%A1%D9%A3%D9%A8%D9%A0%D9%A0%D9%A0",
        ];
        let mut found = Vec::new();
        for spelling in spellings {
            assert!(without_separators(spelling).contains(phone), "{spelling}");
            let reply = app.send("GET", &format!("/user/{spelling}"), &[], "").await;
            assert_eq!(reply.code, code::NOT_FOUND, "{spelling}");
            // API Gateway decodes a path, function URLs do not.
            let mut event: Value = serde_json::from_str(include_str!("front/function_url.json")).unwrap();
            event["rawPath"] = format!("/local/iwc/badge/user/{spelling}").into();
            let answer = app.invoke_function("fallback", &event).await;
            let raw_id = answer["headers"]["x-request-id"].as_str().unwrap();
            for request_id in [&reply.request_id, raw_id] {
                let line = app.log(request_id).await.pop().unwrap();
                assert!(line["path"].as_str().unwrap().starts_with("/local/iwc/badge/user/"), "{line}");
                if without_separators(&line.to_string()).contains(phone) {
                    found.push(line["path"].clone());
                }
            }
        }
        assert!(found.is_empty(), "{found:#?}");
        let logs = app.logs();
        assert!(logs.lines().all(|line| !without_separators(line).contains(phone)));
    })
    .await;
}

#[tokio::test]
async fn a_path_without_a_phone_is_logged_as_it_is() {
    with_app(async |app| {
        for path in ["/user/nothing", "/v1.2/users-all/12345", "/user/a1b2c3"] {
            let reply = app.send("GET", path, &[], "").await;
            let line = app.log(&reply.request_id).await.pop().unwrap();
            assert_eq!(line["path"], format!("/local/iwc/badge{path}"));
        }
    })
    .await;
}

#[tokio::test]
async fn at_the_level_error_only_what_has_failed_leaves_a_line() {
    let opening = TestAppBuilder::new().variable("AWS_LAMBDA_LOG_LEVEL", "ERROR");
    opening
        .run(async |app| {
            let asks = json!({ "phone": app.phone() });
            let good = app.post("/user/veri_code", &asks).await;
            let refused = app.post("/user/veri_code", &json!({})).await;
            assert_eq!((good.code, refused.code), (0, code::PARAMS_INVALID));
            assert_eq!((app.log(&good.request_id).await.len(), app.log(&refused.request_id).await.len()), (0, 0));
            app.fail(&json!({ "redis": { "mode": "refuse" } })).await;
            let failed = app.post("/user/veri_code", &json!({ "phone": app.phone() })).await;
            assert_eq!(failed.code, code::REDIS_ERROR);
            let lines = app.log(&failed.request_id).await;
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert_eq!((&lines[0]["level"], &lines[0]["code"]), (&json!("ERROR"), &json!(code::REDIS_ERROR)));
        })
        .await;
}
