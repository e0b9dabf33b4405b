//! Events and requests: through everything that a function does with them before it asks a store.

use std::collections::HashMap;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::http::{HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::assert_tells_nothing;
use crate::check::{self, Checked, Fields, Rules};
use crate::clock::Now;
use crate::config;
use crate::entry;
use crate::envelope::{self, Reply};
use crate::error::Error;
use crate::login::Attempt;
use crate::request::Language::{Chinese, English};
use crate::request::Request;
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
    serde_json::from_slice::<ApiGatewayV2httpRequest>(data).is_ok_and(serve)
}

/// A request: the lines path, route, stage, `Accept-Language`, `Authorization`, cookie, `Idempotency-Key` and query; the
/// rest is the body.
pub fn request(data: &[u8]) {
    let mut lines = data.splitn(9, |&byte| byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut event = ApiGatewayV2httpRequest::default();
    event.raw_path = Some(text(line()));
    event.request_context.route_key = Some(text(line()));
    event.path_parameters.insert("stage".to_owned(), text(line()));
    event.request_context.time_epoch = 1_795_333_020_500;
    for name in ["accept-language", "authorization", "cookie", "idempotency-key"] {
        let value = line();
        if name == "cookie" {
            event.cookies = Some(text(value).split(';').map(str::to_owned).collect());
        } else if let Ok(value) = HeaderValue::from_bytes(value) {
            event.headers.insert(HeaderName::from_static(name), value);
        }
    }
    let mut query = HashMap::<String, Vec<String>>::new();
    for (name, value) in text(line()).split('&').filter_map(|pair| pair.split_once('=')) {
        query.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    event.query_string_parameters = query.into();
    let body = line();
    event.is_base64_encoded = std::str::from_utf8(body).is_err();
    event.body = Some(if event.is_base64_encoded { STANDARD.encode(body) } else { text(body) });
    assert!(serve(event));
}

/// Does with an event what the functions do before they ask a store.
fn serve(event: ApiGatewayV2httpRequest) -> bool {
    let mut request = match Request::from_event(event) {
        Ok(request) => request,
        Err(error) => {
            seal(&Err(error), None);
            return false;
        }
    };
    let Ok(at) = Timestamp::from_millisecond(request.time_epoch_ms) else { return false };
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
    let mut lines = data.split(|&byte| byte == b'\n');
    let mut event = ApiGatewayV2httpRequest::default();
    if let Some(value) = lines.next().and_then(|line| HeaderValue::from_bytes(line).ok()) {
        event.headers.insert("authorization", value);
    }
    event.cookies = Some(lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect());
    credentials(&Request::from_event(event).ok().unwrap());
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
