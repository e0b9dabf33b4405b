//! The Lambda service: functions by name, runs that a caller waits for, and events that are retried.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::function::Function;
use crate::invocation::{Completion, History, Job, Outcome};
use crate::tasks::Tasks;

/// How long a caller waits, queueing included.
///
/// Source: "Quotas for configuring and running an HTTP API": the integration timeout is 30 seconds.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// How long an event may wait for a sandbox.
///
/// Source: "How Lambda handles errors and retries with asynchronous invocation": 6 hours.
const MAX_EVENT_AGE: Duration = Duration::from_hours(6);

/// Failed events that are kept.
const MAX_DEAD_LETTERS: usize = 1_000;

/// All functions of the stage.
#[derive(Debug)]
pub(crate) struct Lambda {
    functions: RwLock<BTreeMap<Arc<str>, Arc<Function>>>,
    dead_letters: Mutex<VecDeque<DeadLetter>>,
    /// Events under way; apart from other tasks, so that a reset can drop them.
    events: Tasks,
    /// Before the first retry; doubled before each further one.
    retry_delay: Duration,
    invoke: Arc<str>,
    asynchronous: Arc<str>,
}

/// An event that failed in every attempt, as `GET /_stage/dead_letters` shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DeadLetter {
    function: String,
    request_id: String,
    time: Timestamp,
    attempts: u32,
    /// How the last attempt ended.
    outcome: Outcome,
    /// The event as text.
    event: String,
}

/// A run that brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Not within [`MAX_WAIT`]; the run itself goes on.
    TooLate,
    /// The run is gone: it waited too long for a sandbox, or the stage is ending.
    Lost,
}

/// An event on its way to a function.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) request_id: Arc<str>,
    pub(crate) body: Bytes,
    pub(crate) trace: HeaderValue,
}

impl Lambda {
    pub(crate) fn new(retry_delay: Duration) -> Self {
        Self {
            functions: RwLock::default(),
            dead_letters: Mutex::default(),
            events: Tasks::new(),
            retry_delay,
            invoke: "invoke".into(),
            asynchronous: "async".into(),
        }
    }

    /// Replaces the list of functions.
    pub(crate) fn set_functions(&self, functions: impl IntoIterator<Item = Arc<Function>>) {
        *self.functions.write() =
            functions.into_iter().map(|function| (Arc::clone(&function.name), function)).collect();
    }

    pub(crate) fn function(&self, name: &str) -> Option<Arc<Function>> {
        self.functions.read().get(name).cloned()
    }

    pub(crate) fn functions(&self) -> Vec<Arc<Function>> {
        self.functions.read().values().cloned().collect()
    }

    /// A run that the caller of `Invoke` waits for.
    pub(crate) async fn invoke(&self, function: &Arc<Function>, event: Event) -> Result<Completion, NoAnswer> {
        run(function, event, &self.invoke).await
    }

    /// Takes an event, to be tried until it succeeds or its retries are used up.
    ///
    /// Every attempt has the same request id. Lambda waits one minute before the first retry and two before the
    /// second; here the delays are short so that a failing event can be watched.
    pub(crate) fn send(self: &Arc<Self>, function: Arc<Function>, event: Event) {
        let lambda = Arc::clone(self);
        self.events.spawn(async move {
            let attempts = 1 + function.spec().max_retries;
            let mut outcome = Outcome::Crash;
            for attempt in 1..=attempts {
                if attempt > 1 {
                    sleep(lambda.retry_delay * 2_u32.pow(attempt - 2)).await;
                }
                let answer = submit(&function, event.clone(), &lambda.asynchronous, attempt, MAX_EVENT_AGE).await;
                outcome = answer.map_or(Outcome::Crash, |completion| completion.outcome);
                if outcome == Outcome::Ok {
                    return;
                }
            }
            lambda.bury(DeadLetter {
                function: function.name.to_string(),
                request_id: event.request_id.to_string(),
                time: function.host.clock.now(),
                attempts,
                outcome,
                event: String::from_utf8_lossy(&event.body).into_owned(),
            });
        });
    }

    /// The events that have failed for good, newest first.
    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.dead_letters.lock().iter().rev().cloned().collect()
    }

    /// Forgets events, dead letters and the history of every function.
    pub(crate) fn reset(&self) {
        self.events.restart();
        self.dead_letters.lock().clear();
        for function in self.functions() {
            *function.history.lock() = History::default();
        }
    }

    /// Drops the events under way and lets go of all sandboxes: an idle one and its function hold each other.
    pub(crate) fn close(&self) {
        self.events.close();
        for function in self.functions() {
            function.retire();
        }
    }

    fn bury(&self, letter: DeadLetter) {
        let mut letters = self.dead_letters.lock();
        if letters.len() == MAX_DEAD_LETTERS {
            letters.pop_front();
        }
        letters.push_back(letter);
    }
}

/// Runs a function for a caller that waits at most [`MAX_WAIT`].
pub(crate) async fn run(function: &Arc<Function>, event: Event, trigger: &Arc<str>) -> Result<Completion, NoAnswer> {
    match timeout(MAX_WAIT, submit(function, event, trigger, 1, MAX_WAIT)).await {
        Ok(Some(completion)) => Ok(completion),
        Ok(None) => Err(NoAnswer::Lost),
        Err(_) => Err(NoAnswer::TooLate),
    }
}

async fn submit(
    function: &Arc<Function>,
    event: Event,
    trigger: &Arc<str>,
    attempt: u32,
    patience: Duration,
) -> Option<Completion> {
    let (reply, receiver) = oneshot::channel();
    let Event { request_id, body, trace } = event;
    let (trigger, expires) = (Arc::clone(trigger), Instant::now() + patience);
    function.dispatch(Job { request_id, event: body, trigger, attempt, trace, expires, reply });
    receiver.await.ok()
}
