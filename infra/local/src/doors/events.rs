//! `GET events`: what changes in the stage, as server-sent events for the console.
//!
//! Whoever listens looks at the stage from time to time; nothing in a request's way knows of it. What has changed since
//! the last look goes out as one event, so that a busy stage makes larger events, up to a bound, and not more of them. Who is
//! slow to read is told less often.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Channel;
use http_body_util::channel::Sender;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::sleep;

use super::look::{self, ClockDocument, FunctionDocument};
use crate::faults::Plan;
use crate::inbox::Message;
use crate::invocation::{Outcome, Record, text, to_ms};
use crate::letters::DeadLetter;
use crate::live::Live;
use crate::scheduler::Description;

/// Between two looks at a calm stage, and at one that has run more than [`BUSY`] functions meanwhile: then the reader's
/// work counts too, which is done on the same machine.
const PAUSE: Duration = Duration::from_millis(100);
const LONG_PAUSE: Duration = Duration::from_secs(1);
const BUSY: usize = 20;

/// Invocations that one event tells, the newest; nobody reads thousands a second. A new reader is told all there are.
const MAX_ROWS: usize = 500;

/// Looks without a change until one is told all the same: only writing tells that a reader has gone.
const QUIET_LOOKS: u32 = 100;

/// Dead letters that are told, the newest; the door `dead_letters` has all.
const MAX_LETTERS: usize = 200;

/// Messages that are told to a new reader, and by one event later on, the newest.
const MAX_MESSAGES: usize = 500;
const MAX_NEW_MESSAGES: usize = 20;

/// What has changed; what has not is left out.
#[derive(Default, Serialize)]
struct Change {
    /// Forget everything: this is all there is.
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
    dead_letters: Option<LettersDocument>,
    /// New ones, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message>,
    /// The same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invocations: Vec<Row>,
    /// How many more there were.
    #[serde(skip_serializing_if = "is_zero")]
    left_out: usize,
}

/// What stays as long as the stage does.
#[derive(Serialize)]
struct StageDocument {
    name: String,
    url: String,
    dynamodb_url: String,
    cache_url: String,
}

#[derive(Serialize)]
struct LettersDocument {
    count: usize,
    newest: Vec<DeadLetter>,
}

/// An invocation without its lines, which `GET invocations?request_id=` has.
#[derive(Serialize)]
struct Row {
    /// Orders those of all functions.
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

/// What the reader knows.
#[derive(Default)]
struct Told {
    resets: Option<u64>,
    clock: Option<(i64, Timestamp)>,
    faults: Option<Plan>,
    functions: Vec<FunctionDocument>,
    schedules: Vec<Description>,
    letters: Option<(usize, Option<String>)>,
    messages: u64,
    /// By function.
    invocations: BTreeMap<Arc<str>, u64>,
}

pub(super) fn answer(live: &Arc<Live>) -> Response<Channel<Bytes>> {
    let (sender, body) = Channel::new(1);
    live.host.tasks.spawn(tell(Arc::clone(live), sender));
    let mut reply = Response::new(body);
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Tells what changes until the reader has gone.
async fn tell(live: Arc<Live>, mut reader: Sender<Bytes>) {
    let (mut told, mut quiet) = (Told::default(), 0);
    loop {
        let change = told.look(&live);
        let pause = if change.invocations.len() > BUSY { LONG_PAUSE } else { PAUSE };
        quiet += 1;
        if !change.is_empty() || quiet == QUIET_LOOKS {
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

impl Told {
    fn look(&mut self, live: &Live) -> Change {
        let mut change = Change::default();
        let resets = live.resets.load(Ordering::Relaxed);
        if self.resets != Some(resets) {
            *self = Self { resets: Some(resets), ..Self::default() };
            change.stage = Some(StageDocument {
                name: live.options.stage.clone(),
                url: live.url.clone(),
                dynamodb_url: live.store.url(),
                cache_url: live.cache.url(),
            });
        }
        let clock = look::clock(live);
        // It goes on by itself; what counts is where it was put, and that a day is over.
        if self.clock.replace((clock.offset_ms, clock.midnight)) != Some((clock.offset_ms, clock.midnight)) {
            change.clock = Some(clock);
        }
        let faults = live.host.faults.plan();
        change.faults = (self.faults.replace(faults) != Some(faults)).then_some(faults);
        let schedules = live.scheduler.describe();
        let functions = look::functions(live, &schedules);
        if functions != self.functions {
            self.functions.clone_from(&functions);
            change.functions = Some(functions);
        }
        if schedules != self.schedules {
            self.schedules.clone_from(&schedules);
            change.schedules = Some(schedules);
        }
        let letters = live.lambda.letters();
        let mark = letters.mark();
        if self.letters.as_ref() != Some(&mark) {
            let mut newest = letters.list();
            newest.truncate(MAX_LETTERS);
            change.dead_letters = Some(LettersDocument { count: mark.0, newest });
            self.letters = Some(mark);
        }
        let (count, mut messages) = live.inbox.since(self.messages);
        let most = if change.stage.is_some() { MAX_MESSAGES } else { MAX_NEW_MESSAGES };
        messages.drain(..messages.len().saturating_sub(most));
        (self.messages, change.messages) = (count, messages);
        let records = self.invocations(live);
        change.left_out = if change.stage.is_some() { 0 } else { records.len().saturating_sub(MAX_ROWS) };
        change.invocations = records[change.left_out..].iter().map(|record| Row::of(record)).collect();
        change
    }

    /// Those that the reader has not been told of, the oldest first.
    fn invocations(&mut self, live: &Live) -> Vec<Arc<Record>> {
        let mut records = Vec::new();
        for function in live.lambda.functions() {
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
