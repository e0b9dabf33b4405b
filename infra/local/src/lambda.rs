//! The Lambda service: functions by name, runs that a caller waits for, and events that are retried.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use parking_lot::RwLock;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::function::Function;
use crate::invocation::{Completion, History, Job, Outcome};
use crate::letters::{DeadLetter, DeadLetters};
use crate::random;
use crate::tasks::Tasks;

/// How long a caller waits, queueing included.
///
/// Source: "Quotas for configuring and running an HTTP API": the integration timeout is 30 seconds.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// How long an event may wait for a sandbox.
///
/// Source: "How Lambda handles errors and retries with asynchronous invocation": 6 hours.
const MAX_EVENT_AGE: Duration = Duration::from_hours(6);

/// All functions of the stage.
#[derive(Debug)]
pub(crate) struct Lambda {
    functions: RwLock<BTreeMap<Arc<str>, Arc<Function>>>,
    letters: DeadLetters,
    /// Events under way; apart from other tasks, so that a reset can drop them.
    events: Tasks,
    /// Before the first retry; doubled before each further one.
    retry_delay: Duration,
    invoke: Arc<str>,
    asynchronous: Arc<str>,
}

/// How an asynchronous event ended, after all of its attempts.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) request_id: Arc<str>,
    pub(crate) attempts: u32,
    pub(crate) outcome: Outcome,
    /// The last attempt; none if it never found a sandbox.
    pub(crate) last: Option<Completion>,
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
            letters: DeadLetters::default(),
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

    /// Takes an event of a caller of `Invoke` who does not wait for it.
    pub(crate) fn send(self: &Arc<Self>, function: Arc<Function>, event: Event) {
        // Nobody asks how it ended.
        drop(self.deliver(function, event, &self.asynchronous));
    }

    /// Takes an event, to be tried until it succeeds or its retries are used up; it is tried also when nobody waits
    /// for how it ends.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        function: Arc<Function>,
        event: Event,
        trigger: &Arc<str>,
    ) -> oneshot::Receiver<Delivery> {
        let (done, receiver) = oneshot::channel();
        let (lambda, trigger) = (Arc::clone(self), Arc::clone(trigger));
        self.events.spawn(async move {
            let delivery = if function.host.faults.duplicates() {
                tokio::join!(lambda.attempt(&function, &event, &trigger), lambda.attempt(&function, &event, &trigger)).0
            } else {
                lambda.attempt(&function, &event, &trigger).await
            };
            // The receiver is gone if nobody waits.
            let _ = done.send(delivery);
        });
        receiver
    }

    /// Every attempt has the same request id. Lambda waits one minute before the first retry and two before the
    /// second; here the delays are short so that a failing event can be watched.
    async fn attempt(&self, function: &Arc<Function>, event: &Event, trigger: &Arc<str>) -> Delivery {
        let attempts = 1 + function.spec().max_retries;
        let request_id = Arc::clone(&event.request_id);
        let mut attempt = 1;
        let last = loop {
            let last = submit(function, event.clone(), trigger, attempt, MAX_EVENT_AGE).await;
            if last.as_ref().is_some_and(|completion| completion.outcome == Outcome::Ok) {
                return Delivery { request_id, attempts: attempt, outcome: Outcome::Ok, last };
            }
            if attempt == attempts {
                break last;
            }
            sleep(self.retry_delay * 2_u32.pow(attempt - 1)).await;
            attempt += 1;
        };
        let outcome = last.as_ref().map_or(Outcome::Crash, |completion| completion.outcome);
        self.letters.push(DeadLetter {
            id: random::id(),
            function: Arc::clone(&function.name),
            trigger: Arc::clone(trigger),
            request_id: Arc::clone(&request_id),
            time: function.host.clock.now(),
            attempts,
            outcome,
            reason: last.as_ref().map_or_else(|| "it never found a sandbox".to_owned(), Completion::reason),
            event: event.body.clone(),
        });
        Delivery { request_id, attempts, outcome, last }
    }

    pub(crate) fn letters(&self) -> &DeadLetters {
        &self.letters
    }

    /// Invokes the function of a dead letter again with its event, or those of all letters, and waits until they have
    /// ended. What fails again becomes a new letter; a letter whose function is no more stays.
    pub(crate) async fn redrive(self: &Arc<Self>, id: Option<&str>, now: Timestamp) -> Vec<(DeadLetter, Delivery)> {
        let mut under_way = Vec::new();
        for letter in self.letters.take(id) {
            match self.function(&letter.function) {
                Some(function) => {
                    let event = Event::new(letter.event.clone(), now);
                    let delivery = self.deliver(function, event, &letter.trigger);
                    under_way.push((letter, delivery));
                }
                None => self.letters.push(letter),
            }
        }
        let mut ended = Vec::new();
        for (letter, delivery) in under_way {
            // No answer means that a reset has dropped it.
            if let Ok(delivery) = delivery.await {
                ended.push((letter, delivery));
            }
        }
        ended
    }

    /// Forgets events, dead letters and the history of every function.
    pub(crate) fn reset(&self) {
        self.events.restart();
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
