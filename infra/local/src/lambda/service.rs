//! The Lambda service: functions by name, and synchronous invocations. Asynchronous ones are in `delivery`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use parking_lot::RwLock;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::dead_letters::DeadLetters;
use super::delivery::PendingEvent;
use super::function::Function;
use super::invocation::{Completion, History, Job};
use crate::error::EmulatorError;
use crate::random;
use crate::state_dir::StateDir;
use crate::tasks::Tasks;

/// How long a caller waits, including the queue.
///
/// Source: "Quotas for configuring and running an HTTP API": the integration timeout is 30 seconds.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// All functions.
#[derive(Debug)]
pub(crate) struct Lambda {
    functions: RwLock<BTreeMap<Arc<str>, Arc<Function>>>,
    dead_letters: DeadLetters,
    /// Tasks of pending events; apart from other tasks, so that a reset can drop them.
    pub(crate) events: Tasks,
    /// The same events, stored.
    pub(crate) pending: StateDir<PendingEvent>,
    /// Pause before the first retry; doubled before each further one.
    pub(crate) retry_delay: Duration,
    invoke: Arc<str>,
    asynchronous: Arc<str>,
}

/// An invocation without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Not within [`MAX_WAIT`]; the invocation continues.
    TooLate,
    /// It waited too long for a sandbox, or the emulator is stopping.
    Lost,
}

/// An event for a function.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) request_id: Arc<str>,
    pub(crate) body: Bytes,
    pub(crate) trace: HeaderValue,
}

impl Lambda {
    /// With the pending events and dead letters in the folder `state`.
    pub(crate) fn new(retry_delay: Duration, state: Option<&Path>) -> Result<Self, EmulatorError> {
        Ok(Self {
            functions: RwLock::default(),
            dead_letters: DeadLetters::new(StateDir::open(state, "dead_letters")?)?,
            events: Tasks::new(),
            pending: StateDir::open(state, "events")?,
            retry_delay,
            invoke: "invoke".into(),
            asynchronous: "async".into(),
        })
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

    /// A synchronous invocation by `Invoke`.
    pub(crate) async fn invoke(&self, function: &Arc<Function>, event: Event) -> Result<Completion, NoAnswer> {
        run(function, event, &self.invoke).await
    }

    /// An asynchronous invocation by `Invoke`.
    pub(crate) fn send(self: &Arc<Self>, function: Arc<Function>, event: Event) {
        // The caller does not wait for the outcome.
        drop(self.deliver(function, event, &self.asynchronous, None));
    }

    pub(crate) fn dead_letters(&self) -> &DeadLetters {
        &self.dead_letters
    }

    /// Drops pending events, dead letters and the history of every function.
    pub(crate) fn reset(&self) {
        self.events.restart();
        self.pending.clear();
        self.dead_letters.clear();
        for function in self.functions() {
            *function.history.lock() = History::default();
        }
    }

    /// Drops pending events and releases all sandboxes: an idle one and its function own each other.
    pub(crate) fn close(&self) {
        self.events.close();
        for function in self.functions() {
            function.retire();
        }
    }
}

impl Event {
    /// An event with a new request id.
    pub(crate) fn new(body: Bytes, now: Timestamp) -> Self {
        let trace = HeaderValue::try_from(random::trace(now.as_second()));
        Self { request_id: random::id(), body, trace: trace.unwrap_or_else(|_| HeaderValue::from_static("")) }
    }
}

/// Invokes a function for a caller that waits at most [`MAX_WAIT`].
pub(crate) async fn run(function: &Arc<Function>, event: Event, trigger: &Arc<str>) -> Result<Completion, NoAnswer> {
    let spec = function.spec();
    let wait = if spec.waits_for_debugger { spec.timeout } else { MAX_WAIT };
    match timeout(wait, submit(function, event, trigger, 1, wait)).await {
        Ok(Some(completion)) => Ok(completion),
        Ok(None) => Err(NoAnswer::Lost),
        Err(_) => Err(NoAnswer::TooLate),
    }
}

/// One attempt; `None` if it found no sandbox within `wait`.
pub(crate) async fn submit(
    function: &Arc<Function>,
    event: Event,
    trigger: &Arc<str>,
    attempt: u32,
    wait: Duration,
) -> Option<Completion> {
    let (reply, receiver) = oneshot::channel();
    let Event { request_id, body, trace } = event;
    let (trigger, expires) = (Arc::clone(trigger), Instant::now() + wait);
    function.dispatch(Job { request_id, event: body, trigger, attempt, trace, expires, reply });
    receiver.await.ok()
}
