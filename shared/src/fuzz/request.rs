//! Events and requests: through everything that a function does with them before it asks a store.

use ::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::assert_tells_nothing;
use crate::check::{self, Checked, Fields, Rules};
use crate::clock::Now;
use crate::config;
use crate::entry;
use crate::envelope::{self, Reply};
use crate::error::Error;
use crate::login::Attempt;
use crate::request::Language::{Chinese, English};
use crate::request::{Event, Request};
use crate::session::{self, Sid};
use crate::telemetry::{Level, Line, Source};
use crate::user::applicant::{Applicant, PlaceCode};
use crate::user::index::{Cursor, PageOf};
use crate::veri_code::Recipient;

/// Every code of `docs/openapi.yaml`.
const CODES: &[u32] = &[
    0, 10005, 10006, 10007, 11001, 11002, 11003, 11004, 11005, 15001, 15002, 15003, 15004, 50000, 51400, 51404, 51405,
    51413,
];

/// An event as JSON; whether the service could read it.
pub fn event(data: &[u8]) -> bool {
    let event = std::str::from_utf8(data).ok().and_then(|json| Event::read(json).ok());
    event.is_some_and(serve)
}

/// A request: the lines path, route, stage, `Accept-Language`, `Authorization`, cookie, `Idempotency-Key` and query; the
/// rest is the body. Every front tells the same of it, but for its route.
pub fn request(data: &[u8]) {
    let mut lines = data.splitn(9, |&byte| byte == b'\n');
    let mut text = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (path, route, stage) = (text(), text(), text());
    let (language, authorization, cookie, key, query) = (text(), text(), text(), text(), text());
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
    let once = json!({ "accept-language": language, "authorization": authorization, "idempotency-key": key, "cookie": cookie });
    let list = json!({
        "Accept-Language": [language], "AUTHORIZATION": [authorization], "Idempotency-Key": [key], "Cookie": [cookie],
        "X-Forwarded-For": ["198.51.100.1", "198.51.100.2, 203.0.113.7"],
    });
    let format_2 = json!({
        "rawPath": path, "rawQueryString": query, "cookies": [cookie], "headers": once, "body": body,
        "isBase64Encoded": is_encoded, "pathParameters": { "stage": stage },
        "requestContext": {
            "routeKey": route, "http": { "method": "POST", "sourceIp": "203.0.113.7" }, "timeEpoch": 1_795_333_020_500_i64,
        },
    });
    let format_1 = json!({
        "resource": "/{proxy+}", "path": "", "httpMethod": "POST", "headers": {}, "multiValueHeaders": list, "body": body,
        "isBase64Encoded": is_encoded, "multiValueQueryStringParameters": decoded,
        "requestContext": {
            "path": path, "identity": { "sourceIp": "203.0.113.7" }, "requestTimeEpoch": 1_795_333_020_500_i64,
        },
    });
    let load_balancer = json!({
        "path": path, "httpMethod": "POST", "multiValueHeaders": list, "body": body, "isBase64Encoded": is_encoded,
        "multiValueQueryStringParameters": raw, "requestContext": { "elb": {} },
    });
    let read = |event: &Value| Event::read(&event.to_string()).ok().unwrap();
    let told = |event: &Value| Request::from_event(read(event)).ok().unwrap().told();
    assert_eq!(told(&format_1), told(&format_2));
    assert_eq!(told(&load_balancer), told(&format_2));
    assert!(serve(read(&format_2)));
}

/// A query as fronts write it that take the text apart.
fn lists(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut lists = Map::new();
    for (name, value) in pairs {
        lists.entry(name).or_insert_with(|| json!([])).as_array_mut().unwrap().push(value.into());
    }
    lists
}

/// Does with an event what the functions do before they ask a store.
fn serve(event: Event) -> bool {
    let mut request = match Request::from_event(event) {
        Ok(request) => request,
        Err(error) => {
            seal(&Err(error), None);
            return false;
        }
    };
    let Ok(at) = Timestamp::from_millisecond(request.time_epoch_ms.unwrap_or_default()) else { return false };
    let now = Now::new(at, TimeZone::get("Asia/Shanghai").unwrap());
    assert!((1..=90_000).contains(&now.rest_seconds_of_day()));
    let rules = Rules { today: now.today(), ..Rules::sample() };
    request.set_rules(rules.clone());

    let path = request.path.clone();
    let key = request.idempotency_key().map(|key| {
        let is_key = |key: &str| (1..=255).contains(&key.len()) && key.bytes().all(|b| matches!(b, b' '..=b'~'));
        assert!(key.is_none_or(|key| is_key(&key.0)));
    });
    for outcome in [
        key,
        read_again(&rules, request.check::<Recipient>()),
        read_again(&rules, request.check::<Attempt>()),
        read_again(&rules, request.check::<Applicant>()),
        read_again(&rules, request.check_query::<PageOf>()),
        Err(Error::NoRoute { path: path.clone() }),
        Err(Error::WrongMethod { method: request.method.clone(), path }),
    ] {
        seal(&outcome.and_then(|()| envelope::done()), Some(&request));
    }
    credentials(&request);
    true
}

/// A set of parameters that can be written as plainly as possible.
trait Plain: Checked {
    fn plain(&self) -> Value;
}

impl Plain for Recipient {
    fn plain(&self) -> Value {
        json!({ "phone": self.phone.e164() })
    }
}

impl Plain for Attempt {
    fn plain(&self) -> Value {
        json!({ "phone": self.phone.e164(), "veri_code": self.veri_code.0 })
    }
}

impl Plain for Applicant {
    fn plain(&self) -> Value {
        let place = |place: &Option<PlaceCode>| place.as_ref().map(|code| code.0.clone());
        json!({
            "user_name": self.user_name.0, "gender": self.gender.0, "birth_day": self.birth_day.0.to_string(),
            "phone": self.phone.e164(), "veri_code": self.veri_code.0,
            "province": place(&self.province), "city": place(&self.city),
        })
    }
}

impl Plain for PageOf {
    fn plain(&self) -> Value {
        let (limit, cursor) = (self.limit.as_ref(), self.cursor.as_ref());
        json!({ "limit": limit.map(|limit| limit.0), "cursor": cursor.map(|cursor| Cursor::write(cursor.0)) })
    }
}

/// What was accepted is accepted again, as the same, when it is written plainly.
fn read_again<T: Plain>(rules: &Rules, outcome: Result<T, Error>) -> Result<(), Error> {
    let plain = outcome?.plain();
    let again: T = check::read(&mut Fields::new(plain.as_object().unwrap(), rules)).ok().unwrap();
    assert_eq!(again.plain(), plain);
    Ok(())
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
        let sealed = envelope::seal(reply, language);
        let envelope: Envelope<'_> = serde_json::from_str(&sealed.body).unwrap();
        assert_eq!(serde_json::to_string(&envelope).unwrap(), sealed.body);
        assert!(envelope.code == sealed.code && CODES.contains(&sealed.code));
        assert_eq!(sealed.code == 0, reply.is_ok());
        assert!(!envelope.msg.is_empty() && envelope.data.get() != "null");
    }
    if let Some(request) = request {
        log(reply, request);
    }
}

/// The line in the log is one line and tells nothing.
fn log(reply: &Reply, request: &Request) {
    let path = entry::logged_path(request);
    assert_tells_nothing(&path);
    let noted = request.noted.get();
    assert!(noted.and_then(|noted| noted.phone.as_ref()).is_none_or(|phone| phone.contains("****")));
    let source = Source { stage: "local".to_owned(), function: "badge-local-login".to_owned(), ..Source::default() };
    let line = Line {
        request_id: "1",
        method: &request.method,
        path: &path,
        params: noted.map_or(&[], |noted| &noted.names),
        phone: noted.and_then(|noted| noted.phone.as_deref()),
        error: reply.as_ref().err().map(ToString::to_string),
        ..Line::default()
    };
    let text = serde_json::to_string(&source.framed(Level::Info, line)).unwrap();
    assert!(!text.contains(['\n', '\r']));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!(value["path"] == path || path.is_empty());
}

/// Cookies, a line each, below an `Authorization` header.
pub fn session(data: &[u8]) {
    let mut lines = data.split(|&byte| byte == b'\n').map(String::from_utf8_lossy);
    let headers = json!({ "authorization": lines.next() });
    let cookies: Vec<_> = lines.collect();
    let event = json!({ "requestContext": { "http": { "method": "GET" } }, "headers": headers, "cookies": cookies });
    credentials(&Request::from_event(Event::read(&event.to_string()).ok().unwrap()).ok().unwrap());
}

/// A session id is one that we can have given, and as a cookie it is one cookie.
fn credentials(request: &Request) {
    let authorization = request.authorization().unwrap_or_default();
    for name in ["jwt", "bearer"] {
        let token = session::scheme(authorization, name);
        assert!(token.is_none_or(|token| !token.is_empty() && token.trim() == token && authorization.ends_with(token)));
    }
    let cookie = request.cookie(session::COOKIE);
    for text in cookie.into_iter().chain([authorization]) {
        let Some(sid) = Sid::parse(text) else { continue };
        let key = sid.key();
        assert!(sid.0 == text && text.len() == 45 && key.slot == text[..2]);
        assert!(key.hash.len() == 64 && !key.hash.contains(&text[2..]));
        let cookie = sid.cookie(&config::Session { ttl_secs: 60, cookie_secure: true });
        assert_eq!(cookie.split(';').count(), 6);
        assert!(HeaderValue::from_str(&cookie).is_ok());
    }
}
