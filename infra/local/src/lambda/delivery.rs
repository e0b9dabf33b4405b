//! Asynchronous events: accepted, tried until they succeed or their retries are exhausted, and then dead letters.
//!
//! Two services have retry rules. Until Lambda accepts a scheduled event, the Scheduler retries by the schedule's
//! `RetryPolicy` and then uses the schedule's dead-letter queue. From then on Lambda retries by the function's
//! `EventInvokeConfig` and then uses its on-failure destination.
//!
//! Source: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation";
//! `EventBridge` Scheduler User Guide, "Managing a schedule".

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::dead_letters::{Condition, DeadLetter};
use super::function::Function;
use super::invocation::{Completion, Outcome};
use super::service::{Event, Lambda, submit};
use crate::clock::Clock;
use crate::random;
use crate::template::ScheduleSpec;

/// The longest pause between two attempts, so that many attempts can be watched.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// The result of an asynchronous event, after all of its attempts.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) request_id: Arc<str>,
    pub(crate) attempts: u32,
    pub(crate) outcome: Outcome,
    /// The last attempt; `None` if it never found a sandbox.
    pub(crate) last: Option<Completion>,
}

/// An event that Lambda has accepted and not yet completed, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PendingEvent {
    function: String,
    trigger: String,
    request_id: String,
    body: String,
}

/// How old an event may become, in emulated time.
struct AgeLimit<'a> {
    clock: &'a Clock,
    since: Timestamp,
    limit: Duration,
}

impl Lambda {
    /// Accepts an event and tries it until it succeeds or its retries are exhausted, also when nobody waits for the
    /// result. A scheduled event is accepted by the rule of its schedule.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        function: Arc<Function>,
        event: Event,
        trigger: &Arc<str>,
        schedule: Option<Arc<ScheduleSpec>>,
    ) -> oneshot::Receiver<Delivery> {
        let (done, receiver) = oneshot::channel();
        let (lambda, trigger) = (Arc::clone(self), Arc::clone(trigger));
        // Each delivery has a file of its own: a redriven event is pending while its dead letter is still stored.
        let id = random::id();
        self.pending.write(&id, &PendingEvent::new(&function, &event, &trigger));
        self.events.spawn(async move {
            let refused = match schedule {
                Some(schedule) => lambda.offer(&function, &event, &trigger, &schedule).await,
                None => None,
            };
            let delivery = match refused {
                Some(refused) => refused,
                None if function.host.faults.duplicates() => {
                    let attempt = || lambda.attempt(&function, &event, &trigger);
                    tokio::join!(attempt(), attempt()).0
                }
                None => lambda.attempt(&function, &event, &trigger).await,
            };
            lambda.pending.remove(&id);
            // The receiver may be gone.
            let _ = done.send(delivery);
        });
        receiver
    }

    /// Continues the events that were pending when the emulator stopped, except those of functions that are gone.
    pub(crate) fn resume(self: &Arc<Self>, events: Vec<PendingEvent>, now: Timestamp) {
        self.pending.clear();
        for pending in events {
            if let Some(function) = self.function(&pending.function) {
                let event = Event { request_id: pending.request_id.into(), ..Event::new(pending.body.into(), now) };
                drop(self.deliver(function, event, &pending.trigger.into(), None));
            }
        }
    }

    /// The Scheduler's retries: `None` once Lambda has accepted the event, else the final result.
    async fn offer(
        &self,
        function: &Arc<Function>,
        event: &Event,
        trigger: &str,
        schedule: &ScheduleSpec,
    ) -> Option<Delivery> {
        let age = AgeLimit::new(&function.host.clock, schedule.max_event_age);
        let mut attempts = 0;
        let condition = loop {
            if !function.host.faults.refuses() {
                return None;
            }
            attempts += 1;
            if attempts > schedule.max_retries {
                break Condition::RetriesExhausted;
            }
            sleep(self.pause(attempts)).await;
            if age.left().is_zero() {
                break Condition::EventAgeExceeded;
            }
        };
        let end =
            Delivery { request_id: Arc::clone(&event.request_id), attempts, outcome: Outcome::NotTaken, last: None };
        self.add_dead_letter(function, event, trigger, schedule.failed_events.clone(), condition, &end);
        Some(end)
    }

    /// Lambda's attempts, all with the same request id. Lambda waits one minute before the first retry and two before
    /// the second; here the pauses are short so that a failing event can be watched.
    async fn attempt(&self, function: &Arc<Function>, event: &Event, trigger: &Arc<str>) -> Delivery {
        let spec = function.spec();
        let age = AgeLimit::new(&function.host.clock, spec.max_event_age);
        let request_id = Arc::clone(&event.request_id);
        let mut attempts = 1;
        let (condition, last) = loop {
            let last = submit(function, event.clone(), trigger, attempts, age.left()).await;
            if last.as_ref().is_some_and(|completion| completion.outcome == Outcome::Ok) {
                return Delivery { request_id, attempts, outcome: Outcome::Ok, last };
            }
            if attempts > spec.max_retries {
                break (Condition::RetriesExhausted, last);
            }
            sleep(self.pause(attempts)).await;
            if age.left().is_zero() {
                break (Condition::EventAgeExceeded, last);
            }
            attempts += 1;
        };
        let outcome = last.as_ref().map_or(Outcome::Crash, |completion| completion.outcome);
        let end = Delivery { request_id, attempts, outcome, last };
        self.add_dead_letter(function, event, trigger, spec.failed_events.clone(), condition, &end);
        end
    }

    /// The pause after that many attempts.
    pub(crate) fn pause(&self, attempts: u32) -> Duration {
        self.retry_delay.saturating_mul(2_u32.saturating_pow(attempts - 1)).min(MAX_PAUSE.max(self.retry_delay))
    }

    fn add_dead_letter(
        &self,
        function: &Function,
        event: &Event,
        trigger: &str,
        queue: Option<String>,
        condition: Condition,
        end: &Delivery,
    ) {
        let reason = match (&end.last, end.outcome) {
            (Some(last), _) => last.reason(),
            (None, Outcome::NotTaken) => "Lambda did not accept it".to_owned(),
            (None, _) => "it never found a sandbox".to_owned(),
        };
        self.dead_letters().push(DeadLetter {
            id: random::id().to_string(),
            queue,
            condition,
            function: function.name.to_string(),
            trigger: trigger.to_owned(),
            request_id: event.request_id.to_string(),
            time: function.host.clock.now(),
            attempts: end.attempts,
            outcome: end.outcome,
            reason,
            event: text(&event.body),
        });
    }

    /// Invokes the function of one dead letter, or of all, again with its event, and waits for the results. An event that
    /// fails again becomes a new dead letter; one whose function is gone stays.
    pub(crate) async fn redrive(self: &Arc<Self>, id: Option<&str>, now: Timestamp) -> Vec<(DeadLetter, Delivery)> {
        let mut pending = Vec::new();
        for entry in self.dead_letters().take(id) {
            match self.function(&entry.function) {
                Some(function) => {
                    let event = Event::new(entry.event.clone().into(), now);
                    let delivery = self.deliver(function, event, &entry.trigger.as_str().into(), None);
                    // Only now: an emulator that is killed in between has the event twice, rather than never.
                    self.dead_letters().delete_stored(&entry.id);
                    pending.push((entry, delivery));
                }
                None => self.dead_letters().push(entry),
            }
        }
        let mut ended = Vec::new();
        for (entry, delivery) in pending {
            // An error means that a reset has dropped it.
            if let Ok(delivery) = delivery.await {
                ended.push((entry, delivery));
            }
        }
        ended
    }
}

impl PendingEvent {
    fn new(function: &Function, event: &Event, trigger: &str) -> Self {
        Self {
            function: function.name.to_string(),
            trigger: trigger.to_owned(),
            request_id: event.request_id.to_string(),
            body: text(&event.body),
        }
    }
}

impl<'a> AgeLimit<'a> {
    fn new(clock: &'a Clock, limit: Duration) -> Self {
        Self { clock, since: clock.now(), limit }
    }

    fn left(&self) -> Duration {
        let age = self.clock.now().duration_since(self.since);
        self.limit.saturating_sub(Duration::try_from(age).unwrap_or_default())
    }
}

/// An event is JSON, which is text.
fn text(body: &Bytes) -> String {
    String::from_utf8_lossy(body).into_owned()
}
