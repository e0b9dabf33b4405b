//! Paths without a function, methods without a route, and what is refused before anybody asks who is there.

use support::{code, with_app};

#[tokio::test]
async fn an_unknown_path_is_reported_as_written() {
    with_app(async |app| {
        for path in ["/", "/local", "/local/iwc/badge/user/login/", "//local/iwc/badge/user/login", "/favicon.ico"] {
            let reply = app.send_to("GET", path, &[], "").await;
            assert_eq!((reply.code, reply.msg), (code::NOT_FOUND, format!("Requested URL {path} not found")));
        }
    })
    .await;
}

#[tokio::test]
async fn a_known_path_with_another_method_says_so() {
    with_app(async |app| {
        for (method, path) in [
            ("GET", "/user/veri_code"),
            ("PUT", "/user/register"),
            ("OPTIONS", "/user/login"),
            ("PATCH", "/user/logout"),
            ("POST", "/user/index"),
        ] {
            let reply = app.send(method, path, &[], "").await;
            let expected = format!("Method {method} not allowed for URL /local/iwc/badge{path}");
            assert_eq!((reply.code, reply.msg), (code::METHOD_NOT_ALLOWED, expected));
        }
    })
    .await;
}

#[tokio::test]
async fn another_stage_is_another_path() {
    with_app(async |app| {
        for (method, path) in [
            ("POST", "/prod/iwc/badge/user/login"),
            ("GET", "/x/iwc/badge/user/login"),
            ("GET", "/x/iwc/badge/user/index"),
        ] {
            assert_eq!(app.send_to(method, path, &[], "{}").await.code, code::NOT_FOUND, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused_before_any_login_check() {
    with_app(async |app| {
        let fits = format!("{{\"x\":\"{}\"}}", "a".repeat(64 * 1024 - 8));
        assert_eq!(fits.len(), 64 * 1024);
        for (method, path) in [("POST", "/user/login"), ("POST", "/user/logout"), ("GET", "/user/index")] {
            assert_ne!(app.send(method, path, &[], fits.clone()).await.code, code::PAYLOAD_TOO_LARGE, "{path}");
            let reply = app.send(method, path, &[], fits.clone() + " ").await;
            assert_eq!((reply.code, reply.msg.as_str()), (code::PAYLOAD_TOO_LARGE, "Payload Too Large"), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_path_of_any_bytes_gets_an_envelope() {
    with_app(async |app| {
        for path in ["/%00", "/%ff%fe", "/%E5%BC%A0", "/a%20b", "/..%2f..", "/local/iwc/badge/user/%6Cogin?x=%zz"] {
            let code = app.send_to("GET", path, &[], "").await.code;
            assert!(matches!(code, code::NOT_FOUND | code::METHOD_NOT_ALLOWED), "{path}");
            // The library cannot make a URL of it.
            assert_eq!(app.send_to("GET", path, &[("host", "a b")], "").await.code, code::BAD_REQUEST, "{path}");
        }
    })
    .await;
}
