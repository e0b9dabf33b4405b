//! The inbox's doors: the provider's endpoint, and what people and tests read.

use std::future::pending;
use std::time::Duration;

use http::StatusCode;
use hyper::body::Incoming;
use tokio::time::sleep;

use super::wish::{Query, Refusal, duration, read_wish};
use crate::faults::Provider;
use crate::inbox;
use crate::live::Live;
use crate::server::{self, Reply};

/// `GET sms?phone=&wait=`.
pub(super) async fn read(live: &Live, query: &Query<'_>) -> Result<Reply, Refusal> {
    let phone = match query.get("phone").as_deref().map(inbox::digits) {
        Some(digits) if digits.is_empty() => return Err(Refusal::bad("phone has no digits")),
        phone => phone,
    };
    let wait = match query.get("wait") {
        Some(text) => duration(&text).ok_or_else(|| Refusal::bad("wait is a time of at most 30s, like 2s or 500ms"))?,
        None => Duration::ZERO,
    };
    Ok(server::json_of(StatusCode::OK, &live.inbox.read(phone.as_deref(), wait).await))
}

/// `POST sms`: the provider's endpoint.
pub(super) async fn take(live: &Live, body: Incoming) -> Result<Reply, Refusal> {
    let sent = read_wish(body, "not a message").await?;
    match live.host.faults.provider() {
        Provider::Takes => {}
        Provider::TakesAfter(time) => sleep(time).await,
        Provider::Refuses => return Ok(unavailable()),
        Provider::Throttles => {
            return Ok(server::message(StatusCode::TOO_MANY_REQUESTS, "the provider is asked to fail"));
        }
        Provider::Hangs(Some(time)) => {
            sleep(time).await;
            return Ok(unavailable());
        }
        // Until the sender gives up.
        Provider::Hangs(None) => pending().await,
    }
    live.inbox.take(sent, live.clock.now());
    Ok(server::json(StatusCode::OK, r#"{"status":"accepted"}"#))
}

fn unavailable() -> Reply {
    server::message(StatusCode::SERVICE_UNAVAILABLE, "the provider is asked to fail")
}
