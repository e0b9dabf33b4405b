//! Paths without a function, methods without a route, and what is refused before anybody asks who is there.

use crate::bed::on_a_stage;

#[tokio::test]
async fn an_unknown_path_is_told_as_it_was_written() {
    on_a_stage(async |bed| {
        for path in ["/", "/local", "/local/iwc/badge/user/login/", "//local/iwc/badge/user/login", "/favicon.ico"] {
            let reply = bed.send_to("GET", path, &[], "").await;
            assert_eq!((reply.code, reply.msg), (51404, format!("Requested URL {path} not found")));
        }
    })
    .await;
}

#[tokio::test]
async fn a_known_path_with_another_method_says_so() {
    on_a_stage(async |bed| {
        for (method, path) in [
            ("GET", "/user/veri_code"),
            ("PUT", "/user/register"),
            ("OPTIONS", "/user/login"),
            ("PATCH", "/user/logout"),
            ("POST", "/user/index"),
        ] {
            let reply = bed.send(method, path, &[], "").await;
            let expected = format!("Method {method} not allowed for URL /local/iwc/badge{path}");
            assert_eq!((reply.code, reply.msg), (51405, expected));
        }
    })
    .await;
}

#[tokio::test]
async fn another_stage_is_another_path() {
    on_a_stage(async |bed| {
        for (method, path) in [
            ("POST", "/prod/iwc/badge/user/login"),
            ("GET", "/x/iwc/badge/user/login"),
            ("GET", "/x/iwc/badge/user/index"),
        ] {
            assert_eq!(bed.send_to(method, path, &[], "{}").await.code, 51404, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused_before_any_login_check() {
    on_a_stage(async |bed| {
        let fits = format!("{{\"x\":\"{}\"}}", "a".repeat(64 * 1024 - 8));
        assert_eq!(fits.len(), 64 * 1024);
        for (method, path) in [("POST", "/user/login"), ("POST", "/user/logout"), ("GET", "/user/index")] {
            assert_ne!(bed.send(method, path, &[], fits.clone()).await.code, 51413, "{path}");
            let reply = bed.send(method, path, &[], fits.clone() + " ").await;
            assert_eq!((reply.code, reply.msg.as_str()), (51413, "Payload Too Large"), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_path_of_any_bytes_gets_an_envelope() {
    on_a_stage(async |bed| {
        for path in ["/%00", "/%ff%fe", "/%E5%BC%A0", "/a%20b", "/..%2f..", "/local/iwc/badge/user/%6Cogin?x=%zz"] {
            let code = bed.send_to("GET", path, &[], "").await.code;
            assert!(matches!(code, 51404 | 51405), "{path}");
            // The library cannot make a URL of it.
            assert_eq!(bed.send_to("GET", path, &[("host", "a b")], "").await.code, 51400, "{path}");
        }
    })
    .await;
}
