//! `POST /user/login`, and the session that it opens.

use serde_json::{Value, json};

use crate::bed::{applicant, on_a_stage, other_than};

#[tokio::test]
async fn a_login_gives_a_session_and_a_token() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let user_id = bed.register(&phone).await;
        let code = bed.code(&phone, 2).await;
        let reply = bed.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
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
    on_a_stage(async |bed| {
        let phone = bed.phone();
        bed.register(&phone).await;
        let code = bed.code(&phone, 2).await;
        let attempt = json!({ "phone": phone, "veri_code": code });
        assert_eq!(bed.post("/user/login", &attempt).await.code, 0);
        assert_eq!(bed.post("/user/login", &attempt).await.code, 11003);
        assert_eq!(bed.post("/user/register", &applicant(&phone, &code)).await.code, 11003);
    })
    .await;
}

#[tokio::test]
async fn a_right_code_without_a_user_says_so_and_stays_good_for_a_registration() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        assert_eq!(bed.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await.code, 11004);
        let wrong = json!({ "phone": phone, "veri_code": other_than(&code) });
        assert_eq!(bed.post("/user/login", &wrong).await.code, 11003, "a wrong code tells nothing about the user");
        assert_eq!(bed.post("/user/register", &applicant(&phone, &code)).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_session_is_always_a_new_one() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        bed.register(&phone).await;
        let code = bed.code(&phone, 2).await;
        let planted = format!("00{}", "A".repeat(43));
        let cookie = format!("__sid__={planted}");
        let body = json!({ "phone": phone, "veri_code": code }).to_string();
        let reply = bed.send("POST", "/user/login", &[("cookie", &cookie), ("authorization", &planted)], body).await;
        assert_eq!(reply.code, 0);
        assert_ne!(reply.sid().unwrap(), planted);
        assert_eq!(bed.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code, 10006);
    })
    .await;
}

#[tokio::test]
async fn a_session_enters_by_cookie_and_by_header_and_is_renewed() {
    on_a_stage(async |bed| {
        let sid = bed.somebody().await.sid;
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
            let reply = bed.send("GET", "/user/index", headers, "").await;
            assert_eq!((reply.code, reply.sid().as_deref()), (0, Some(sid.as_str())), "{headers:?}");
            bed.advance(80_000).await;
        }
        let refused = bed.send("GET", "/user/index?limit=0", &[("cookie", &cookie)], "").await;
        assert_eq!((refused.code, refused.sid().as_deref()), (11001, Some(sid.as_str())), "a refusal renews it too");
        bed.advance(86_401).await;
        assert_eq!(bed.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code, 10006, "it ends unused");
    })
    .await;
}

#[tokio::test]
async fn a_stranger_is_not_logged_in() {
    on_a_stage(async |bed| {
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
                let reply = bed.send(method, path, headers, "").await;
                assert_eq!((reply.code, reply.cookie), (10006, None), "{path} {headers:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_cache_holds_no_session_id() {
    on_a_stage(async |bed| {
        let sid = bed.somebody().await.sid;
        let keys = keys(&bed.stage.cache_url()).await;
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
    on_a_stage(async |bed| {
        for (body, msg) in [
            (json!({}), "phone参数有缺失"),
            (json!({ "veri_code": "123456" }), "phone参数有缺失"),
            (json!({ "phone": "13800138000" }), "veri_code参数有缺失"),
            (json!({ "phone": "13800138000", "veri_code": Value::Null }), "veri_code参数有缺失"),
        ] {
            let reply = bed.post("/user/login", &body).await;
            assert_eq!((reply.code, reply.msg.as_str(), reply.data), (11001, msg, json!("")));
        }
    })
    .await;
}
