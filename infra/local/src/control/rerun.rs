//! Runs a function now and waits for it: a schedule by hand, or a dead letter again.

use axum::body::Body;
use axum::extract::State;
use http::{StatusCode, Uri};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::request::{ApiError, App, read_optional_json};
use crate::lambda::{Delivery, Outcome, Record};
use crate::server::{self, Reply, decode};

/// The result of a schedule that was fired by hand.
#[derive(Serialize)]
struct FiredDocument<'a> {
    schedule: &'a str,
    /// The scheduled time in the event.
    time: Timestamp,
    attempts: u32,
    /// The last error of the function, if it failed.
    error: Option<Value>,
    /// The last attempt, as the list of invocations shows it.
    #[serde(flatten)]
    last: &'a Record,
}

/// The result of a redriven dead letter.
#[derive(Serialize)]
struct RedrivenDocument<'a> {
    /// The id of the dead letter.
    id: &'a str,
    function: &'a str,
    /// The new one.
    request_id: &'a str,
    attempts: u32,
    outcome: Outcome,
}

/// `POST schedules/{name}`, with `{"time": "2026-11-22T00:00:00Z"}` if not for now.
pub(super) async fn fire(State(app): App, uri: Uri, body: Body) -> Result<Reply, ApiError> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Json {
        time: Option<Timestamp>,
    }
    let body: Json = read_optional_json(body, "the body is {\"time\": an RFC 3339 time}").await?;
    let name = decode(uri.path().trim_start_matches("/_stage/schedules/"));
    let fired = app.scheduler.fire_now(&name, body.time).await;
    let (time, delivery) = fired.ok_or_else(|| ApiError::Unknown(format!("there is no schedule {name}")))?;
    let (attempts, outcome, last) = match delivery {
        Some(Delivery { attempts, outcome, last: Some(last), .. }) => (attempts, outcome, last),
        Some(Delivery { outcome: Outcome::NotTaken, .. }) => return Err(ApiError::NotTaken),
        _ => return Err(ApiError::Lost),
    };
    let document = last.document();
    if let Some(code) = document["code"].as_i64() {
        // It may be set already.
        let _ = last.record.code.set(code);
    }
    let error = (outcome != Outcome::Ok).then_some(document);
    let fired = FiredDocument { schedule: &name, time, attempts, error, last: &last.record };
    Ok(server::json_of(StatusCode::OK, &fired))
}

/// `GET dead_letters`.
pub(super) async fn dead_letters(State(app): App) -> Reply {
    server::json_of(StatusCode::OK, &app.lambda.dead_letters().list())
}

/// `POST dead_letters/redrive`, with `{"id": "…"}` if not for all.
pub(super) async fn redrive(State(app): App, body: Body) -> Result<Reply, ApiError> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Json {
        id: Option<String>,
    }
    let body: Json = read_optional_json(body, "the body is {\"id\": the id of a dead letter}").await?;
    let ended = app.lambda.redrive(body.id.as_deref(), app.clock.now()).await;
    if let (Some(id), []) = (body.id, &ended[..]) {
        return Err(ApiError::Unknown(format!("there is no dead letter {id}")));
    }
    let document: Vec<_> = ended
        .iter()
        .map(|(entry, delivery)| RedrivenDocument {
            id: &entry.id,
            function: &entry.function,
            request_id: &delivery.request_id,
            attempts: delivery.attempts,
            outcome: delivery.outcome,
        })
        .collect();
    Ok(server::json_of(StatusCode::OK, &document))
}
