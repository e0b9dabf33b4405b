//! What is asked of a door, and why one stays shut.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use hyper::body::{Body, Incoming};
use serde::de::DeserializeOwned;

use crate::error::StageError;
use crate::server::{self, Reply};

/// A message is small; the provider's protocol has no attachments.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// The longest that a reader of the inbox may wait.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A body as JSON; `what` it should be begins the refusal.
pub(super) async fn read_wish<T: DeserializeOwned>(body: Incoming, what: &str) -> Result<T, Refusal> {
    let body =
        server::read(body, MAX_MESSAGE_BYTES).await.map_err(|_| Refusal::bad("the body is too large or broke off"))?;
    serde_json::from_slice(&body).map_err(|error| Refusal::Bad(format!("{what}: {error}")))
}

/// The same, but nothing at all is the default.
pub(super) async fn read_optional_wish<T: DeserializeOwned + Default>(
    body: Incoming,
    what: &str,
) -> Result<T, Refusal> {
    if body.is_end_stream() { Ok(T::default()) } else { read_wish(body, what).await }
}

/// Why a door stays shut.
pub(super) enum Refusal {
    Bad(String),
    Unknown(String),
    /// Why whoever asks may not.
    Foreign(&'static str),
    /// The methods that the door takes.
    Method(&'static str),
    /// The run that the door waited for is gone.
    Lost,
    /// There was no run.
    NotTaken,
    Failed(StageError),
}

impl Refusal {
    pub(super) fn bad(text: &str) -> Self {
        Self::Bad(text.to_owned())
    }

    pub(super) fn unknown(text: &str) -> Self {
        Self::Unknown(text.to_owned())
    }

    pub(super) fn into_reply(self) -> Reply {
        match self {
            Self::Bad(text) => server::message(StatusCode::BAD_REQUEST, &text),
            Self::Unknown(text) => server::message(StatusCode::NOT_FOUND, &text),
            Self::Foreign(text) => server::message(StatusCode::FORBIDDEN, text),
            Self::Method(allowed) => {
                let text = format!("this door takes {allowed}");
                let mut reply = server::message(StatusCode::METHOD_NOT_ALLOWED, &text);
                reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
                reply
            }
            Self::Lost => server::message(StatusCode::INTERNAL_SERVER_ERROR, "the event was dropped before it ended"),
            Self::NotTaken => {
                let text = "Lambda did not take the event; it is in the dead letters";
                server::message(StatusCode::SERVICE_UNAVAILABLE, text)
            }
            Self::Failed(error) => server::message(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }
}

/// The part of a URL after `?`.
pub(super) struct Query<'a>(pub(super) &'a str);

impl Query<'_> {
    /// The first value of a parameter; an empty one is as if not given.
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
    fn an_empty_parameter_is_as_if_not_given() {
        let query = Query("phone=%2B86&wait=&phone=2");
        assert_eq!(query.get("phone").as_deref(), Some("+86"));
        assert_eq!(query.get("wait"), None);
        assert_eq!(query.get("limit"), None);
    }
}
