//! The Lambda service: functions by name, and runs that a caller waits for. Events are in `delivery`.

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

use crate::delivery::Taken;
use crate::error::StageError;
use crate::function::Function;
use crate::invocation::{Completion, History, Job};
use crate::letters::DeadLetters;
use crate::random;
use crate::shelf::Shelf;
use crate::tasks::Tasks;

/// How long a caller waits, queueing included.
///
/// Source: "Quotas for configuring and running an HTTP API": the integration timeout is 30 seconds.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// All functions of the stage.
#[derive(Debug)]
pub(crate) struct Lambda {
    functions: RwLock<BTreeMap<Arc<str>, Arc<Function>>>,
    letters: DeadLetters,
    /// Events under way; apart from other tasks, so that a reset can drop them.
    pub(crate) events: Tasks,
    /// The same events, as they outlive the stage.
    pub(crate) taken: Shelf<Taken>,
    /// Before the first retry; doubled before each further one.
    pub(crate) retry_delay: Duration,
    invoke: Arc<str>,
    asynchronous: Arc<str>,
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
    /// With what the folder `state` has kept of events and dead letters.
    pub(crate) fn new(retry_delay: Duration, state: Option<&Path>) -> Result<Self, StageError> {
        Ok(Self {
            functions: RwLock::default(),
            letters: DeadLetters::new(Shelf::open(state, "dead_letters")?)?,
            events: Tasks::new(),
            taken: Shelf::open(state, "events")?,
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

    /// A run that the caller of `Invoke` waits for.
    pub(crate) async fn invoke(&self, function: &Arc<Function>, event: Event) -> Result<Completion, NoAnswer> {
        run(function, event, &self.invoke).await
    }

    /// Takes an event of a caller of `Invoke` who does not wait for it.
    pub(crate) fn send(self: &Arc<Self>, function: Arc<Function>, event: Event) {
        // Nobody asks how it ended.
        drop(self.deliver(function, event, &self.asynchronous, None));
    }

    pub(crate) fn letters(&self) -> &DeadLetters {
        &self.letters
    }

    /// Forgets events, dead letters and the history of every function.
    pub(crate) fn reset(&self) {
        self.events.restart();
        self.taken.clear();
        self.letters.clear();
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
}

impl Event {
    /// An event with an id of its own.
    pub(crate) fn new(body: Bytes, now: Timestamp) -> Self {
        let trace = HeaderValue::try_from(random::trace(now.as_second()));
        Self { request_id: random::id(), body, trace: trace.unwrap_or_else(|_| HeaderValue::from_static("")) }
    }
}

/// Runs a function for a caller that waits at most [`MAX_WAIT`].
pub(crate) async fn run(function: &Arc<Function>, event: Event, trigger: &Arc<str>) -> Result<Completion, NoAnswer> {
    let spec = function.spec();
    let patience = if spec.waits_for_debugger { spec.timeout } else { MAX_WAIT };
    match timeout(patience, submit(function, event, trigger, 1, patience)).await {
        Ok(Some(completion)) => Ok(completion),
        Ok(None) => Err(NoAnswer::Lost),
        Err(_) => Err(NoAnswer::TooLate),
    }
}

/// One attempt; none if it found no sandbox in time.
pub(crate) async fn submit(
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
