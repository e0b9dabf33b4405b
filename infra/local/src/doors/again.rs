//! Doors that run a function now and wait for it: a schedule before its time, a dead letter once more.

use http::StatusCode;
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wish::{Refusal, read_optional_wish};
use crate::delivery::Delivery;
use crate::invocation::{Outcome, Record};
use crate::live::Live;
use crate::server::{self, Reply};

/// What a schedule's event came to.
#[derive(Serialize)]
struct FiredDocument<'a> {
    schedule: &'a str,
    /// The scheduled time that the event carries.
    time: Timestamp,
    attempts: u32,
    /// What the function reported last, if it failed.
    error: Option<Value>,
    /// The last attempt, as the list of invocations shows it.
    #[serde(flatten)]
    last: &'a Record,
}

/// What a dead letter came to.
#[derive(Serialize)]
struct RedrivenDocument<'a> {
    /// The letter's id.
    id: &'a str,
    function: &'a str,
    /// The new one.
    request_id: &'a str,
    attempts: u32,
    outcome: Outcome,
}

/// `POST schedules/{name}`, with `{"time": "2026-11-22T00:00:00Z"}` if not for now.
pub(super) async fn fire(live: &Live, name: &str, body: Incoming) -> Result<Reply, Refusal> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        time: Option<Timestamp>,
    }
    let wish: Wish = read_optional_wish(body, "the body is {\"time\": an RFC 3339 time}").await?;
    let fired = live.scheduler.fire_now(name, wish.time).await;
    let (time, delivery) = fired.ok_or_else(|| Refusal::Unknown(format!("there is no schedule {name}")))?;
    let (attempts, outcome, last) = match delivery {
        Some(Delivery { attempts, outcome, last: Some(last), .. }) => (attempts, outcome, last),
        Some(Delivery { outcome: Outcome::NotTaken, .. }) => return Err(Refusal::NotTaken),
        _ => return Err(Refusal::Lost),
    };
    let document = last.document();
    if let Some(code) = document["code"].as_i64() {
        // Set already if a door has shown it before.
        let _ = last.record.code.set(code);
    }
    let error = (outcome != Outcome::Ok).then_some(document);
    let fired = FiredDocument { schedule: name, time, attempts, error, last: &last.record };
    Ok(server::json_of(StatusCode::OK, &fired))
}

/// `POST dead_letters/redrive`, with `{"id": "…"}` if not for all.
pub(super) async fn redrive(live: &Live, body: Incoming) -> Result<Reply, Refusal> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        id: Option<String>,
    }
    let wish: Wish = read_optional_wish(body, "the body is {\"id\": the id of a letter}").await?;
    let ended = live.lambda.redrive(wish.id.as_deref(), live.clock.now()).await;
    if let (Some(id), []) = (wish.id, &ended[..]) {
        return Err(Refusal::Unknown(format!("there is no dead letter {id}")));
    }
    let document: Vec<_> = ended
        .iter()
        .map(|(letter, delivery)| RedrivenDocument {
            id: &letter.id,
            function: &letter.function,
            request_id: &delivery.request_id,
            attempts: delivery.attempts,
            outcome: delivery.outcome,
        })
        .collect();
    Ok(server::json_of(StatusCode::OK, &document))
}
