//! Requests and errors of the control API.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::app::AppState;
use crate::error::EmulatorError;
use crate::server;

/// What every handler can reach.
pub(super) type App = State<Arc<AppState>>;

/// Bodies are small; SMS messages have no attachments.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The longest that a reader of the inbox may wait.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Reads a body as JSON; `what` it should be begins the error message.
pub(super) async fn read_json<T: DeserializeOwned>(body: Body, what: &str) -> Result<T, ApiError> {
    let body =
        server::read(body, MAX_BODY_BYTES).await.map_err(|_| ApiError::bad("the body is too large or broke off"))?;
    serde_json::from_slice(&body).map_err(|error| ApiError::Bad(format!("{what}: {error}")))
}

/// The same; an empty body is the default.
pub(super) async fn read_optional_json<T: DeserializeOwned + Default>(body: Body, what: &str) -> Result<T, ApiError> {
    if body.is_end_stream() { Ok(T::default()) } else { read_json(body, what).await }
}

/// An error of the control API.
pub(super) enum ApiError {
    Bad(String),
    Unknown(String),
    /// The allowed methods.
    Method(&'static str),
    /// The invocation was dropped.
    Lost,
    /// There was no invocation.
    NotTaken,
    Failed(EmulatorError),
}

impl ApiError {
    pub(super) fn bad(text: &str) -> Self {
        Self::Bad(text.to_owned())
    }

    pub(super) fn unknown(text: &str) -> Self {
        Self::Unknown(text.to_owned())
    }
}

impl From<EmulatorError> for ApiError {
    fn from(error: EmulatorError) -> Self {
        Self::Failed(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Bad(text) => server::message(StatusCode::BAD_REQUEST, &text),
            Self::Unknown(text) => server::message(StatusCode::NOT_FOUND, &text),
            Self::Method(allowed) => {
                let text = format!("allowed: {allowed}");
                let mut reply = server::message(StatusCode::METHOD_NOT_ALLOWED, &text);
                reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
                reply
            }
            Self::Lost => server::message(StatusCode::INTERNAL_SERVER_ERROR, "the event was dropped before it ended"),
            Self::NotTaken => {
                let text = "Lambda did not accept the event; it is a dead letter now";
                server::message(StatusCode::SERVICE_UNAVAILABLE, text)
            }
            Self::Failed(error) => server::message(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }
}

/// The part of a URL after `?`.
pub(super) struct Query(String);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.uri.query().unwrap_or_default().to_owned()))
    }
}

impl Query {
    /// The first value of a parameter; an empty one counts as missing.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.0.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
    }
}

/// `2s` or `500ms`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let duration = match text.strip_suffix("ms") {
        Some(number) => Duration::from_millis(number.parse().ok()?),
        None => Duration::from_secs(text.strip_suffix('s')?.parse().ok()?),
    };
    (duration <= MAX_WAIT).then_some(duration)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Query, duration};

    #[test]
    fn a_wait_has_a_unit_and_a_bound() {
        assert_eq!(duration("2s"), Some(Duration::from_secs(2)));
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        for text in ["2", "s", "31s", "-1s", "1.5s", "2m"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn an_empty_parameter_counts_as_missing() {
        let query = Query("phone=%2B86&wait=&phone=2".to_owned());
        assert_eq!(query.get("phone").as_deref(), Some("+86"));
        assert_eq!(query.get("wait"), None);
        assert_eq!(query.get("limit"), None);
    }
}
