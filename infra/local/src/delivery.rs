//! Asynchronous events: taken, tried until they succeed or are given up, and then kept as dead letters.
//!
//! Two services can fail at an event, and each has a rule of its own. Until Lambda has taken the event of a schedule,
//! the Scheduler offers it again by the schedule's `RetryPolicy`, and gives it to the schedule's dead-letter queue.
//! From then on Lambda tries the function by its `EventInvokeConfig`, and gives the event to the on-failure destination.
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

use crate::clock::Clock;
use crate::function::Function;
use crate::invocation::{Completion, Outcome};
use crate::lambda::{Event, Lambda, submit};
use crate::letters::{Condition, DeadLetter};
use crate::random;
use crate::template::ScheduleSpec;

/// The longest pause between two attempts, so that many of them can be watched.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// How an asynchronous event ended, after all of its attempts.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) request_id: Arc<str>,
    pub(crate) attempts: u32,
    pub(crate) outcome: Outcome,
    /// The last attempt; none if it never found a sandbox.
    pub(crate) last: Option<Completion>,
}

/// An event that Lambda has taken and not yet ended, as it outlives the stage.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Taken {
    function: String,
    trigger: String,
    request_id: String,
    body: String,
}

/// How long something may be tried, in the stage's time.
struct Patience<'a> {
    clock: &'a Clock,
    since: Timestamp,
    limit: Duration,
}

impl Lambda {
    /// Takes an event, to be tried until it succeeds or its retries are used up; it is tried also when nobody waits
    /// for how it ends. The event of a schedule is taken by that schedule's rule.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        function: Arc<Function>,
        event: Event,
        trigger: &Arc<str>,
        schedule: Option<Arc<ScheduleSpec>>,
    ) -> oneshot::Receiver<Delivery> {
        let (done, receiver) = oneshot::channel();
        let (lambda, trigger) = (Arc::clone(self), Arc::clone(trigger));
        // Each delivery has a file of its own: a redrive is under way while its letter still is.
        let id = random::id();
        self.taken.put(&id, &Taken::new(&function, &event, &trigger));
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
            lambda.taken.remove(&id);
            // The receiver is gone if nobody waits.
            let _ = done.send(delivery);
        });
        receiver
    }

    /// Goes on with the events that were under way when the stage ended. Those of functions that are no more end.
    pub(crate) fn resume(self: &Arc<Self>, events: Vec<Taken>, now: Timestamp) {
        self.taken.clear();
        for taken in events {
            if let Some(function) = self.function(&taken.function) {
                let event = Event { request_id: taken.request_id.into(), ..Event::new(taken.body.into(), now) };
                drop(self.deliver(function, event, &taken.trigger.into(), None));
            }
        }
    }

    /// The Scheduler's part: none once Lambda has taken the event, else how it was given up.
    async fn offer(
        &self,
        function: &Arc<Function>,
        event: &Event,
        trigger: &str,
        schedule: &ScheduleSpec,
    ) -> Option<Delivery> {
        let patience = Patience::new(&function.host.clock, schedule.max_event_age);
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
            if patience.left().is_zero() {
                break Condition::EventAgeExceeded;
            }
        };
        let end =
            Delivery { request_id: Arc::clone(&event.request_id), attempts, outcome: Outcome::NotTaken, last: None };
        self.keep(function, event, trigger, schedule.failed_events.clone(), condition, &end);
        Some(end)
    }

    /// Every attempt has the same request id. Lambda waits one minute before the first retry and two before the
    /// second; here the pauses are short so that a failing event can be watched.
    async fn attempt(&self, function: &Arc<Function>, event: &Event, trigger: &Arc<str>) -> Delivery {
        let spec = function.spec();
        let patience = Patience::new(&function.host.clock, spec.max_event_age);
        let request_id = Arc::clone(&event.request_id);
        let mut attempts = 1;
        let (condition, last) = loop {
            let last = submit(function, event.clone(), trigger, attempts, patience.left()).await;
            if last.as_ref().is_some_and(|completion| completion.outcome == Outcome::Ok) {
                return Delivery { request_id, attempts, outcome: Outcome::Ok, last };
            }
            if attempts > spec.max_retries {
                break (Condition::RetriesExhausted, last);
            }
            sleep(self.pause(attempts)).await;
            if patience.left().is_zero() {
                break (Condition::EventAgeExceeded, last);
            }
            attempts += 1;
        };
        let outcome = last.as_ref().map_or(Outcome::Crash, |completion| completion.outcome);
        let end = Delivery { request_id, attempts, outcome, last };
        self.keep(function, event, trigger, spec.failed_events.clone(), condition, &end);
        end
    }

    /// Before another attempt after so many.
    fn pause(&self, attempts: u32) -> Duration {
        self.retry_delay.saturating_mul(2_u32.saturating_pow(attempts - 1)).min(MAX_PAUSE.max(self.retry_delay))
    }

    fn keep(
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
            (None, Outcome::NotTaken) => "Lambda did not take it".to_owned(),
            (None, _) => "it never found a sandbox".to_owned(),
        };
        self.letters().push(DeadLetter {
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

    /// Invokes the function of a dead letter again with its event, or those of all letters, and waits until they have
    /// ended. What fails again becomes a new letter; a letter whose function is no more stays.
    pub(crate) async fn redrive(self: &Arc<Self>, id: Option<&str>, now: Timestamp) -> Vec<(DeadLetter, Delivery)> {
        let mut under_way = Vec::new();
        for letter in self.letters().take(id) {
            match self.function(&letter.function) {
                Some(function) => {
                    let event = Event::new(letter.event.clone().into(), now);
                    let delivery = self.deliver(function, event, &letter.trigger.as_str().into(), None);
                    // Only now: a stage that is killed in between has it twice, and not never.
                    self.letters().forget(&letter.id);
                    under_way.push((letter, delivery));
                }
                None => self.letters().push(letter),
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
}

impl Taken {
    fn new(function: &Function, event: &Event, trigger: &str) -> Self {
        Self {
            function: function.name.to_string(),
            trigger: trigger.to_owned(),
            request_id: event.request_id.to_string(),
            body: text(&event.body),
        }
    }
}

impl<'a> Patience<'a> {
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
