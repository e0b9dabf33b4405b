//! Events and requests: through everything that a function does with them before it asks a store.

use std::sync::{Arc, LazyLock};

use ::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{assert_tells_nothing, params};
use crate::config::{self, Config, Deployed};
use crate::error::Error;
use crate::http::{self, Reply, Request, reply};
use crate::lambda::request_of;
use crate::models::language::Language::{Chinese, English};

/// Every code of `docs/openapi.yaml`.
const CODES: &[u32] = &[
    0, 10005, 10006, 10007, 10008, 10009, 11001, 11002, 11003, 11004, 11005, 15001, 15002, 15003, 15004, 50000, 51400,
    51403, 51404, 51405, 51413,
];

static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| {
    let settings = include_str!("../../../conf/local.toml");
    Arc::new(Config::parse("local".to_owned(), settings, Deployed::default()).unwrap())
});

/// An event as JSON; whether the service could read it.
#[must_use]
pub fn event(data: &[u8]) -> bool {
    let Ok(event) = std::str::from_utf8(data) else { return false };
    match request_of(event, &CONFIG) {
        Ok(request) => serve(&request),
        Err(cause) => seal(&Err(Error::BadEvent(cause)), None),
    }
    request_of(event, &CONFIG).is_ok()
}

/// A request: the lines path, route, stage, `Accept-Language`, `Authorization`, cookie, `Idempotency-Key` and query;
/// the rest is the body. Every front says the same of it, but for its route.
pub fn request(data: &[u8]) {
    let mut lines = data.splitn(9, |&byte| byte == b'\n');
    let mut text = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (path, route, stage) = (text(), text(), text());
    // Every path begins with a slash, and no header has a control character.
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    let mut header = || text().replace(|c: char| c.is_ascii_control(), " ");
    let (language, authorization, cookie, key) = (header(), header(), header(), header());
    let query = text();
    let body = lines.next().unwrap_or_default();
    let (body, is_encoded) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(body), true),
    };
    // Names that are the same once they are decoded have an order in the text alone.
    let query = if query.split('&').any(|pair| pair.split('=').next().unwrap().contains(['%', '+'])) {
        String::new()
    } else {
        query
    };
    let raw = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let raw = lists(raw.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let decoded = lists(form_urlencoded::parse(query.as_bytes()).into_owned());
    let once = json!({ "accept-language": language, "authorization": authorization, "idempotency-key": key });
    let list = json!({
        "Accept-Language": [language], "AUTHORIZATION": [authorization], "Idempotency-Key": [key], "Cookie": [cookie],
        "X-Forwarded-For": ["198.51.100.1", "198.51.100.2, 203.0.113.7"],
    });
    let format_2 = json!({
        "rawPath": path, "rawQueryString": query, "cookies": [cookie], "headers": once, "body": body,
        "isBase64Encoded": is_encoded, "pathParameters": { "stage": stage },
        "requestContext": {
            "routeKey": route, "http": { "method": "POST", "sourceIp": "203.0.113.7" },
            "timeEpoch": 1_795_333_020_500_i64,
        },
    });
    let format_1 = json!({
        "resource": "/{proxy+}", "path": "", "httpMethod": "POST", "headers": {}, "multiValueHeaders": list,
        "body": body, "isBase64Encoded": is_encoded, "multiValueQueryStringParameters": decoded,
        "requestContext": {
            "path": path, "identity": { "sourceIp": "203.0.113.7" }, "requestTimeEpoch": 1_795_333_020_500_i64,
            "httpMethod": "POST",
        },
    });
    let load_balancer = json!({
        "path": path, "httpMethod": "POST", "multiValueHeaders": list, "body": body, "isBase64Encoded": is_encoded,
        "multiValueQueryStringParameters": raw, "requestContext": { "elb": {} },
    });
    let read = |event: &Value| request_of(&event.to_string(), &CONFIG).ok().unwrap();
    let request = read(&format_2);
    assert_eq!(read(&format_1).to_json(), request.to_json());
    assert_eq!(read(&load_balancer).to_json(), request.to_json());
    serve(&request);
}

/// A query as fronts write it that take the text apart.
fn lists(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut lists = Map::new();
    for (name, value) in pairs {
        lists.entry(name).or_insert_with(|| json!([])).as_array_mut().unwrap().push(value.into());
    }
    lists
}

/// Does with a request what the functions do before they ask a store.
fn serve(request: &Request) {
    let now = &request.call.now;
    assert!((1..=90_000_000).contains(&now.rest_millis_of_day()));
    let key = request.idempotency_key().map(|key| {
        let is_key = |key: &str| (1..=255).contains(&key.len()) && key.bytes().all(|b| matches!(b, b' '..=b'~'));
        assert!(key.is_none_or(|key| is_key(key.as_str())));
    });
    let (method, path) = (request.method.to_string(), request.path.clone());
    let others = [key, Err(Error::NoRoute { path: path.clone() }), Err(Error::WrongMethod { method, path })];
    for outcome in params::read_all(request).into_iter().chain(others) {
        seal(&outcome.and_then(|()| reply::done()), Some(request));
    }
    credentials(request);
}

/// The envelope is JSON with its keys in order and a code that is known.
fn seal(reply: &Reply, request: Option<&Request>) {
    #[derive(Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Envelope<'a> {
        code: u32,
        msg: String,
        #[serde(borrow)]
        data: &'a RawValue,
    }
    for language in [Chinese, English] {
        let body = http::seal(reply, language);
        let envelope: Envelope<'_> = serde_json::from_str(&body).unwrap();
        assert_eq!(serde_json::to_string(&envelope).unwrap(), body);
        assert_eq!(envelope.code, reply.as_ref().err().map_or(0, http::code));
        assert!(CODES.contains(&envelope.code));
        assert_eq!(envelope.code == 0, reply.is_ok());
        assert!(!envelope.msg.is_empty() && envelope.data.get() != "null");
    }
    if let Some(request) = request {
        log(request);
    }
}

/// What the line in the log has of a request tells nothing.
fn log(request: &Request) {
    assert_tells_nothing(&request.logged_path());
    let logged = request.logged_params();
    let phone = logged.get().and_then(|logged| logged.phone.as_ref());
    assert!(phone.is_none_or(|phone| phone.contains("****")));
}

/// A request with these headers; `None` for a host that no URL can have, which is refused.
fn with_headers(headers: &Value) -> Option<Request> {
    let event = json!({ "requestContext": { "http": { "method": "GET" } }, "headers": headers });
    request_of(&event.to_string(), &CONFIG).ok()
}

/// The value of a header, as a front lets it pass.
fn header_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(|c: char| c.is_ascii_control(), " ")
}

/// An `Accept-Language`: letter case and languages that nobody speaks here change nothing.
pub fn language(data: &[u8]) {
    let text = header_text(data);
    let preferred = |text: &str| with_headers(&json!({ "accept-language": text })).unwrap().language();
    let language = preferred(&text);
    for same in [text.to_ascii_uppercase(), text.to_ascii_lowercase(), format!("{text},fr"), format!("fr;q=0.5,{text}")]
    {
        assert!(preferred(&same) == language, "{same}");
    }
}

/// The lines `Host`, `Origin` and `Sec-Fetch-Site` of a request. The stage has no origins but its own.
pub fn site(data: &[u8]) {
    let mut lines = data.splitn(3, |&byte| byte == b'\n').map(header_text);
    let mut line = || lines.next().filter(|line| !line.is_empty());
    let (host, origin, site) = (line(), line(), line());
    let mut headers = Map::new();
    for (name, value) in [("host", &host), ("origin", &origin), ("sec-fetch-site", &site)] {
        if let Some(value) = value {
            headers.insert(name.to_owned(), value.as_str().into());
        }
    }
    let Some(request) = with_headers(&Value::Object(headers)) else { return };
    let is_own = !request.is_of_other_site();
    let is_same_host = |origin: &String| {
        let (origin, host) = (origin.to_ascii_lowercase(), host.as_deref().unwrap_or_default().to_ascii_lowercase());
        !host.is_empty() && origin.split_once("://").is_some_and(|(_, name)| host.starts_with(name) && !name.is_empty())
    };
    match (site.as_deref(), &origin) {
        (Some(site), _) => assert_eq!(is_own, matches!(site, "same-origin" | "none")),
        (None, None) => assert!(is_own),
        (None, Some(origin)) => assert!(!is_own || is_same_host(origin), "{origin:?} {host:?}"),
    }
}

/// Cookies, a line each, below an `Authorization` header.
pub fn session(data: &[u8]) {
    let mut lines = data.split(|&byte| byte == b'\n').map(String::from_utf8_lossy);
    let authorization = lines.next().unwrap_or_default().replace(|c: char| c.is_ascii_control(), " ");
    let headers = json!({ "authorization": authorization });
    let cookies: Vec<_> = lines.collect();
    let event = json!({ "requestContext": { "http": { "method": "GET" } }, "headers": headers, "cookies": cookies });
    credentials(&request_of(&event.to_string(), &CONFIG).ok().unwrap());
}

/// A session id is one that we can have given, and as a cookie it is one cookie.
fn credentials(request: &Request) {
    let credentials = request.credentials();
    let authorization = request.header(::http::header::AUTHORIZATION).unwrap_or_default();
    let token = credentials.token.as_deref();
    assert!(
        token.is_none_or(|token| !token.is_empty() && token.trim() == token && authorization.trim().ends_with(token))
    );
    // Eight cookies and the header.
    assert!(credentials.sessions.len() <= 9);
    for session in &credentials.sessions {
        let text = session.as_str();
        assert!(text.len() == 45 && session.slot() == &text[..2]);
        assert!(session.hash().len() == 64 && !session.hash().contains(&text[2..]));
        let cookie =
            http::session_cookie(session, &config::Session { ttl_secs: 60, max_age_secs: 60, cookie_secure: true });
        assert_eq!(cookie.split(';').count(), 6);
        assert!(HeaderValue::from_str(&cookie).is_ok());
    }
}
