//! What pages of other sites can do through a visitor's browser, and what those of `cors_origins` can.

use serde_json::{Value, json};

use support::{PREFIX, TestApp, code, send, with_app, with_settings};

const APP: &str = "https://app.example";

/// Headers of a browser with a page of another site.
const FOREIGN: [&[(&str, &str)]; 5] = [
    &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site"), ("origin", APP)],
    &[("origin", "https://evil.example")],
    &[("origin", "null")],
];

fn with_cors(settings: &str) -> String {
    settings.replace("cors_origins = []", &format!("cors_origins = [\"{APP}\"]"))
}

#[tokio::test]
async fn a_page_of_another_site_is_refused_before_anything_happens() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let right = app.code(&phone, 2).await;
        let cookie = format!("__sid__={}", app.somebody().await.sid);
        let (victim, login) = (app.phone(), json!({ "phone": phone, "veri_code": right }).to_string());
        for of_page in FOREIGN {
            let headers = [of_page, &[("cookie", cookie.as_str()), ("content-type", "text/plain")]].concat();
            for (method, path, body) in [
                ("POST", "/user/veri_code", json!({ "phone": victim }).to_string()),
                ("POST", "/user/register", "{}".to_owned()),
                ("POST", "/user/login", login.clone()),
                ("POST", "/user/logout", String::new()),
                ("GET", "/user/index", String::new()),
                ("GET", "/user/login", String::new()),
                ("PUT", "/user/index", String::new()),
                ("GET", "/user/nothing", String::new()),
                ("OPTIONS", "/user/login", String::new()),
                ("POST", "/user/login", "x".repeat(65 * 1024)),
            ] {
                let reply = app.send(method, path, &headers, body).await;
                let found = (reply.code, reply.msg.as_str(), reply.cookie, &reply.data);
                assert_eq!(found, (code::CROSS_SITE, "Forbidden", None, &json!("")), "{method} {path} {of_page:?}");
                let spent = &app.log(&reply.request_id).await[0]["spent"];
                assert_eq!(spent["steps"], 0, "{method} {path}");
            }
        }
        assert_eq!(app.inspect(&format!("sms?phone={victim}")).await, json!([]));
        assert_eq!(app.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code, 0, "not signed out");
        assert_eq!(app.send("POST", "/user/login", &[], login).await.code, 0, "the code is as it was");
    })
    .await;
}

#[tokio::test]
async fn a_page_of_our_own_and_who_is_no_page_pass() {
    with_settings(
        |settings| settings.replace("own_origins = []", "own_origins = [\"https://front.example\"]"),
        async |app| {
            let cookie = format!("__sid__={}", app.somebody().await.sid);
            let own = app.emulator.url();
            let ways: [&[(&str, &str)]; 5] = [
                &[],
                &[("sec-fetch-site", "same-origin"), ("origin", own)],
                &[("sec-fetch-site", "none")],
                &[("origin", own)],
                &[("origin", "https://front.example")],
            ];
            for of_page in ways {
                let headers = [of_page, &[("cookie", cookie.as_str())]].concat();
                assert_eq!(app.send("GET", "/user/index", &headers, "").await.code, 0, "{of_page:?}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_page_of_cors_origins_has_a_token_or_a_bare_session_and_no_cookie() {
    with_settings(with_cors, async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let attempt = json!({ "phone": phone, "veri_code": app.code(&phone, 2).await }).to_string();
        for of_page in [&[("sec-fetch-site", "cross-site"), ("origin", APP)][..], &[("origin", APP)]] {
            let with = |name, value| [of_page, &[(name, value)]].concat();
            let stranger = format!("__sid__={}", app.somebody().await.sid);
            assert_eq!(
                app.send("GET", "/user/index", &with("cookie", &stranger), "").await.code,
                code::NOT_LOGIN,
                "cookies are not read"
            );
            assert_eq!(app.send("POST", "/user/logout", &with("cookie", &stranger), "").await.code, code::NOT_LOGIN);
            assert_eq!(app.send("GET", "/user/index", &[("cookie", &stranger)], "").await.code, 0);
        }
        let page = [("sec-fetch-site", "cross-site"), ("origin", APP)];
        let login = app.send("POST", "/user/login", &page, attempt).await;
        assert_eq!((login.code, login.cookie.as_deref()), (0, None), "cookies are not set");
        let (session, token) = (login.data["session"].as_str().unwrap(), login.data["token"].as_str().unwrap());
        app.advance(1_000).await;
        for credential in [session, &format!("Bearer {token}")] {
            let headers = [&page[..], &[("authorization", credential)]].concat();
            let reply = app.send("GET", "/user/index", &headers, "").await;
            assert_eq!((reply.code, reply.cookie), (0, None));
        }
        let headers = [&page[..], &[("authorization", session)]].concat();
        let logout = app.send("POST", "/user/logout", &headers, "").await;
        assert_eq!((logout.code, logout.cookie), (0, None));
    })
    .await;
}

#[tokio::test]
async fn a_page_of_our_own_gets_no_bare_session() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let attempt = json!({ "phone": phone, "veri_code": app.code(&phone, 2).await });
        let login = app.post("/user/login", &attempt).await;
        assert_eq!((login.code, &login.data["session"]), (0, &Value::Null));
    })
    .await;
}

/// Status and CORS headers of the response to a preflight.
async fn preflight(app: &TestApp, origin: &str) -> (u16, Vec<String>) {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
        ("sec-fetch-site", "cross-site"),
    ];
    let response = send("OPTIONS", &app.url(&format!("{PREFIX}/user/login")), &headers, "").await;
    let cors = response.headers.iter().filter(|(name, _)| name.as_str().starts_with("access-control-"));
    let mut cors: Vec<_> = cors.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    cors.sort();
    (response.status.as_u16(), cors)
}

#[tokio::test]
async fn the_gateway_answers_preflights_and_names_the_origin() {
    with_settings(with_cors, async |app| {
        let expected = [
            "access-control-allow-headers: authorization,content-type,accept-language,idempotency-key,x-device",
            "access-control-allow-methods: GET,POST",
            "access-control-allow-origin: https://app.example",
            "access-control-expose-headers: x-request-id",
            "access-control-max-age: 600",
        ];
        assert_eq!(preflight(app, APP).await, (204, expected.map(str::to_owned).to_vec()));
        assert_eq!(preflight(app, "https://evil.example").await, (204, Vec::new()));
        for (origin, allowed) in [(APP, Some(APP)), ("https://evil.example", None)] {
            let headers = [("origin", origin), ("sec-fetch-site", "cross-site")];
            let response = send("GET", &app.url(&format!("{PREFIX}/user/index")), &headers, "").await;
            assert_eq!(response.header("access-control-allow-origin"), allowed);
            assert_eq!(response.header("access-control-allow-credentials"), None);
        }
    })
    .await;
}

#[tokio::test]
async fn without_cors_origins_there_is_no_cors() {
    with_app(async |app| {
        assert_eq!(app.send("OPTIONS", "/user/login", &[], "").await.code, code::METHOD_NOT_ALLOWED);
        assert_eq!(preflight(app, APP).await, (200, Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn a_page_of_cors_origins_brings_no_device_by_cookie() {
    with_settings(with_cors, async |app| {
        let phone = app.phone();
        let cookie = format!("__did__={}", app.known_device(&phone).await);
        let body = json!({ "phone": phone }).to_string();
        let ask =
            async |headers: &[(&str, &str)]| app.send("POST", "/user/veri_code", headers, body.clone()).await.code;
        assert_eq!(ask(&[]).await, 0);
        let of_page = [("sec-fetch-site", "cross-site"), ("origin", APP), ("cookie", cookie.as_str())];
        assert_eq!(ask(&of_page).await, code::TOO_MANY_REQUESTS, "a stranger");
        let header = [of_page[0], of_page[1], ("x-device", cookie.strip_prefix("__did__=").unwrap())];
        assert_eq!(ask(&header).await, 0, "a page of ours sends it as a header");
    })
    .await;
}
