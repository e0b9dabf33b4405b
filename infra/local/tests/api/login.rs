//! `POST /user/login`, and the session that it opens.

use serde_json::{Value, json};

use support::{applicant, code, other_than, with_app};

#[tokio::test]
async fn a_login_gives_a_session_and_a_token() {
    with_app(async |app| {
        let phone = app.phone();
        let user_id = app.register(&phone).await;
        let code = app.code(&phone, 2).await;
        let reply = app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        assert_eq!((reply.code, &reply.data["user_id"], &reply.data["expires_in"]), (0, &json!(user_id), &json!(1200)));
        let cookie = reply.cookie.clone().unwrap();
        let sid = reply.sid().unwrap();
        assert_eq!(cookie, format!("__sid__={sid}; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"));
        assert!(sid.len() >= 43);
    })
    .await;
}

#[tokio::test]
async fn a_used_code_is_refused() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let code = app.code(&phone, 2).await;
        let attempt = json!({ "phone": phone, "veri_code": code });
        assert_eq!(app.post("/user/login", &attempt).await.code, 0);
        assert_eq!(app.post("/user/login", &attempt).await.code, code::VERI_CODE_WRONG);
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, code::VERI_CODE_WRONG);
    })
    .await;
}

#[tokio::test]
async fn a_right_code_without_a_user_says_so_and_stays_good_for_a_registration() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        assert_eq!(
            app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await.code,
            code::USER_NOT_FOUND
        );
        let wrong = json!({ "phone": phone, "veri_code": other_than(&code) });
        assert_eq!(
            app.post("/user/login", &wrong).await.code,
            code::VERI_CODE_WRONG,
            "a wrong code tells nothing about the user"
        );
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_session_is_always_a_new_one() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let code = app.code(&phone, 2).await;
        let planted = format!("00{}", "A".repeat(43));
        let cookie = format!("__sid__={planted}");
        let body = json!({ "phone": phone, "veri_code": code }).to_string();
        let reply = app.send("POST", "/user/login", &[("cookie", &cookie), ("authorization", &planted)], body).await;
        assert_eq!(reply.code, 0);
        assert_ne!(reply.sid().unwrap(), planted);
        assert_eq!(app.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code, code::NOT_LOGIN);
    })
    .await;
}

#[tokio::test]
async fn a_session_enters_by_cookie_and_by_header_and_is_renewed() {
    with_app(async |app| {
        let sid = app.somebody().await.sid;
        let (cookie, quoted) = (format!("__sid__={sid}"), format!("$Version=\"1\"; __sid__=\"{sid}\";$Path=\"/\""));
        let unknown = format!("__sid__=00{}", "A".repeat(43));
        let ways: [&[(&str, &str)]; 5] = [
            &[("cookie", &cookie)],
            &[("cookie", &quoted)],
            &[("authorization", &sid)],
            &[("cookie", &unknown), ("authorization", &sid)],
            &[("cookie", "__sid__=null; a=b"), ("authorization", &sid)],
        ];
        for headers in ways {
            app.advance(80_000).await;
            let reply = app.send("GET", "/user/index", headers, "").await;
            assert_eq!((reply.code, reply.sid().as_deref()), (0, Some(sid.as_str())), "{headers:?}");
        }
        app.advance(3601).await;
        let refused = app.send("GET", "/user/index?limit=0", &[("cookie", &cookie)], "").await;
        assert_eq!(
            (refused.code, refused.sid().as_deref()),
            (code::PARAMS_INVALID, Some(sid.as_str())),
            "a refusal renews it too"
        );
        app.advance(86_401).await;
        assert_eq!(
            app.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code,
            code::NOT_LOGIN,
            "it ends unused"
        );
    })
    .await;
}

#[tokio::test]
async fn a_refused_login_takes_25_ms_whether_or_not_the_phone_has_a_user() {
    with_app(async |app| {
        let (registered, unknown) = (app.phone(), app.phone());
        app.register(&registered).await;
        for phone in [&registered, &unknown].into_iter().cycle().take(10) {
            let refused = app.post("/user/login", &json!({ "phone": phone, "veri_code": "000000" })).await;
            assert_eq!(refused.code, code::VERI_CODE_WRONG);
            let took = app.log(&refused.request_id).await[0]["duration_ms"].as_f64().unwrap();
            assert!(took >= 25.0, "a refusal leaves at a multiple of 25 ms: {took}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_stranger_is_not_logged_in() {
    with_app(async |app| {
        let unknown = format!("00{}", "A".repeat(43));
        let cookie = format!("__sid__={unknown}");
        let ways: [&[(&str, &str)]; 7] = [
            &[],
            &[("cookie", &cookie)],
            &[("authorization", &unknown)],
            &[("authorization", "jwt")],
            &[("authorization", "jwt ")],
            &[("authorization", "Basic dTpw")],
            &[("cookie", "__sid__=")],
        ];
        for headers in ways {
            for (method, path) in [("GET", "/user/index"), ("POST", "/user/logout")] {
                let reply = app.send(method, path, headers, "").await;
                assert_eq!((reply.code, reply.cookie), (code::NOT_LOGIN, None), "{path} {headers:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_cache_holds_no_session_id() {
    with_app(async |app| {
        let sid = app.somebody().await.sid;
        let keys = keys(&app.emulator.cache_url()).await;
        assert!(keys.contains(":session:"), "{keys}");
        assert!(!keys.contains(&sid[2..]), "{keys}");
        assert!(keys.lines().filter(|line| line.starts_with("iwc:")).count() >= 3, "{keys}");
    })
    .await;
}

async fn keys(url: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(url.strip_prefix("redis://").unwrap()).await.unwrap();
    stream.write_all(b"KEYS *\r\nQUIT\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn missing_parameters_are_named_one_at_a_time() {
    with_app(async |app| {
        for (body, msg) in [
            (json!({}), "phone参数有缺失"),
            (json!({ "veri_code": "123456" }), "phone参数有缺失"),
            (json!({ "phone": "13800138000" }), "veri_code参数有缺失"),
            (json!({ "phone": "13800138000", "veri_code": Value::Null }), "veri_code参数有缺失"),
        ] {
            let reply = app.post("/user/login", &body).await;
            assert_eq!((reply.code, reply.msg.as_str(), reply.data), (code::PARAMS_INVALID, msg, json!("")));
        }
    })
    .await;
}
