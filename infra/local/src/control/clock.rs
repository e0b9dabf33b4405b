//! `POST clock`, and the time in other replies.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::request::{ApiError, App, read_json};
use crate::app::AppState;
use crate::server::{self, Reply};
use crate::template::DEFAULT_ZONE;

/// The longest move of the clock.
const MAX_ADVANCE: Duration = Duration::from_hours(10 * 366 * 24);

/// Events after which `POST clock` answers although the clock is still moving: more than a month of hourly and daily
/// jobs.
const MAX_EVENTS: u64 = 1_000;

/// The body of `POST clock`.
const WHAT: &str = "the body is {\"advance_s\": seconds} or {\"to\": an RFC 3339 time}";

/// The emulated time.
#[derive(Serialize)]
pub(super) struct ClockDocument {
    now: Timestamp,
    pub(super) offset_ms: i64,
    /// The time zone of the stage's midnight.
    zone: String,
    /// The next midnight.
    pub(super) midnight: Timestamp,
    /// Where a running move ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) moving_to: Option<Timestamp>,
}

impl ClockDocument {
    pub(super) fn of(app: &AppState) -> Self {
        let (now, zone) = (app.clock.now(), app.zone.read().clone());
        let midnight = now.to_zoned(zone.clone()).tomorrow().and_then(|day| day.start_of_day());
        Self {
            now,
            offset_ms: app.clock.offset_ms(),
            zone: zone.iana_name().unwrap_or(DEFAULT_ZONE).to_owned(),
            midnight: midnight.map_or(Timestamp::MAX, |day| day.timestamp()),
            moving_to: app.scheduler.moving_to(),
        }
    }
}

/// By a span, `{"advance_s": 61}`, or to a time, `{"to": "2026-11-23T00:00:00Z"}`. A long move answers 202 after
/// [`MAX_EVENTS`] and continues; `moving_to` in the state shows where it ends.
pub(super) async fn advance(State(app): App, body: Body) -> Result<Reply, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Json {
        advance_s: Option<f64>,
        to: Option<Timestamp>,
    }
    let body: Json = read_json(body, WHAT).await?;
    // Time never goes back while requests run; `reset` sets real time.
    let span = match (body.advance_s, body.to) {
        (Some(seconds), None) => Duration::try_from_secs_f64(seconds).ok(),
        (None, Some(time)) => Duration::try_from(time.duration_since(app.clock.now())).ok(),
        _ => return Err(ApiError::bad(WHAT)),
    };
    let span = span.filter(|span| *span <= MAX_ADVANCE);
    let span = span.ok_or_else(|| ApiError::bad("the clock moves by 0 seconds to ten years"))?;
    let (done, result) = oneshot::channel();
    let mover = Arc::clone(&app);
    app.host.tasks.spawn(async move {
        // The receiver is gone if the request has been answered.
        let _ = done.send(mover.advance(span).await);
    });
    let status = tokio::select! {
        result = result => {
            result.map_err(|_| ApiError::Lost)??;
            StatusCode::OK
        }
        () = app.scheduler.fired(MAX_EVENTS) => StatusCode::ACCEPTED,
    };
    Ok(server::json_of(status, &ClockDocument::of(&app)))
}
