//! The API pages below `/docs/`, which `make docs` builds.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use tokio::task::spawn_blocking;

use crate::server::{self, Reply};

/// The path of the pages.
pub(crate) const PATH: &str = "/docs/";

/// Path below [`PATH`], file, and content type. A request selects one of these; its path never becomes part of a file
/// name.
const FILES: [(&str, &str, &str); 7] = [
    ("en/", "en/index.html", "text/html; charset=utf-8"),
    ("en/openapi.json", "en/openapi.json", "application/json"),
    ("page.css", "page.css", "text/css; charset=utf-8"),
    ("page.js", "page.js", "text/javascript; charset=utf-8"),
    ("standalone.js", "standalone.js", "text/javascript; charset=utf-8"),
    ("zh/", "zh/index.html", "text/html; charset=utf-8"),
    ("zh/openapi.json", "zh/openapi.json", "application/json"),
];

/// No other origin, no inline script, no frame around it. The renderer creates style elements and attributes, so styles
/// may be inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const NOT_BUILT: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>badge</title>
<p>The API pages are not built yet. Type: <code>make docs</code></p>
<p lang="zh-CN">API 文档尚未生成，请执行：<code>make docs</code></p>
"#;

/// Whether there are pages in the folder.
pub(crate) fn are_built(folder: &Path) -> bool {
    FILES.iter().all(|(_, file, _)| folder.join(file).is_file())
}

/// The reply to a request for a page; `None` for any other request.
pub(crate) async fn answer<B>(folder: &Path, request: &Request<B>) -> Option<Reply> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return None;
    }
    match request.uri().path() {
        "/docs" => Some(redirect(PATH)),
        "/docs/en" => Some(redirect("/docs/en/")),
        "/docs/zh" => Some(redirect("/docs/zh/")),
        PATH if !are_built(folder) => Some(not_built()),
        PATH => Some(redirect(if prefers_english(request.headers()) { "/docs/en/" } else { "/docs/zh/" })),
        path => {
            let below = path.strip_prefix(PATH)?;
            let (_, file, kind) = FILES.iter().find(|(known, ..)| *known == below)?;
            let file = folder.join(file);
            let content = spawn_blocking(|| fs::read(file)).await.ok().and_then(Result::ok);
            Some(content.map_or_else(not_built, |content| page(StatusCode::OK, kind, content)))
        }
    }
}

fn not_built() -> Reply {
    page(StatusCode::NOT_FOUND, "text/html; charset=utf-8", NOT_BUILT)
}

fn redirect(path: &'static str) -> Reply {
    let mut reply = page(StatusCode::FOUND, "text/plain", "");
    reply.headers_mut().insert(header::LOCATION, HeaderValue::from_static(path));
    reply.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-language"));
    reply
}

fn page(status: StatusCode, kind: &'static str, content: impl Into<Bytes>) -> Reply {
    server::page(status, kind, POLICY, content)
}

/// Chinese, unless English has a higher weight or, with the same weight, comes first: as the service chooses.
fn prefers_english(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let mut best = (0.0_f32, false);
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let is_english = match parts.next().and_then(|tag| tag.split('-').next()) {
            Some(language) if language.eq_ignore_ascii_case("en") => true,
            Some(language) if language == "*" || language.eq_ignore_ascii_case("zh") => false,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse().ok()).unwrap_or(1.0);
        if weight > best.0 {
            best = (weight, is_english);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::prefers_english;

    #[test]
    fn pages_are_english_for_those_who_prefer_it() {
        for (accept, expected) in [
            (None, false),
            (Some("en"), true),
            (Some("EN-gb,zh;q=0.9"), true),
            (Some("zh-CN,zh;q=0.9,en;q=0.8"), false),
            (Some("fr,en;q=0.3,*;q=0.1"), true),
            (Some("en;q=0.5,zh;q=0.5"), true),
            (Some("en;q=0"), false),
            (Some("en-US;q=x, zh"), true),
            (Some(";,"), false),
        ] {
            let headers = accept.map(|value| (header::ACCEPT_LANGUAGE, HeaderValue::from_static(value)));
            let headers: HeaderMap = headers.into_iter().collect();
            assert_eq!(prefers_english(&headers), expected, "{accept:?}");
        }
    }
}
