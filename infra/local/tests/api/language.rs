//! The language of sentences. Codes are the same in both.

use serde_json::json;

use support::{TestApp, code, with_app, with_settings};

async fn ask(app: &TestApp, language: &str, path: &str, body: &str) -> (i64, String) {
    let reply = app.send("POST", path, &[("accept-language", language)], body.to_owned()).await;
    (reply.code, reply.msg)
}

#[tokio::test]
async fn sentences_are_chinese_unless_english_is_preferred() {
    with_app(async |app| {
        for (path, body, code, zh, en) in [
            (
                "/user/register",
                "",
                code::PARAMS_INVALID,
                "请求体必须是JSON对象",
                "the request body must be a JSON object",
            ),
            ("/user/login", "{}", code::PARAMS_INVALID, "phone参数有缺失", "missing parameter: phone"),
            ("/user/logout", "", code::NOT_LOGIN, "用户未登录", "not logged in"),
            (
                "/user/login",
                r#"{"phone": "13900009999", "veri_code": "000000"}"#,
                code::VERI_CODE_WRONG,
                "验证码错误或已过期",
                "verification code is wrong or has expired",
            ),
        ] {
            assert_eq!(ask(app, "zh-CN,en;q=0.5", path, body).await, (code, zh.to_owned()));
            assert_eq!(ask(app, "en-US,zh;q=0.5", path, body).await, (code, en.to_owned()));
            assert_eq!(app.send("POST", path, &[], body).await.msg, zh);
        }
    })
    .await;
}

#[tokio::test]
async fn reasons_are_in_the_same_language() {
    with_app(async |app| {
        let body = r#"{"phone": "1", "veri_code": "x"}"#;
        let reply = app.send("POST", "/user/login", &[("accept-language", "en")], body).await;
        assert_eq!(reply.msg, "invalid parameters: phone,veri_code");
        assert_eq!(reply.data, json!({ "phone": "is not a valid phone number", "veri_code": "must be 6 digits" }));
        let reply = app.send("POST", "/user/login", &[], body).await;
        assert_eq!(reply.msg, "phone,veri_code参数无效");
        assert_eq!(reply.data, json!({ "phone": "不是有效的手机号", "veri_code": "必须是6位数字" }));
    })
    .await;
}

#[tokio::test]
async fn weights_are_read_as_rfc_9110_says() {
    with_app(async |app| {
        for (accept, is_english) in [
            ("zh;Q=0.1, en;Q=0.9", true),
            ("zh;q=0, *", true),
            ("en;q=0, *", false),
            ("zh ; q=0.2 , en ; q=0.1", false),
            ("fr, *;q=0.5", false),
            ("*", false),
        ] {
            let (_, msg) = ask(app, accept, "/user/login", "{}").await;
            assert_eq!(msg == "missing parameter: phone", is_english, "{accept}: {msg}");
        }
    })
    .await;
}

/// The message that a request in this language sends, with its code taken out.
async fn message(app: &TestApp, language: Option<&str>) -> String {
    let phone = app.phone();
    let headers: Vec<_> = language.map(|language| ("accept-language", language)).into_iter().collect();
    let reply = app.send("POST", "/user/veri_code", &headers, json!({ "phone": phone }).to_string()).await;
    assert_eq!(reply.code, 0, "{reply:?}");
    let message = app.messages(&phone, 1).await.remove(0);
    let code = message["code"].as_str().unwrap();
    app.add_secret(code);
    message["text"].as_str().unwrap().replace(code, "…")
}

#[tokio::test]
async fn a_message_is_in_the_language_of_the_request() {
    with_app(async |app| {
        let chinese = "【badge】验证码…，5分钟内有效，请勿告诉他人。";
        let english = "[badge] Your code is …. It is good for 5 min. Do not share it.";
        for (language, text) in
            [(None, chinese), (Some("zh-CN"), chinese), (Some("en-GB,en;q=0.9"), english), (Some("fr"), chinese)]
        {
            assert_eq!(message(app, language).await, text, "{language:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_language_without_a_text_gets_the_chinese_one() {
    let without_english = |settings: &str| {
        let lines: Vec<_> = settings.lines().filter(|line| !line.starts_with("en = ")).collect();
        // One of each kind of message.
        assert_eq!(lines.len() + 3, settings.lines().count());
        lines.join("\n").replace("{minutes}分钟内有效", "{minutes}分钟有效")
    };
    with_settings(without_english, async |app| {
        assert_eq!(message(app, Some("en")).await, "【badge】验证码…，5分钟有效，请勿告诉他人。");
    })
    .await;
}
