//! One HTTP request, whichever front took it.

mod event;
mod headers;

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

pub(crate) use self::event::{Event, Front};
use self::headers::Headers;
use crate::check::{self, Checked, Fields, Rules};
use crate::error::{Cause, Error, Reason};
use crate::limits::Network;

/// The largest body that a function reads: 64 KiB. API Gateway itself would pass 10 MB.
pub const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// The language of a reply's sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// The default.
    Chinese,
    /// When `Accept-Language` prefers it.
    English,
}

/// A name that a client gives its request, so that the same request sent again takes effect once
/// (draft-ietf-httpapi-idempotency-key-header).
pub struct IdempotencyKey(pub(crate) String);

/// The longest one.
const LONGEST_KEY: usize = 255;

/// A request as handlers see it.
pub struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The path of the route that the front chose, `/a/{b}`; none if the front knows no routes, or has no other.
    pub(crate) route: Option<String>,
    /// The stage's name in the path. A route that has none in it is chosen for a stage by whoever made it.
    pub(crate) stage_in_path: Option<String>,
    /// When the front took the request, in milliseconds since the Unix epoch; not every front says.
    pub(crate) time_epoch_ms: Option<i64>,
    pub(crate) language: Language,
    network: Network,
    headers: Headers,
    cookies: Vec<String>,
    query: Vec<(String, String)>,
    body: Vec<u8>,
    /// What a typed read needs to know about the stage and the day; set when the function takes the request.
    rules: Option<Rules>,
    /// Filled by the typed read; the log looks at it when the handler is done with the request.
    pub(crate) noted: Arc<OnceLock<Noted>>,
}

/// What the log may tell of a request's parameters.
pub(crate) struct Noted {
    /// Names that the handler knows and the client gave.
    pub(crate) names: Vec<&'static str>,
    /// The phone, masked.
    pub(crate) phone: Option<String>,
}

impl Request {
    /// Reads an event.
    ///
    /// # Errors
    /// [`Error::BadEvent`] when it has no method, or its body is not the base64 that it claims to be.
    pub(crate) fn from_event(mut event: Event) -> Result<Self, Error> {
        let (path, route, mut headers) = (event.path(), event.route(), event.headers());
        Ok(Self {
            method: event.method()?,
            stage_in_path: match route {
                Some(_) => event.stage_in_route(),
                None => Some(path.split('/').nth(1).unwrap_or_default().to_owned()),
            },
            path,
            route,
            time_epoch_ms: event.time_epoch_ms(),
            language: language(headers.accept_language.as_deref()),
            network: Network::of(&event.source_ip(&headers)),
            cookies: event.cookies(&mut headers),
            headers,
            query: event.query(),
            body: event.body()?,
            rules: None,
            noted: Arc::default(),
        })
    }

    pub(crate) fn set_rules(&mut self, rules: Rules) {
        self.rules = Some(rules);
    }

    pub(crate) fn body_len(&self) -> usize {
        self.body.len()
    }

    /// Who asks, as far as the gateway saw it.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The value of the `Idempotency-Key` header.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is empty, longer than 255 characters, or not printable ASCII.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Error> {
        let Some(value) = &self.headers.idempotency_key else { return Ok(None) };
        let text = value.trim_ascii();
        if (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Ok(Some(IdempotencyKey(text.to_owned())));
        }
        Err(Error::Invalid(vec![("idempotency_key", Reason::NotAKey)]))
    }

    /// The value of the `Authorization` header, trimmed.
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.headers.authorization.as_deref().map(str::trim)
    }

    /// The value of a cookie; of several with one name the first (RFC 6265, section 5.4: the most specific). Quotes
    /// around it are not part of it (section 4.1.1 allows them, and Java's `CookieManager` sends them).
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().flat_map(|line| line.split(';')).find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            (key == name).then_some(bare.unwrap_or(value))
        })
    }

    /// Reads the JSON body: first what is missing, then what cannot be accepted.
    ///
    /// # Errors
    /// [`Error::NotAnObject`], [`Error::Missing`], [`Error::MissingOne`] or [`Error::Invalid`].
    pub fn check<T: Checked>(&self) -> Result<T, Error> {
        let body: Map<String, Value> = serde_json::from_slice(&self.body).map_err(|_| Error::NotAnObject)?;
        self.read(&body)
    }

    /// Reads the query string by the same rules as a body. Of a name given twice the last counts.
    ///
    /// # Errors
    /// [`Error::Invalid`] and the missing ones, as [`Self::check`].
    pub fn check_query<T: Checked>(&self) -> Result<T, Error> {
        let query =
            self.query.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect::<Map<_, _>>();
        self.read(&query)
    }

    /// What the front has told, but for the route and the time.
    #[cfg(feature = "fuzz")]
    pub(crate) fn told(&self) -> Value {
        let query: Map<_, _> = self.query.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        serde_json::json!({
            "method": self.method, "path": self.path, "english": self.language == Language::English,
            "network": self.network.0, "authorization": self.authorization(), "cookies": self.cookies,
            "key": self.headers.idempotency_key, "query": query, "body": self.body,
        })
    }

    fn read<T: Checked>(&self, given: &Map<String, Value>) -> Result<T, Error> {
        let rules = self.rules.as_ref().ok_or_else(|| Error::Internal(Cause::new("no rules to check with")))?;
        let mut fields = Fields::new(given, rules);
        let checked = check::read(&mut fields);
        // A handler that read twice would keep the first; none does.
        let _ = self.noted.set(Noted { names: fields.noted, phone: fields.phone });
        checked
    }
}

/// Chinese, unless English is named with a higher weight (RFC 9110, section 12.5.4) or, at the same weight, first.
fn language(accept: Option<&str>) -> Language {
    let mut best = (0.0_f32, Language::Chinese);
    for range in accept.unwrap_or_default().split(',') {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight =
            parts.find_map(|part| part.strip_prefix("q=")?.trim().parse::<f32>().ok()).unwrap_or(1.0).clamp(0.0, 1.0);
        let language = match tag.split('-').next() {
            Some("en") => Language::English,
            Some("zh" | "*") => Language::Chinese,
            _ => continue,
        };
        if weight > best.0 {
            best = (weight, language);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_is_given_to_those_who_prefer_it() {
        for (accept, expected) in [
            (None, Language::Chinese),
            (Some(""), Language::Chinese),
            (Some("en"), Language::English),
            (Some("en-GB,en;q=0.9"), Language::English),
            (Some("zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese),
            (Some("en;q=0.8, zh;q=0.9"), Language::Chinese),
            (Some("fr, en;q=0.5"), Language::English),
            (Some("en;q=0"), Language::Chinese),
            (Some("*"), Language::Chinese),
            (Some("EN-us"), Language::English),
            (Some("english"), Language::Chinese),
            (Some("en;q=nonsense"), Language::English),
        ] {
            assert_eq!(language(accept), expected, "{accept:?}");
        }
    }

    fn with_key(key: &str) -> Request {
        let event = serde_json::json!({
            "headers": { "idempotency-key": key }, "requestContext": { "http": { "method": "GET" }, "timeEpoch": 0 }
        });
        Request::from_event(serde_json::from_value(event).unwrap()).unwrap()
    }

    #[test]
    fn a_key_is_printable_ascii_without_the_blanks_around_it() {
        for (value, key) in [("a b", Some("a b")), (" a\t", Some("a")), ("a\tb", None), ("é", None), (" ", None)] {
            let read = with_key(value).idempotency_key().ok().flatten().map(|key| key.0);
            assert_eq!(read.as_deref(), key, "{value:?}");
        }
    }

    fn with_cookies(cookies: &[&str]) -> Request {
        let event = serde_json::json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "", "headers": {},
            "cookies": cookies, "isBase64Encoded": false,
            "requestContext": { "http": { "method": "GET" }, "timeEpoch": 0 }
        });
        Request::from_event(serde_json::from_value(event).unwrap()).unwrap()
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let request = with_cookies(&["a__sid__=1", "__sid__=2", "__sid__=3"]);
        assert_eq!(request.cookie("__sid__"), Some("2"));
        assert_eq!(with_cookies(&["x=1; __sid__=2"]).cookie("__sid__"), Some("2"));
        assert_eq!(with_cookies(&["__sid__"]).cookie("__sid__"), None);
    }
}
