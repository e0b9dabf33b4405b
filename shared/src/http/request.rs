//! One HTTP request, whichever front took it.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use ::http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use ::http::{HeaderMap, HeaderName, Method};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::auth;
use super::body::Members;
use super::headers::joined;
use super::language;
use super::site::Site;
use crate::accounts::sessions::Credentials;
use crate::clock::Now;
use crate::config::Config;
use crate::error::Error;
use crate::models::call::Call;
use crate::models::client::client_name;
use crate::models::idempotency_key::IdempotencyKey;
use crate::models::language::Language;
use crate::models::network::Network;
use crate::models::params::{self, Fields, LoggedParams, Params, Rules};
use crate::models::session_id::SessionId;
use crate::telemetry::scrub;

/// The largest body that a function reads: 64 KiB. API Gateway itself would pass 10 MB.
pub(crate) const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// The longest path in the log.
const LOGGED_PATH: usize = 128;

/// A request as handlers see it. `P` is what is known of who is asking.
pub struct Request<P = ()> {
    /// The moment, the id and the network of the request.
    pub call: Call,
    /// Who is asking; see `lambda::access`.
    pub principal: P,
    /// The method.
    pub method: Method,
    /// The path as the client sent it, without the query.
    pub path: String,
    wire: Wire,
}

/// What a front says of a request beside its method, headers and body.
pub(crate) struct FrontInfo {
    /// The path as the client sent it.
    pub(crate) path: String,
    /// The path of the route that the front chose, `/a/{b}`; none if the front knows no routes, or has no other.
    pub(crate) route: Option<String>,
    /// The stage's name in the path. A route that has none in it was made for one stage.
    pub(crate) stage_in_path: Option<String>,
    /// Names and values, decoded. Those of one name are in the order of the query string.
    pub(crate) query: Vec<(String, String)>,
    /// The client's address as the front saw it.
    pub(crate) source_ip: String,
    /// Whether the stage has a front of its own, and the request did not come by it.
    pub(crate) is_past_own_front: bool,
    /// When the front took the request.
    pub(crate) time: Timestamp,
}

/// What does not depend on the caller.
struct Wire {
    config: Arc<Config>,
    route: Option<String>,
    stage_in_path: Option<String>,
    is_past_own_front: bool,
    site: Site,
    headers: HeaderMap,
    query: Vec<(String, String)>,
    body: Vec<u8>,
    /// Filled by the typed read; the log looks at it when the handler is done with the request.
    logged: Arc<OnceLock<LoggedParams>>,
}

impl Request {
    /// The request that Lambda calls `request_id`.
    pub(crate) fn new(
        request: ::http::Request<Vec<u8>>,
        front: FrontInfo,
        request_id: String,
        config: Arc<Config>,
    ) -> Self {
        let (head, body) = request.into_parts();
        let now = Now::new(front.time, config.zone.clone());
        let language = language::preferred(joined(&head.headers, ACCEPT_LANGUAGE).as_deref());
        let client = client_name(joined(&head.headers, USER_AGENT).as_deref().unwrap_or_default());
        let site = Site::of(&head.headers, &config.http, config.is_local());
        let devices = auth::devices(&head.headers, site == Site::Own);
        let FrontInfo { path, route, stage_in_path, query, source_ip, is_past_own_front, .. } = front;
        Self {
            call: Call { now, request_id, network: Network::of(&source_ip), language, client, devices },
            principal: (),
            method: head.method,
            path,
            wire: Wire {
                config,
                route,
                stage_in_path,
                is_past_own_front,
                site,
                headers: head.headers,
                query,
                body,
                logged: Arc::default(),
            },
        }
    }

    /// The same request, of somebody.
    pub(crate) fn with_principal<P>(self, principal: P) -> Request<P> {
        let Self { call, method, path, wire, .. } = self;
        Request { call, principal, method, path, wire }
    }
}

impl<P> Request<P> {
    /// Reads the JSON body: first what is missing, then what cannot be accepted.
    ///
    /// # Errors
    /// [`Error::NotAnObject`], [`Error::Missing`], [`Error::MissingOne`] or [`Error::Invalid`].
    pub fn params<T: Params>(&self) -> Result<T, Error> {
        let body = Members::read(&self.wire.body).ok_or(Error::NotAnObject)?;
        self.read(&body)
    }

    /// Reads the query string by the same rules as a body. Of a name given twice the last counts.
    ///
    /// # Errors
    /// [`Error::Invalid`] and the missing ones, as [`Self::params`].
    pub fn query_params<T: Params>(&self) -> Result<T, Error> {
        self.read(&Members { values: self.query(), ..Members::default() })
    }

    /// The value of the `Idempotency-Key` header.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is empty, longer than 255 characters, or not printable ASCII.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Error> {
        let Some(value) = self.header(HeaderName::from_static("idempotency-key")) else { return Ok(None) };
        let key = IdempotencyKey::parse(value.as_bytes());
        key.map(Some).map_err(|reason| Error::Invalid(vec![("idempotency_key", reason)]))
    }

    /// The credentials that the request brings.
    pub(crate) fn credentials(&self) -> Credentials {
        auth::credentials(&self.wire.headers, self.wire.site == Site::Own)
    }

    /// The sessions that the request brings, good or not.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionId> {
        self.credentials().sessions
    }

    /// Whether a page of another site sends the request, which may call the API without cookies.
    #[must_use]
    pub fn is_of_other_site(&self) -> bool {
        self.wire.site != Site::Own
    }

    /// Whether the stage has a front of its own, and the request did not come by it.
    pub(crate) fn is_past_own_front(&self) -> bool {
        self.wire.is_past_own_front
    }

    /// Whose page made a browser send the request.
    pub(crate) fn site(&self) -> Site {
        self.wire.site
    }

    /// The value of a header. One that came more than once is joined by commas.
    pub(crate) fn header(&self, name: HeaderName) -> Option<Cow<'_, str>> {
        joined(&self.wire.headers, name)
    }

    /// Whether the front chose a route of its own for the path.
    pub(crate) fn has_route(&self) -> bool {
        self.wire.route.is_some()
    }

    /// Whether the path is one of this stage. Routes begin with a variable for the stage's name, because a template
    /// cannot put a parameter into a path.
    pub(crate) fn is_of_this_stage(&self) -> bool {
        self.wire.stage_in_path.as_ref().is_none_or(|stage| *stage == self.wire.config.stage)
    }

    /// The size of the body in bytes, decoded.
    pub(crate) fn body_len(&self) -> usize {
        self.wire.body.len()
    }

    /// The language of the reply.
    pub(crate) fn language(&self) -> Language {
        self.call.language
    }

    /// The path for the log: that of the route, which is ours but for the stage in it; a path that has no route is
    /// somebody's free text. It is decoded, so that an encoded phone is recognised as one.
    pub(crate) fn logged_path(&self) -> String {
        let path: Cow<'_, str> = match &self.wire.route {
            Some(route) => route.replace("{stage}", self.wire.stage_in_path.as_deref().unwrap_or("{stage}")).into(),
            None => self.path.as_str().into(),
        };
        scrub(&percent_decode_str(&path).decode_utf8_lossy(), LOGGED_PATH)
    }

    /// Where a typed read leaves what the log may show of the parameters.
    pub(crate) fn logged_params(&self) -> Arc<OnceLock<LoggedParams>> {
        Arc::clone(&self.wire.logged)
    }

    fn query(&self) -> Map<String, Value> {
        self.wire.query.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect()
    }

    fn read<T: Params>(&self, given: &Members) -> Result<T, Error> {
        let rules = Rules { today: self.call.now.today(), phone: self.wire.config.phone.clone() };
        let mut fields = Fields::new(&given.values, &rules).with_unreadable(&given.unreadable);
        let read = params::read(&mut fields);
        // A handler that reads twice would leave the first; none does.
        let _ = self.wire.logged.set(fields.into_logged());
        read
    }

    /// Everything that the front said, but for the route and the time.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn to_json(&self) -> Value {
        use ::http::header::{AUTHORIZATION, COOKIE};
        let header = |name| self.header(name).map(|value| value.trim().to_owned());
        serde_json::json!({
            "method": self.method.as_str(), "path": self.path, "english": self.language() == Language::English,
            "network": self.call.network.as_str(), "authorization": header(AUTHORIZATION), "cookie": header(COOKIE),
            "devices": self.call.devices,
            "key": header(HeaderName::from_static("idempotency-key")), "query": self.query(), "body": self.wire.body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Deployed;

    fn request(path: &str, route: Option<&str>, stage: &str) -> Request {
        let settings = include_str!("../../../conf/local.toml");
        let config = Config::parse("local".to_owned(), settings, Deployed::default()).unwrap();
        let front = FrontInfo {
            path: path.to_owned(),
            route: route.map(str::to_owned),
            stage_in_path: Some(stage.to_owned()),
            query: Vec::new(),
            source_ip: "203.0.113.7".to_owned(),
            is_past_own_front: false,
            time: Timestamp::UNIX_EPOCH,
        };
        Request::new(::http::Request::new(Vec::new()), front, "id-1".to_owned(), Arc::new(config))
    }

    #[test]
    fn what_a_client_writes_in_the_place_of_the_stage_is_scrubbed() {
        for (stage, logged) in [("local", "/local/user/veri_code"), ("13800138000", "/…/user/veri_code")] {
            assert_eq!(request("/", Some("/{stage}/user/veri_code"), stage).logged_path(), logged);
        }
    }

    #[test]
    fn a_path_is_decoded_before_it_is_scrubbed() {
        for (path, logged) in [
            ("/local/user/%6Cogin", "/local/user/login"),
            ("/local/%31%33800138000", "/local/…"),
            ("/local/%0A%ff", "/local/ \u{fffd}"),
        ] {
            assert_eq!(request(path, None, "local").logged_path(), logged);
        }
    }
}
