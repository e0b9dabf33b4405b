//! CORS as an HTTP API does it: it answers preflights itself, and adds the headers to responses of functions.
//!
//! Source: Amazon API Gateway Developer Guide, "Configure CORS for HTTP APIs in API Gateway": preflights are answered "even if
//! there isn't an OPTIONS route configured", and CORS headers of an integration are ignored.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};

use crate::server::Reply;
use crate::template::CorsSpec;

/// All headers that CORS is made of; a function's own are dropped.
const HEADERS: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// Whether a browser asks with this request what another one may do (Fetch Standard, "CORS-preflight request").
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    let has = |name| request.headers().contains_key(name);
    request.method() == Method::OPTIONS && has(header::ORIGIN) && has(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The response to a preflight, without the headers that [`decorate`] adds.
pub(super) fn preflight(cors: &CorsSpec, origin: Option<&HeaderValue>) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = StatusCode::NO_CONTENT;
    if cors.allows(origin) {
        let headers = reply.headers_mut();
        for (name, values) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, &cors.methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, &cors.headers),
        ] {
            add(headers, name, &values.join(","));
        }
        if let Some(secs) = cors.max_age_secs {
            add(headers, header::ACCESS_CONTROL_MAX_AGE, &secs.to_string());
        }
    }
    reply
}

/// Adds what a page of this origin needs to read a response.
pub(super) fn decorate(headers: &mut HeaderMap, cors: &CorsSpec, origin: Option<&HeaderValue>, is_preflight: bool) {
    if !is_preflight {
        for name in HEADERS {
            headers.remove(name);
        }
    }
    let Some(origin) = origin.filter(|origin| cors.allows(Some(origin))) else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if cors.credentials {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    add(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &cors.exposed.join(","));
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

impl CorsSpec {
    fn allows(&self, origin: Option<&HeaderValue>) -> bool {
        origin.is_some_and(|origin| self.origins.iter().any(|known| known == "*" || origin == known.as_str()))
    }
}
