//! The API pages: what a browser gets below `/docs/`, and that nothing else is taken from the gateway.

use std::fs;
use support::{HttpResponse, Repository, TestApp, get, send};

/// The pages as `make docs` names them, each with a content of its own.
const FILES: [(&str, &str); 7] = [
    ("en/index.html", "text/html; charset=utf-8"),
    ("en/openapi.json", "application/json"),
    ("page.css", "text/css; charset=utf-8"),
    ("page.js", "text/javascript; charset=utf-8"),
    ("standalone.js", "text/javascript; charset=utf-8"),
    ("zh/index.html", "text/html; charset=utf-8"),
    ("zh/openapi.json", "application/json"),
];

/// An emulator with pages, and a secret beside them and among them.
async fn with_pages() -> TestApp {
    let repository = Repository::new();
    for (file, _) in FILES {
        let path = repository.file("pages").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("the content of {file}")).unwrap();
    }
    fs::write(repository.file("secret"), "secret").unwrap();
    fs::write(repository.file("pages/secret"), "secret").unwrap();
    repository.start(|_| {}).await
}

fn is_from_the_gateway(answer: &HttpResponse) -> bool {
    answer.headers.contains_key("apigw-requestid")
}

#[tokio::test]
async fn every_page_is_served_as_what_it_is_and_may_load_nothing_from_elsewhere() {
    let app = with_pages().await;
    for (file, kind) in FILES {
        let answer = get(&app.url(&format!("/docs/{}", file.trim_end_matches("index.html")))).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, format!("the content of {file}").as_str()));
        assert_eq!(answer.headers["content-type"], kind, "{file}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{file}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{file}: {policy}");
        assert!(!policy.contains("http") && !policy.contains("unsafe-eval"), "{file}: {policy}");
    }
}

#[tokio::test]
async fn the_language_is_the_browsers() {
    let app = with_pages().await;
    for (accept, page) in [("en-GB,en;q=0.9", "/docs/en/"), ("zh-CN,en;q=0.5", "/docs/zh/"), ("", "/docs/zh/")] {
        let answer = send("GET", &app.url("/docs/"), &[("accept-language", accept)], "").await;
        assert_eq!((answer.status.as_u16(), answer.headers["location"].to_str().unwrap()), (302, page), "{accept}");
        assert_eq!(answer.headers["vary"], "accept-language");
    }
    for (path, page) in [("/docs", "/docs/"), ("/docs/en", "/docs/en/"), ("/docs/zh?a=1", "/docs/zh/")] {
        assert_eq!(get(&app.url(path)).await.headers["location"], page, "{path}");
    }
}

#[tokio::test]
async fn without_pages_one_says_how_to_build_them() {
    let app = TestApp::with_probe().await;
    for path in ["/docs/", "/docs/en/", "/docs/standalone.js"] {
        let answer = get(&app.url(path)).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("make docs"), "{path}");
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8", "{path}");
    }
    assert_eq!(app.emulator.pages_url(), None);
}

#[tokio::test]
async fn pages_have_an_address_once_they_are_built() {
    let app = with_pages().await;
    assert_eq!(app.emulator.pages_url(), Some(app.url("/docs/")));
    fs::remove_file(app.repository.file("pages/zh/openapi.json")).unwrap();
    assert_eq!(app.emulator.pages_url(), None);
}

#[tokio::test]
async fn a_path_leads_to_no_other_file() {
    let app = with_pages().await;
    for path in [
        "/docs/secret",
        "/docs/../secret",
        "/docs/%2e%2e/secret",
        "/docs/..%2fsecret",
        "/docs/en/../../secret",
        "/docs/en/..%5c..%5csecret",
        "/docs//secret",
        "/docs/en//index.html",
        "/docs/en/%00",
        "/docs/.",
    ] {
        let answer = get(&app.url(path)).await;
        assert!(is_from_the_gateway(&answer), "{path}: {}", answer.text());
        assert_ne!(answer.text(), "secret", "{path}");
    }
}

#[tokio::test]
async fn everything_else_is_the_gateways() {
    let app = with_pages().await;
    // A stage may be called docs, and pages answer GET alone.
    for (method, path) in [
        ("GET", "/docs/probe"),
        ("GET", "/docs/iwc/badge/user/index"),
        ("GET", "/docsy/"),
        ("GET", "/DOCS/"),
        ("GET", "/test/docs/"),
        ("POST", "/docs/"),
        ("POST", "/docs/probe"),
        ("PUT", "/docs/en/"),
        ("OPTIONS", "/docs/page.js"),
    ] {
        let answer = send(method, &app.url(path), &[], "{}").await;
        assert!(is_from_the_gateway(&answer), "{method} {path}: {}", answer.text());
    }
    let answer = send("HEAD", &app.url("/docs/page.js"), &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    assert_eq!(answer.headers["content-length"], "the content of page.js".len().to_string().as_str());
}
