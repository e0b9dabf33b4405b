//! One invocation of a function: the job for a sandbox, its completion, and the record of it.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::log::Lines;

/// Records of each function.
const MAX_RECORDS: usize = 1_000;

/// An invocation that waits for a sandbox.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request_id: Arc<str>,
    pub(crate) event: Bytes,
    /// A route key, `async`, `invoke`, or `schedule` and its name.
    pub(crate) trigger: Arc<str>,
    /// 1, and more for the retries of an asynchronous event.
    pub(crate) attempt: u32,
    /// `X-Amzn-Trace-Id` of the request that started it.
    pub(crate) trace: HeaderValue,
    /// After this a waiting job is dropped.
    pub(crate) expires: Instant,
    /// Closed without a value when the job is dropped.
    pub(crate) reply: oneshot::Sender<Completion>,
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Ok,
    /// The function reported an error.
    Error,
    /// The sandbox was killed at the function's timeout.
    Timeout,
    /// The process ended before it had answered.
    Crash,
    /// The process never asked for its first event.
    InitError,
    /// There was no invocation: Lambda did not accept the event.
    NotTaken,
}

/// The result of an invocation for its caller.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) outcome: Outcome,
    /// The function's response, or the error document.
    pub(crate) payload: Payload,
    pub(crate) record: Arc<Record>,
}

impl Completion {
    /// The response or the error document, if it is JSON.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_slice(&self.payload.bytes).unwrap_or_default()
    }

    /// Why the invocation failed, in one line.
    pub(crate) fn reason(&self) -> String {
        let document = self.document();
        match (document["errorType"].as_str(), document["errorMessage"].as_str()) {
            (Some(kind), Some(message)) => format!("{kind}: {message}"),
            (Some(text), None) | (None, Some(text)) => text.to_owned(),
            (None, None) => "an error without a type or a message".to_owned(),
        }
    }
}

/// The bytes of a response.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) bytes: Bytes,
    /// Streamed with `application/vnd.awslambda.http-integration-response`: a JSON prelude, eight NULs, the body.
    pub(crate) has_prelude: bool,
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, has_prelude: false }
    }
}

/// The record of an invocation, as `GET /_stage/invocations` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    /// Orders the records of all functions.
    #[serde(skip)]
    pub(crate) sequence: u64,
    #[serde(serialize_with = "text")]
    pub(crate) request_id: Arc<str>,
    #[serde(serialize_with = "text")]
    pub(crate) function: Arc<str>,
    #[serde(serialize_with = "text")]
    pub(crate) trigger: Arc<str>,
    /// When it began, in emulated time.
    pub(crate) began: Timestamp,
    pub(crate) cold: bool,
    /// From the start of the process to its first request for an event; null when warm.
    #[serde(serialize_with = "optional_ms")]
    pub(crate) init_ms: Option<Duration>,
    #[serde(serialize_with = "ms")]
    pub(crate) duration_ms: Duration,
    pub(crate) outcome: Outcome,
    /// `code` of a JSON envelope; the gateway sets it, because only it reads the body.
    #[serde(serialize_with = "once")]
    pub(crate) code: OnceLock<i64>,
    /// From the request to the response at the gateway, including the wait for a sandbox; null without a gateway.
    #[serde(serialize_with = "once_ms")]
    pub(crate) front_ms: OnceLock<Duration>,
    pub(crate) attempt: u32,
    #[serde(serialize_with = "lines")]
    pub(crate) log: Lines,
}

impl Record {
    /// Its `code`: from the response that the gateway read, else from the function's log line, where jobs and tasks have
    /// it.
    pub(crate) fn code(&self) -> Option<i64> {
        let logged = || {
            let lines = self.log.lock();
            let line = lines.iter().rev().find(|line| line.starts_with('{'))?;
            serde_json::from_str::<Value>(line).ok()?["code"].as_i64()
        };
        self.code.get().copied().or_else(logged)
    }
}

/// The last invocations of one function, and their number.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) invocations: u64,
    pub(crate) cold_starts: u64,
    records: VecDeque<Arc<Record>>,
}

impl History {
    pub(crate) fn push(&mut self, record: Arc<Record>) {
        self.invocations += 1;
        self.cold_starts += u64::from(record.cold);
        if self.records.len() == MAX_RECORDS {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    /// The newest first.
    pub(crate) fn recent(&self, limit: usize) -> impl Iterator<Item = Arc<Record>> {
        self.records.iter().rev().take(limit).cloned()
    }

    /// Those after the first `count`, if still recorded; the oldest first.
    pub(crate) fn since(&self, count: u64) -> impl Iterator<Item = Arc<Record>> {
        let new = usize::try_from(self.invocations.saturating_sub(count)).unwrap_or(usize::MAX);
        self.records.range(self.records.len() - new.min(self.records.len())..).cloned()
    }

    /// The records of one request, attempt by attempt.
    pub(crate) fn of_request(&self, request_id: &str) -> impl Iterator<Item = Arc<Record>> {
        self.records.iter().filter(move |record| *record.request_id == *request_id).cloned()
    }

    /// Durations of the recorded invocations.
    pub(crate) fn durations(&self) -> Vec<Duration> {
        self.records.iter().map(|record| record.duration_ms).collect()
    }

    pub(crate) fn last_duration_ms(&self) -> Option<f64> {
        self.records.back().map(|record| to_ms(record.duration_ms))
    }
}

/// Milliseconds with three decimals: the microseconds are real, the rest is noise.
pub(crate) fn to_ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

fn ms<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(to_ms(*duration))
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
fn optional_ms<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(to_ms).serialize(serializer)
}

pub(crate) fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn once<S: Serializer>(code: &OnceLock<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    code.get().serialize(serializer)
}

fn once_ms<S: Serializer>(duration: &OnceLock<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.get().copied().map(to_ms).serialize(serializer)
}

fn lines<S: Serializer>(lines: &Lines, serializer: S) -> Result<S::Ok, S::Error> {
    lines.lock().serialize(serializer)
}
