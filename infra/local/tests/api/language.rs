//! The language of sentences. Codes are the same in both.

use serde_json::json;

use support::{TestApp, code, with_app};

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
