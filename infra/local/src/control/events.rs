//! `GET events`: changes of the state, as server-sent events for the console.
//!
//! Each connection polls the state; requests to functions are not involved. All changes since the last poll are one
//! event, so a busy emulator sends larger events, up to a bound, and not more of them. A slow reader gets fewer events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderValue, header};
use http_body_util::Channel;
use http_body_util::channel::Sender;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::sleep;

use super::clock::ClockDocument;
use super::request::App;
use super::state::{self, FunctionDocument};
use crate::app::AppState;
use crate::backends::Message;
use crate::faults::Plan;
use crate::lambda::{DeadLetter, Outcome, Record, text, to_ms};
use crate::scheduler::Description;
use crate::server::Reply;

/// The pause between two polls, and after one with more than [`BUSY`] invocations: the reader's work then counts too,
/// because it runs on the same machine.
const PAUSE: Duration = Duration::from_millis(100);
const LONG_PAUSE: Duration = Duration::from_secs(1);
const BUSY: usize = 20;

/// Invocations in one event, the newest. A new reader gets all.
const MAX_ROWS: usize = 500;

/// Polls without a change until an empty event is sent: only a write shows that the reader has disconnected.
const QUIET_POLLS: u32 = 100;

/// Dead letters in one event, the newest; `GET dead_letters` has all.
const MAX_DEAD_LETTERS: usize = 200;

/// Messages for a new reader, and in one event after that, the newest.
const MAX_MESSAGES: usize = 500;
const MAX_NEW_MESSAGES: usize = 20;

/// What has changed; unchanged parts are omitted.
#[derive(Default, Serialize)]
struct Change {
    /// This event has the whole state.
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<StageDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<ClockDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    functions: Option<Vec<FunctionDocument>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedules: Option<Vec<Description>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letters: Option<DeadLettersDocument>,
    /// New ones, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message>,
    /// New ones, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invocations: Vec<Row>,
    /// New invocations that are omitted.
    #[serde(skip_serializing_if = "is_zero")]
    left_out: usize,
}

/// What does not change.
#[derive(Serialize)]
struct StageDocument {
    name: String,
    url: String,
    dynamodb_url: String,
    cache_url: String,
}

#[derive(Serialize)]
struct DeadLettersDocument {
    count: usize,
    newest: Vec<DeadLetter>,
}

/// An invocation without its log lines, which `GET invocations?request_id=` has.
#[derive(Serialize)]
struct Row {
    /// Orders the invocations of all functions.
    n: u64,
    time: Timestamp,
    #[serde(serialize_with = "text")]
    function: Arc<str>,
    #[serde(serialize_with = "text")]
    request_id: Arc<str>,
    ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    init_ms: Option<f64>,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    attempt: u32,
}

/// The state that the reader has.
#[derive(Default)]
struct SentState {
    resets: Option<u64>,
    clock: Option<(i64, Timestamp, Option<Timestamp>)>,
    faults: Option<Plan>,
    functions: Vec<FunctionDocument>,
    schedules: Vec<Description>,
    dead_letters: Option<(usize, Option<String>)>,
    messages: u64,
    /// By function.
    invocations: BTreeMap<Arc<str>, u64>,
}

pub(super) async fn answer(State(app): App) -> Reply {
    let (sender, body) = Channel::<_>::new(1);
    let tasks = app.host.tasks.clone();
    tasks.spawn(send_changes(app, sender));
    let mut reply = Reply::new(Body::new(body));
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Sends changes until the reader disconnects.
async fn send_changes(app: Arc<AppState>, mut reader: Sender<Bytes>) {
    let (mut sent, mut quiet) = (SentState::default(), 0);
    loop {
        let change = sent.poll(&app);
        let pause = if change.invocations.len() > BUSY { LONG_PAUSE } else { PAUSE };
        quiet += 1;
        if !change.is_empty() || quiet == QUIET_POLLS {
            quiet = 0;
            let Ok(document) = serde_json::to_string(&change) else { return };
            if reader.send_data(Bytes::from(format!("data: {document}\n\n"))).await.is_err() {
                return;
            }
        }
        sleep(pause).await;
    }
}

impl Change {
    fn is_empty(&self) -> bool {
        let Self { stage, clock, faults, functions, schedules, dead_letters, messages, invocations, .. } = self;
        stage.is_none()
            && clock.is_none()
            && faults.is_none()
            && functions.is_none()
            && schedules.is_none()
            && dead_letters.is_none()
            && messages.is_empty()
            && invocations.is_empty()
    }
}

impl SentState {
    fn poll(&mut self, app: &AppState) -> Change {
        let mut change = Change::default();
        let resets = app.resets.load(Ordering::Relaxed);
        if self.resets != Some(resets) {
            *self = Self { resets: Some(resets), ..Self::default() };
            change.stage = Some(StageDocument {
                name: app.options.stage.clone(),
                url: app.url.clone(),
                dynamodb_url: app.dynamodb_url.clone(),
                cache_url: app.cache.url(),
            });
        }
        let clock = ClockDocument::of(app);
        // Time passes by itself; only a moved clock and a new day are changes.
        let position = (clock.offset_ms, clock.midnight, clock.moving_to);
        if self.clock.replace(position) != Some(position) {
            change.clock = Some(clock);
        }
        let faults = app.host.faults.plan();
        change.faults = (self.faults.replace(faults) != Some(faults)).then_some(faults);
        let schedules = app.scheduler.describe();
        let functions = state::functions(app, &schedules);
        if functions != self.functions {
            self.functions.clone_from(&functions);
            change.functions = Some(functions);
        }
        if schedules != self.schedules {
            self.schedules.clone_from(&schedules);
            change.schedules = Some(schedules);
        }
        let dead_letters = app.lambda.dead_letters();
        let version = dead_letters.version();
        if self.dead_letters.as_ref() != Some(&version) {
            let mut newest = dead_letters.list();
            newest.truncate(MAX_DEAD_LETTERS);
            change.dead_letters = Some(DeadLettersDocument { count: version.0, newest });
            self.dead_letters = Some(version);
        }
        let (count, mut messages) = app.inbox.since(self.messages);
        let most = if change.stage.is_some() { MAX_MESSAGES } else { MAX_NEW_MESSAGES };
        messages.drain(..messages.len().saturating_sub(most));
        (self.messages, change.messages) = (count, messages);
        let records = self.invocations(app);
        change.left_out = if change.stage.is_some() { 0 } else { records.len().saturating_sub(MAX_ROWS) };
        change.invocations = records[change.left_out..].iter().map(|record| Row::of(record)).collect();
        change
    }

    /// Those that the reader does not have, oldest first.
    fn invocations(&mut self, app: &AppState) -> Vec<Arc<Record>> {
        let mut records = Vec::new();
        for function in app.lambda.functions() {
            let known = self.invocations.entry(Arc::clone(&function.name)).or_default();
            let history = function.history.lock();
            records.extend(history.since(*known));
            *known = history.invocations;
        }
        records.sort_unstable_by_key(|record| record.sequence);
        records
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Row {
    fn of(record: &Record) -> Self {
        Self {
            n: record.sequence,
            time: record.began,
            function: Arc::clone(&record.function),
            request_id: Arc::clone(&record.request_id),
            ms: to_ms(record.duration_ms),
            init_ms: record.init_ms.map(to_ms),
            outcome: record.outcome,
            code: record.code(),
            attempt: record.attempt,
        }
    }
}
