//! What people type and paste, and what clients make of it: phones, codes, numbers, names and bodies.

use serde_json::{Value, json};

use support::{Reply, TestApp, applicant, code, for_crowds, other_than, with_app, with_settings};

async fn post(app: &TestApp, path: &str, body: String) -> Reply {
    app.send("POST", path, &[("content-type", "application/json")], body).await
}

/// The digits of a text in another script, whose zero is given.
fn in_script(text: &str, zero: char) -> String {
    let digit = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(u32::from(zero) + digit));
    text.chars().map(|c| digit(c).unwrap_or(c)).collect()
}

#[tokio::test]
async fn a_phone_is_read_as_people_paste_it() {
    with_settings(for_crowds, async |app| {
        let spell: [fn(&str) -> String; 16] = [
            |n| format!("＋{}", in_script(&format!("86{n}"), '０')),
            |n| in_script(&format!("0086{n}"), '０'),
            |n| in_script(n, '٠'),
            |n| in_script(n, '०'),
            |n| format!("（＋８６）{}", in_script(n, '０')),
            |n| format!("\u{202a}+86 {n}\u{202c}"),
            |n| format!("{}\u{200c}{}", &n[..3], &n[3..]),
            |n| format!("{}\u{fe0d}{}", &n[..3], &n[3..]),
            |n| format!("{}\u{200e}{}", &n[..3], &n[3..]),
            |n| format!("{}\u{202f}{}\u{2009}{}", &n[..3], &n[3..7], &n[7..]),
            |n| format!("{}\u{a0}{}\u{3000}{}", &n[..3], &n[3..7], &n[7..]),
            |n| format!("{}‑{}–{}", &n[..3], &n[3..7], &n[7..]),
            |n| format!("tel:{n}"),
            |n| format!("tel:+86-{n}"),
            |n| format!(" Tel: +86 {n} "),
            |n| format!("\u{feff}{n}"),
        ];
        for spell in spell {
            let phone = app.phone();
            let spelling = spell(&phone);
            let reply = app.post("/user/veri_code", &json!({ "phone": spelling })).await;
            assert_eq!(reply.code, 0, "{spelling:?}: {reply:?}");
            assert_eq!(app.messages(&phone, 1).await[0]["phone"], format!("+86{phone}"), "{spelling:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_phone_that_could_mean_something_else_is_refused() {
    with_app(async |app| {
        for spelling in [
            "13800138000 ext. 5",
            "13800138000转5",
            "13800138000;ext=5",
            "tel:+8613800138000;ext=5",
            "tel:13800138000;phone-context=+86",
            "13800138000#5",
            "13800138000,5",
            "13800138000/13900139000",
            "13800138000 13900139000",
            "13800138000、13900139000",
            "+8613800138000+8613900139000",
            "1-800-FLOWERS",
            "一三八〇〇一三八〇〇〇",
            "①3800138000",
            "13800138000\n",
            "\t13800138000",
            "138\u{0}00138000",
            "138\u{85}00138000",
            &format!("13800138000{}", " ".repeat(30)),
        ] {
            let reply = app.post("/user/veri_code", &json!({ "phone": spelling })).await;
            assert_eq!((reply.code, reply.msg.as_str()), (code::PARAMS_INVALID, "phone参数无效"), "{spelling:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_number_is_an_integer_by_its_value() {
    with_app(async |app| {
        // As a number a code keeps no leading zero.
        let (phone, veri_code) = loop {
            let phone = app.phone();
            let code = app.code(&phone, 1).await;
            if !code.starts_with('0') {
                break (phone, code);
            }
        };
        let body = |number: &str| {
            format!(
                r#"{{"user_name": "张三", "gender": 1.0, "birth_day": "1990-01-02", "phone": {number}, "veri_code": {veri_code}.0,
                "city": 310100.0}}"#
            )
        };
        for wrong in ["1.5", "1e400", "-13800138000.0", "13800138000.5"] {
            assert_eq!(post(app, "/user/register", body(wrong)).await.msg, "phone参数无效", "{wrong}");
        }
        assert_eq!(post(app, "/user/register", body(&format!("{phone}.0"))).await.code, 0);
        let sid = app.somebody().await.sid;
        let rows = app.send("GET", "/user/index", &[("authorization", &sid)], "").await.data;
        let cities = rows.as_array().unwrap().iter().map(|row| (row["gender"].clone(), row["city"].clone()));
        assert!(cities.into_iter().any(|row| row == (json!(1), json!("310100"))), "{rows}");
        // 1.38e10 is a number of the numbering plan.
        let reply = post(app, "/user/login", r#"{"phone": 1.38e10, "veri_code": 123456.0}"#.to_owned()).await;
        assert_eq!(reply.code, code::VERI_CODE_WRONG);
    })
    .await;
}

#[tokio::test]
async fn a_code_is_read_as_people_paste_it() {
    with_app(async |app| {
        let phone = app.phone();
        let right = app.code(&phone, 1).await;
        let (head, tail) = right.split_at(3);
        // A right code of a phone without a user stays good.
        for text in [
            format!(" {right}"),
            format!("{head} {tail}"),
            format!("{head}-{tail}\n"),
            format!("{head}–{tail}"),
            format!("{head}\u{202f}{tail}\u{a0}"),
            format!("\u{200e}{head}\u{200b}{tail}\u{200e}"),
            in_script(&right, '０'),
            in_script(&right, '٠'),
            in_script(&right, '०'),
        ] {
            app.add_secret(&text);
            let reply = app.post("/user/login", &json!({ "phone": phone, "veri_code": text })).await;
            assert_eq!(reply.code, code::USER_NOT_FOUND, "{text:?}");
        }
        for text in ["12345", "1234567", "12345a", "123.456", "12345六", "12345²", "- -"] {
            let reply = app.post("/user/login", &json!({ "phone": phone, "veri_code": text })).await;
            assert_eq!((reply.code, reply.msg.as_str()), (code::PARAMS_INVALID, "veri_code参数无效"), "{text:?}");
        }
        let mut pasted = applicant(&phone, &format!(" {head}-{tail} "));
        assert_eq!(app.post("/user/register", &pasted).await.code, 0);
        pasted["veri_code"] = json!(right);
        assert_eq!(app.post("/user/register", &pasted).await.code, 0, "the same request in another spelling");
        pasted["veri_code"] = json!(other_than(&right));
        assert_ne!(app.post("/user/register", &pasted).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_name_is_seen_and_does_not_turn_others_around() {
    with_app(async |app| {
        let phone = app.phone();
        let veri_code = app.code(&phone, 1).await;
        let mut body = applicant(&phone, &veri_code);
        for name in [
            "\u{200b}",
            "\u{3164}",
            "\u{2800}",
            "\u{200b}\u{3164}\u{2800}",
            "\u{200d}\u{fe0f}",
            "\u{202e}cba",
            "a\u{202e}",
            "a\u{2066}b\u{2069}",
            "a\u{61c}",
            "a\u{200f}",
            "a\u{7}",
        ] {
            body["user_name"] = json!(name);
            let reply = app.post("/user/register", &body).await;
            assert_eq!((reply.code, reply.msg.as_str()), (code::PARAMS_INVALID, "user_name参数无效"), "{name:?}");
            body["user_name"] = json!("张三");
            body["city"] = json!(name);
            assert_eq!(app.post("/user/register", &body).await.msg, "city参数无效", "{name:?}");
            body["city"] = json!("");
        }
        body["user_name"] = json!("👨\u{200d}👩\u{200d}👧 می\u{200c}خواهم");
        assert_eq!(app.post("/user/register", &body).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn half_a_character_is_named_and_not_the_whole_body() {
    with_app(async |app| {
        let body = r#"{"user_name": "abc\ud83d", "gender": 1, "birth_day": "1990-01-02", "phone": "13800138000",
            "veri_code": "123456"}"#;
        let reply = post(app, "/user/register", body.to_owned()).await;
        assert_eq!((reply.code, reply.msg.as_str()), (code::PARAMS_INVALID, "user_name参数无效"));
        assert!(reply.data["user_name"].is_string(), "{reply:?}");
        for (body, msg) in [
            (r#"{"phone": 1e400}"#, "phone参数无效"),
            (r#"{"phone": "13800138000", "phone": 1e400}"#, "phone参数无效"),
            (r#"{"phone": 1e400, "phone": ""}"#, "phone参数有缺失"),
        ] {
            assert_eq!(post(app, "/user/veri_code", body.to_owned()).await.msg, msg, "{body}");
        }
    })
    .await;
}

#[tokio::test]
async fn unknown_keys_are_ignored_whatever_stands_behind_them() {
    with_app(async |app| {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        for (name, value) in [
            ("x", "1e400"),
            ("x", "-1e999"),
            ("x", r#""\ud83d""#),
            ("x", r#"{"a": ["\udc00"]}"#),
            ("x", deep.as_str()),
            (r"\ud800", "1"),
            ("Phone", "1e400"),
        ] {
            let phone = app.phone();
            let body = format!(r#"{{"{name}": {value}, "phone": "{phone}", "{name}2": {value}}}"#);
            assert_eq!(post(app, "/user/veri_code", body).await.code, 0, "{name}: {value:.20}");
        }
        let phone = app.phone();
        assert_eq!(post(app, "/user/veri_code", format!("\u{feff}{{\"phone\": \"{phone}\"}}")).await.code, 0);
        for broken in
            ["\u{feff}", "\u{feff}\u{feff}{}", r#"{"x": NaN, "phone": "1"}"#, r#"{"x": 01}"#, r#"{"x": "\x"}"#]
        {
            let reply = post(app, "/user/veri_code", broken.to_owned()).await;
            assert_eq!(reply.msg, "请求体必须是JSON对象", "{broken}");
            assert_eq!(reply.data, Value::from(""));
        }
    })
    .await;
}

#[tokio::test]
async fn a_role_in_a_body_does_nothing() {
    with_app(async |app| {
        let phone = app.phone();
        let mut body = applicant(&phone, &app.code(&phone, 1).await);
        for (name, value) in [
            ("role", json!("admin")),
            ("is_delete", json!(1)),
            ("id", json!("x")),
            ("shard", json!(3)),
            ("epoch", json!(9)),
        ] {
            body[name] = value;
        }
        assert_eq!(app.post("/user/register", &body).await.code, 0);
        let get = json!({ "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } } });
        let row = app.dynamodb("GetItem", &get).await["Item"].clone();
        assert_eq!(
            (&row["role"]["S"], &row["is_delete"]["N"], &row["shard"]["N"]),
            (&json!("user"), &json!("0"), &json!("0"))
        );
        assert!(row["id"]["S"].as_str().unwrap().len() == 36 && row["epoch"].is_null(), "{row}");
    })
    .await;
}
