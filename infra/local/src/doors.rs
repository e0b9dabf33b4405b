//! The control door `/_stage/`: looks into the stage and changes it. Everything else is the gateway's.

mod again;
mod api;
mod data;
mod environment;
mod events;
mod guard;
mod look;
mod page;
mod settings;
mod sms;
mod wish;

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::Either;
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::Deserialize;

use self::wish::{Query, Refusal, read_wish};
use crate::live::Live;
use crate::route::decode;
use crate::server::{self, FrontReply, Reply};

/// What the path of every door begins with.
const PREFIX: &str = "/_stage/";

/// How far the clock can be moved at once.
const MAX_ADVANCE: Duration = Duration::from_hours(10 * 366 * 24);

/// Whether a request is for a door, and not for the gateway.
pub(crate) fn is_for<B>(request: &Request<B>) -> bool {
    request.uri().path().starts_with(PREFIX) || page::is_asked_for(request)
}

/// Answers a request that [`is_for`] a door.
pub(crate) async fn answer(live: &Arc<Live>, request: Request<Incoming>) -> FrontReply {
    let (head, body) = request.into_parts();
    if let Err(refusal) = guard::check(&head) {
        return refusal.into_reply().map(Either::Left);
    }
    let door = head.uri.path().strip_prefix(PREFIX).unwrap_or(page::DOOR);
    if (door, &head.method) == ("events", &Method::GET) {
        return events::answer(live).map(Either::Right);
    }
    let query = Query(head.uri.query().unwrap_or(""));
    let answer = open(live, door, &head.method, &query, body).await;
    answer.unwrap_or_else(Refusal::into_reply).map(Either::Left)
}

async fn open(live: &Live, door: &str, method: &Method, query: &Query<'_>, body: Incoming) -> Result<Reply, Refusal> {
    match (door, method) {
        ("state", &Method::GET) => Ok(look::state(live)),
        ("sms", &Method::GET) => sms::read(live, query).await,
        ("sms", &Method::POST) => sms::take(live, body).await,
        ("invocations", &Method::GET) => look::invocations(live, query),
        ("settings", &Method::GET) => settings::answer(live),
        ("environment", &Method::GET) => environment::answer(live, query),
        ("api", &Method::GET) => api::answer(live),
        ("users", &Method::GET) => data::users(live, query).await,
        ("sessions", &Method::GET) => data::sessions(live, query).await,
        ("sessions/end", &Method::POST) => data::end_session(live, body).await,
        ("limits", &Method::GET) => data::limits(live, query).await,
        ("limits/reset", &Method::POST) => data::reset_limits(live, body).await,
        ("reset", &Method::POST) => reset(live).await,
        ("clock", &Method::POST) => advance(live, body).await,
        ("faults", &Method::PUT) => set_faults(live, body).await,
        ("dead_letters", &Method::GET) => Ok(server::json_of(StatusCode::OK, &live.lambda.letters().list())),
        ("dead_letters/redrive", &Method::POST) => again::redrive(live, body).await,
        (
            "state" | "invocations" | "dead_letters" | "events" | "settings" | "environment" | "api" | "users"
            | "sessions" | "limits",
            _,
        ) => Err(Refusal::Method("GET")),
        ("sms", _) => Err(Refusal::Method("GET, POST")),
        ("faults", _) => Err(Refusal::Method("PUT")),
        ("reset" | "clock" | "dead_letters/redrive" | "sessions/end" | "limits/reset", _) => {
            Err(Refusal::Method("POST"))
        }
        (door, method) => {
            if let Some(name) = door.strip_prefix("schedules/") {
                let is_post = method == Method::POST;
                return if is_post {
                    again::fire(live, &decode(name), body).await
                } else {
                    Err(Refusal::Method("POST"))
                };
            }
            let file = page::file(door).ok_or_else(|| Refusal::unknown("there is no such door"))?;
            if method == Method::GET { Ok(file) } else { Err(Refusal::Method("GET")) }
        }
    }
}

/// `PUT faults`: all that shall fail from now on; `{}` for nothing.
async fn set_faults(live: &Live, body: Incoming) -> Result<Reply, Refusal> {
    let plan = read_wish(body, "not faults").await?;
    live.host.faults.set(plan);
    Ok(server::json_of(StatusCode::OK, &plan))
}

/// `POST reset`.
async fn reset(live: &Live) -> Result<Reply, Refusal> {
    live.reset().await.map_err(Refusal::Failed)?;
    Ok(server::json(StatusCode::OK, "{}"))
}

/// `POST clock`: by how much, `{"advance_s": 61}`, or how far, `{"to": "2026-11-23T00:00:00Z"}`.
async fn advance(live: &Live, body: Incoming) -> Result<Reply, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        advance_s: Option<f64>,
        to: Option<Timestamp>,
    }
    let wish: Wish = read_wish(body, "the body is {\"advance_s\": seconds} or {\"to\": an RFC 3339 time}").await?;
    // Time never goes back under running requests; `reset` is the way to real time.
    let span = match (wish.advance_s, wish.to) {
        (Some(seconds), None) => Duration::try_from_secs_f64(seconds).ok(),
        (None, Some(time)) => Duration::try_from(time.duration_since(live.clock.now())).ok(),
        _ => return Err(Refusal::bad("the body is {\"advance_s\": seconds} or {\"to\": an RFC 3339 time}")),
    };
    let span = span.filter(|span| *span <= MAX_ADVANCE);
    let span = span.ok_or_else(|| Refusal::bad("the clock goes on by 0 seconds to ten years"))?;
    live.advance(span).await.map_err(Refusal::Failed)?;
    Ok(server::json_of(StatusCode::OK, &look::clock(live)))
}
