//! The console's files, which are part of the program: nothing is built and nothing is fetched to show them.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};

use super::request::ApiError;
use crate::server::{self, Reply};

/// The path of the page; browsers also get it at `/`.
const PATH: &str = "/_stage/console/";

/// No other origin, nothing inline, no frame around it.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../console/", $name)))),+]
    };
}

/// Name and content of each file in `infra/local/console`.
const FILES: &[(&str, &[u8])] = files![
    "account.js",
    "api.js",
    "app.js",
    "codes.js",
    "control-api.js",
    "dom.js",
    "feedback.js",
    "follow.js",
    "format.js",
    "icon.svg",
    "index.html",
    "invocation.js",
    "layout.css",
    "list.js",
    "live.js",
    "outcome.js",
    "parts.css",
    "phone.js",
    "prices.js",
    "settings.js",
    "text.en.js",
    "text.js",
    "text.zh.js",
    "token.js",
    "tokens.css",
    "user.js",
    "view-admin.js",
    "view-control.js",
    "view-data.js",
    "view-faults.js",
    "view-functions.js",
    "view-inbox.js",
    "view-jobs.js",
    "view-settings.js",
    "view-try.js",
    "views.css",
];

/// Whether a browser requests the page: it accepts HTML, as no other client of the API does. `GET /` of other clients goes
/// to the gateway.
pub(super) fn is_requested<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET && request.uri().path() == "/" && wants_html(request.headers())
}

/// The file at a path.
pub(super) async fn answer(method: Method, uri: Uri) -> Result<Reply, ApiError> {
    let name = match uri.path().strip_prefix(PATH) {
        None | Some("") => "index.html",
        Some(name) => name,
    };
    let file = FILES.iter().find(|(known, _)| *known == name);
    let (_, content) = file.ok_or_else(|| ApiError::unknown("there is no such path"))?;
    if method != Method::GET {
        return Err(ApiError::Method("GET"));
    }
    Ok(server::page(StatusCode::OK, kind(name), POLICY, Bytes::from_static(content)))
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| kind.trim().starts_with("text/html"))
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use http::Request;

    use super::{FILES, is_requested, kind};

    /// Lines that a file may have, as in Rust.
    const LONGEST_FILE: usize = 400;

    #[test]
    fn every_file_of_the_console_is_part_of_the_program_and_none_is_long() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
        let there = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let known: BTreeSet<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(there.collect::<BTreeSet<_>>(), known);
        for (name, content) in FILES {
            let lines = String::from_utf8_lossy(content).lines().count();
            assert!(lines <= LONGEST_FILE, "{name} has {lines} lines");
        }
    }

    fn content(name: &str) -> &'static str {
        std::str::from_utf8(FILES.iter().find(|(known, _)| *known == name).unwrap().1).unwrap()
    }

    /// The keys of a table of texts, in their order.
    fn keys(name: &str) -> Vec<&'static str> {
        content(name).lines().filter_map(|line| line.strip_prefix("  ")?.split_once(": ")).map(|(key, _)| key).collect()
    }

    #[test]
    fn both_languages_say_the_same_things_in_the_same_order() {
        let english = keys("text.en.js");
        assert!(english.len() > 100);
        assert_eq!(english, keys("text.zh.js"));
        assert_eq!(english.iter().collect::<BTreeSet<_>>().len(), english.len(), "a key stands twice");
    }

    #[test]
    fn every_text_that_a_view_uses_exists() {
        let known: BTreeSet<_> = keys("text.en.js").into_iter().collect();
        for (name, _) in FILES.iter().filter(|(name, _)| kind(name).starts_with("text/javascript")) {
            let text = content(name);
            for (at, call) in text.match_indices("t('") {
                let is_ours = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
                let key = text[at + call.len()..].split('\'').next().unwrap();
                assert!(!is_ours || known.contains(key), "{name} uses {key}");
            }
        }
    }

    #[test]
    fn nothing_of_the_console_writes_html_or_loads_from_another_origin() {
        let forbidden = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://"];
        for (name, content) in FILES {
            let text = String::from_utf8_lossy(content);
            for word in forbidden {
                assert!(!text.contains(word), "{name} has {word}");
            }
        }
    }

    #[test]
    fn the_prices_are_those_of_the_bill() {
        let prices: toml::Table = include_str!("../../../cost/prices.toml").parse().unwrap();
        let script = content("prices.js");
        let value = |key: &str| {
            let line = script.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": ")).unwrap();
            line.trim_end_matches(',').trim_matches('\'')
        };
        assert_eq!(value("date"), prices["date"].as_datetime().unwrap().to_string());
        assert_eq!(value("region"), prices["region"].as_str().unwrap());
        for (key, name) in [
            ("lambdaRequest", "lambda_request"),
            ("lambdaGbSecond", "lambda_gb_s"),
            ("httpApiRequest", "api_request"),
            ("dynamodbReadUnit", "dynamodb_read"),
            ("dynamodbWriteUnit", "dynamodb_write"),
            ("cacheUnit", "cache_ecpu"),
            ("logByte", "log_gb"),
        ] {
            let price = value(key).split(" / ").next().unwrap().parse::<f64>().unwrap();
            assert!((price - prices[name]["usd"].as_float().unwrap()).abs() < 1e-12, "{key} and {name}");
        }
    }

    #[test]
    fn the_page_is_for_browsers() {
        let asks = |method: &str, path: &str, accept: Option<&str>| {
            let request = Request::builder().method(method).uri(path);
            let request = accept.into_iter().fold(request, |request, accept| request.header("accept", accept));
            is_requested(&request.body(()).unwrap())
        };
        let browser = Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        assert!(asks("GET", "/", browser));
        for (method, path, accept) in [
            ("GET", "/", None),
            ("GET", "/", Some("*/*")),
            ("GET", "/", Some("application/json")),
            ("POST", "/", browser),
            ("GET", "/index.html", browser),
            ("GET", "/local/iwc/badge/user/index", browser),
        ] {
            assert!(!asks(method, path, accept), "{method} {path} {accept:?}");
        }
    }
}
