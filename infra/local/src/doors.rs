//! The control door `/_stage/`: looks into the stage and resets it. Everything else is the gateway's.

mod again;

use std::future::pending;
use std::time::Duration;

use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::{Body, Incoming};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::error::StageError;
use crate::faults::{Plan, Provider};
use crate::function::Function;
use crate::inbox;
use crate::live::Live;
use crate::route::decode;
use crate::scheduler::Description;
use crate::server::{self, Reply};

/// What the path of every door begins with.
pub(crate) const PREFIX: &str = "/_stage/";

/// A message is small; the provider's protocol has no attachments.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// The longest that a reader of the inbox may wait.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// How far the clock can be moved at once.
const MAX_ADVANCE: Duration = Duration::from_hours(10 * 366 * 24);

/// Records of invocations that are shown when no number is asked for.
const DEFAULT_LIMIT: usize = 100;

/// Answers a request whose path begins with [`PREFIX`].
pub(crate) async fn answer(live: &Live, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let query = Query(head.uri.query().unwrap_or(""));
    let door = head.uri.path().strip_prefix(PREFIX).unwrap_or("");
    let answer = match (door, &head.method) {
        ("state", &Method::GET) => Ok(state(live)),
        ("sms", &Method::GET) => read_sms(live, &query).await,
        ("sms", &Method::POST) => take_sms(live, body).await,
        ("invocations", &Method::GET) => invocations(live, &query),
        ("reset", &Method::POST) => reset(live).await,
        ("clock", &Method::POST) => advance(live, body).await,
        ("faults", &Method::PUT) => set_faults(live, body).await,
        ("dead_letters", &Method::GET) => Ok(server::json_of(StatusCode::OK, &live.lambda.letters().list())),
        ("dead_letters/redrive", &Method::POST) => again::redrive(live, body).await,
        ("state" | "invocations" | "dead_letters", _) => Err(Refusal::Method("GET")),
        ("sms", _) => Err(Refusal::Method("GET, POST")),
        ("faults", _) => Err(Refusal::Method("PUT")),
        ("reset" | "clock" | "dead_letters/redrive", _) => Err(Refusal::Method("POST")),
        (door, method) => match (door.strip_prefix("schedules/"), method) {
            (Some(name), &Method::POST) => again::fire(live, &decode(name), body).await,
            (Some(_), _) => Err(Refusal::Method("POST")),
            (None, _) => Err(Refusal::Unknown("there is no such door".to_owned())),
        },
    };
    answer.unwrap_or_else(Refusal::into_reply)
}

#[derive(Serialize)]
struct StateDocument {
    stage: String,
    url: String,
    dynamodb_url: String,
    cache_url: String,
    aws_url: String,
    clock: ClockDocument,
    faults: Plan,
    functions: Vec<FunctionDocument>,
    schedules: Vec<Description>,
}

#[derive(Serialize)]
struct ClockDocument {
    now: Timestamp,
    offset_ms: i64,
}

#[derive(Serialize)]
struct FunctionDocument {
    name: String,
    binary: String,
    routes: Vec<String>,
    schedules: Vec<String>,
    memory_mb: u64,
    timeout_s: u64,
    sandboxes: usize,
    busy: usize,
    pids: Vec<u32>,
    invocations: u64,
    cold_starts: u64,
    last_duration_ms: Option<f64>,
}

fn state(live: &Live) -> Reply {
    let schedules = live.scheduler.describe();
    let document = StateDocument {
        stage: live.options.stage.clone(),
        url: live.url.clone(),
        dynamodb_url: live.store.url(),
        cache_url: live.cache.url(),
        aws_url: live.aws_url.clone(),
        clock: ClockDocument { now: live.clock.now(), offset_ms: live.clock.offset_ms() },
        faults: live.host.faults.plan(),
        functions: live.lambda.functions().iter().map(|function| describe(function, &schedules)).collect(),
        schedules,
    };
    server::json_of(StatusCode::OK, &document)
}

fn describe(function: &Function, schedules: &[Description]) -> FunctionDocument {
    let spec = function.spec();
    let sandboxes = function.sandboxes();
    let history = function.history.lock();
    FunctionDocument {
        name: spec.name.clone(),
        binary: spec.binary.clone(),
        routes: spec.routes.iter().map(ToString::to_string).collect(),
        schedules: schedules.iter().filter(|one| one.function == spec.name).map(|one| one.name.clone()).collect(),
        memory_mb: spec.memory_mb,
        timeout_s: spec.timeout.as_secs(),
        sandboxes: sandboxes.alive,
        busy: sandboxes.busy,
        pids: sandboxes.pids,
        invocations: history.invocations,
        cold_starts: history.cold_starts,
        last_duration_ms: history.last_duration_ms(),
    }
}

/// `GET sms?phone=&wait=`.
async fn read_sms(live: &Live, query: &Query<'_>) -> Result<Reply, Refusal> {
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
async fn take_sms(live: &Live, body: Incoming) -> Result<Reply, Refusal> {
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

/// `PUT faults`: all that shall fail from now on; `{}` for nothing.
async fn set_faults(live: &Live, body: Incoming) -> Result<Reply, Refusal> {
    let plan = read_wish(body, "not faults").await?;
    live.host.faults.set(plan);
    Ok(server::json_of(StatusCode::OK, &plan))
}

/// `GET invocations?function=&limit=`.
fn invocations(live: &Live, query: &Query<'_>) -> Result<Reply, Refusal> {
    let limit = match query.get("limit") {
        Some(text) => text.parse().map_err(|_| Refusal::bad("limit is a number"))?,
        None => DEFAULT_LIMIT,
    };
    let mut functions = live.lambda.functions();
    if let Some(name) = query.get("function") {
        // By its full name or its binary's, which is the shorter one.
        functions.retain(|function| *function.name == *name || function.spec().binary == name);
        if functions.is_empty() {
            return Err(Refusal::Unknown(format!("there is no function {name}")));
        }
    }
    let mut records = Vec::new();
    for function in functions {
        records.extend(function.history.lock().recent(limit));
    }
    records.sort_unstable_by_key(|record| std::cmp::Reverse(record.sequence));
    records.truncate(limit);
    let records: Vec<_> = records.iter().map(AsRef::as_ref).collect();
    Ok(server::json_of(StatusCode::OK, &records))
}

/// `POST reset`.
async fn reset(live: &Live) -> Result<Reply, Refusal> {
    live.reset().await.map_err(Refusal::Failed)?;
    Ok(server::json(StatusCode::OK, "{}"))
}

/// `POST clock`: `{"advance_s": 61}`.
async fn advance(live: &Live, body: Incoming) -> Result<Reply, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        advance_s: f64,
    }
    let wish: Wish = read_wish(body, "the body is {\"advance_s\": seconds}").await?;
    // Time never goes back under running requests; `reset` is the way to real time.
    let span = Duration::try_from_secs_f64(wish.advance_s).ok().filter(|span| *span <= MAX_ADVANCE);
    let span = span.ok_or_else(|| Refusal::bad("advance_s is from 0 to ten years"))?;
    live.advance(span).await.map_err(Refusal::Failed)?;
    let clock = ClockDocument { now: live.clock.now(), offset_ms: live.clock.offset_ms() };
    Ok(server::json_of(StatusCode::OK, &clock))
}

/// A body as JSON; `what` it should be begins the refusal.
async fn read_wish<T: DeserializeOwned>(body: Incoming, what: &str) -> Result<T, Refusal> {
    let body =
        server::read(body, MAX_MESSAGE_BYTES).await.map_err(|_| Refusal::bad("the body is too large or broke off"))?;
    serde_json::from_slice(&body).map_err(|error| Refusal::Bad(format!("{what}: {error}")))
}

/// The same, but nothing at all is the default.
async fn read_optional_wish<T: DeserializeOwned + Default>(body: Incoming, what: &str) -> Result<T, Refusal> {
    if body.is_end_stream() { Ok(T::default()) } else { read_wish(body, what).await }
}

/// Why a door stays shut.
enum Refusal {
    Bad(String),
    Unknown(String),
    /// The methods that the door takes.
    Method(&'static str),
    /// The run that the door waited for is gone.
    Lost,
    /// There was no run.
    NotTaken,
    Failed(StageError),
}

impl Refusal {
    fn bad(text: &str) -> Self {
        Self::Bad(text.to_owned())
    }

    fn into_reply(self) -> Reply {
        match self {
            Self::Bad(text) => server::message(StatusCode::BAD_REQUEST, &text),
            Self::Unknown(text) => server::message(StatusCode::NOT_FOUND, &text),
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
struct Query<'a>(&'a str);

impl Query<'_> {
    /// The first value of a parameter; an empty one is as if not given.
    fn get(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.0.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
    }
}

/// `2s` or `500ms`.
fn duration(text: &str) -> Option<Duration> {
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
