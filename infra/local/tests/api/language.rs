//! The language of sentences. Codes are the same in both.

use serde_json::json;

use crate::bed::{Bed, on_a_stage};

async fn ask(bed: &Bed, language: &str, path: &str, body: &str) -> (i64, String) {
    let reply = bed.send("POST", path, &[("accept-language", language)], body.to_owned()).await;
    (reply.code, reply.msg)
}

#[tokio::test]
async fn sentences_are_chinese_unless_english_is_preferred() {
    on_a_stage(async |bed| {
        for (path, body, code, zh, en) in [
            ("/user/register", "", 11001, "请求体必须是JSON对象", "the request body must be a JSON object"),
            ("/user/login", "{}", 11001, "phone参数有缺失", "missing parameter: phone"),
            ("/user/logout", "", 10006, "用户未登录", "not logged in"),
            (
                "/user/login",
                r#"{"phone": "13900009999", "veri_code": "000000"}"#,
                11003,
                "验证码错误或已过期",
                "verification code is wrong or has expired",
            ),
        ] {
            assert_eq!(ask(bed, "zh-CN,en;q=0.5", path, body).await, (code, zh.to_owned()));
            assert_eq!(ask(bed, "en-US,zh;q=0.5", path, body).await, (code, en.to_owned()));
            assert_eq!(bed.send("POST", path, &[], body).await.msg, zh);
        }
    })
    .await;
}

#[tokio::test]
async fn reasons_are_told_in_the_same_language() {
    on_a_stage(async |bed| {
        let body = r#"{"phone": "1", "veri_code": "x"}"#;
        let reply = bed.send("POST", "/user/login", &[("accept-language", "en")], body).await;
        assert_eq!(reply.msg, "invalid parameters: phone,veri_code");
        assert_eq!(reply.data, json!({ "phone": "is not a valid phone number", "veri_code": "must be 6 digits" }));
        let reply = bed.send("POST", "/user/login", &[], body).await;
        assert_eq!(reply.msg, "phone,veri_code参数无效");
        assert_eq!(reply.data, json!({ "phone": "不是有效的手机号", "veri_code": "必须是6位数字" }));
    })
    .await;
}
