//! The SMS inbox: the provider's endpoint, and what people and tests read.

use std::future::pending;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use http::StatusCode;
use tokio::time::sleep;

use super::request::{ApiError, App, Query, duration, read_json};
use crate::backends::digits;
use crate::faults::Provider;
use crate::server::{self, Reply};

/// `GET sms?phone=&count=&wait=`.
pub(super) async fn read(State(app): App, query: Query) -> Result<Reply, ApiError> {
    let phone = match query.get("phone").as_deref().map(digits) {
        Some(digits) if digits.is_empty() => return Err(ApiError::bad("phone has no digits")),
        phone => phone,
    };
    let wait = match query.get("wait") {
        Some(text) => {
            duration(&text).ok_or_else(|| ApiError::bad("wait is a time of at most 30s, like 2s or 500ms"))?
        }
        None => Duration::ZERO,
    };
    let count = query.get("count").map_or(Ok(1), |text| text.parse());
    let count = count.map_err(|_| ApiError::bad("count is a number of messages"))?;
    Ok(server::json_of(StatusCode::OK, &app.inbox.read(phone.as_deref(), count, wait).await))
}

/// `POST sms`: the provider's endpoint.
pub(super) async fn accept(State(app): App, body: Body) -> Result<Reply, ApiError> {
    let message = read_json(body, "not a message").await?;
    match app.host.faults.provider() {
        Provider::Takes => {}
        Provider::TakesAfter(time) => sleep(time).await,
        Provider::Refuses => return Ok(unavailable()),
        Provider::Throttles => {
            return Ok(server::message(StatusCode::TOO_MANY_REQUESTS, "injected fault"));
        }
        Provider::Hangs(Some(time)) => {
            sleep(time).await;
            return Ok(unavailable());
        }
        // Until the client gives up.
        Provider::Hangs(None) => pending().await,
    }
    app.inbox.accept(message, app.clock.now());
    Ok(server::json(StatusCode::OK, r#"{"status":"accepted"}"#))
}

fn unavailable() -> Reply {
    server::message(StatusCode::SERVICE_UNAVAILABLE, "injected fault")
}
