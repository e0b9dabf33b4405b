//! `EventBridge` Scheduler: fires every schedule of the template when the stage's time comes to it, one event a time.
//!
//! Nothing here outlives the stage, also not with a state folder: a stage that is started again goes on from its own
//! now. What it missed while it was down is not fired, and rates count from the new start. A function that must not
//! miss a tick looks at what it did last, as it must on AWS too.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

use crate::account;
use crate::cache;
use crate::clock::Clock;
use crate::error::StageError;
use crate::invocation::Outcome;
use crate::lambda::{Delivery, Event, Lambda};
use crate::random;
use crate::tasks::Tasks;
use crate::template::{ScheduleSpec, attribute};

/// The longest sleep; a machine that was suspended looks at its clock again after it.
const MAX_SLEEP: Duration = Duration::from_mins(1);

/// All schedules of the stage.
#[derive(Debug)]
pub(crate) struct Scheduler {
    lambda: Arc<Lambda>,
    clock: Clock,
    tasks: Tasks,
    state: Mutex<State>,
    /// Wakes [`Scheduler::run`] when the time or the schedules have changed.
    changed: Notify,
    /// Held while the clock is moved: one move ends before the next one begins.
    moving: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    /// Counts resets: a move that began before one stops.
    resets: u64,
}

#[derive(Debug)]
struct Entry {
    spec: Arc<ScheduleSpec>,
    /// What its events are called in the list of invocations.
    trigger: Arc<str>,
    /// When the stage took it up, in whole seconds; a rate counts from here.
    origin: Timestamp,
    next: Option<Timestamp>,
    last: Option<Last>,
}

/// The last event of a schedule.
#[derive(Clone, Copy, Debug)]
struct Last {
    time: Timestamp,
    /// None while it runs.
    outcome: Option<Outcome>,
}

/// A time to which a schedule fires.
#[derive(Clone, Debug)]
struct Tick {
    spec: Arc<ScheduleSpec>,
    trigger: Arc<str>,
    time: Timestamp,
}

/// A schedule as `GET /_stage/state` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Description {
    pub(crate) name: String,
    expression: String,
    timezone: String,
    pub(crate) function: String,
    enabled: bool,
    /// When it fires next; null if it never will.
    next: Option<Timestamp>,
    /// The scheduled time of its last event.
    last: Option<Timestamp>,
    /// How that ended; null before and while it runs.
    last_outcome: Option<Outcome>,
}

impl Scheduler {
    pub(crate) fn new(lambda: Arc<Lambda>, clock: Clock, tasks: Tasks) -> Self {
        let (state, changed, moving) = (Mutex::default(), Notify::new(), tokio::sync::Mutex::default());
        Self { lambda, clock, tasks, state, changed, moving }
    }

    /// Replaces the schedules; one that is as before goes on counting.
    pub(crate) fn set_schedules(&self, specs: Vec<ScheduleSpec>) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let mut old = std::mem::take(&mut state.entries);
        for spec in specs {
            let entry = match old.remove(&spec.name) {
                Some(entry) if *entry.spec == spec => entry,
                _ => Entry::new(spec, now),
            };
            state.entries.insert(entry.spec.name.clone(), entry);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Fires what is due, as long as the stage lives.
    pub(crate) async fn run(self: Arc<Self>) -> Infallible {
        loop {
            let now = self.clock.now();
            for tick in self.state.lock().take_due(now) {
                let scheduler = Arc::clone(&self);
                // On AWS, too, an event that still runs does not hold up the next one.
                self.tasks.spawn(async move {
                    scheduler.fire(tick).await;
                });
            }
            let wait = self.state.lock().earliest().map_or(MAX_SLEEP, |next| span(now, next).min(MAX_SLEEP));
            tokio::select! {
                () = sleep(wait) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Moves the stage's time on, and the life of what the cache keeps with it; fires every time on the way.
    ///
    /// The clock stops at each of these times and goes on when the events have ended, those of one time side by side.
    /// So a function finds the stage as it would have been then: what was to expire later is still there. Returns
    /// when the last event has ended.
    pub(crate) async fn advance(&self, by: Duration, cache: cache::Address) -> Result<(), StageError> {
        let _alone = self.moving.lock().await;
        let resets = self.state.lock().resets;
        let mut left = by;
        loop {
            let now = self.clock.now();
            let next = self.state.lock().earliest().filter(|next| span(now, *next) <= left);
            let step = next.map_or(left, |next| span(now, next));
            if !step.is_zero() {
                cache.age(step).await?;
            }
            let ticks = {
                let mut state = self.state.lock();
                if state.resets != resets {
                    return Ok(());
                }
                // In one with taking the ticks, so that `run` cannot fire them first.
                self.clock.advance(step);
                next.map_or_else(Vec::new, |next| state.take_due(next))
            };
            self.changed.notify_one();
            left -= step;
            let under_way: Vec<_> = ticks.into_iter().map(|tick| self.start(tick)).collect();
            for (tick, receiver) in under_way {
                self.finish(&tick, receiver).await;
            }
            if next.is_none() {
                return Ok(());
            }
        }
    }

    /// Fires a schedule as if that time had come, or now; none if there is no such schedule.
    pub(crate) async fn fire_now(&self, name: &str, time: Option<Timestamp>) -> Option<(Timestamp, Option<Delivery>)> {
        let time = whole_second(time.unwrap_or_else(|| self.clock.now()));
        let tick = self.find(name, time)?;
        Some((time, self.fire(tick).await))
    }

    /// The tick of a schedule by its own name, or by the binary of its function, which is the shorter one.
    fn find(&self, name: &str, time: Timestamp) -> Option<Tick> {
        let state = self.state.lock();
        let starts = |entry: &&Entry| {
            self.lambda.function(&entry.spec.function).is_some_and(|function| function.spec().binary == name)
        };
        let entry = state.entries.get(name).or_else(|| state.entries.values().find(starts))?;
        Some(entry.tick(time))
    }

    /// Real time again, and nothing has fired yet.
    pub(crate) fn reset(&self) {
        let mut state = self.state.lock();
        state.resets += 1;
        self.clock.reset();
        let now = self.clock.now();
        for entry in state.entries.values_mut() {
            *entry = Entry::new(ScheduleSpec::clone(&entry.spec), now);
        }
        drop(state);
        self.changed.notify_one();
    }

    pub(crate) fn describe(&self) -> Vec<Description> {
        self.state.lock().entries.values().map(Entry::describe).collect()
    }

    /// All schedules and when they fire, for people.
    pub(crate) fn expressions(&self) -> Vec<(String, String)> {
        let state = self.state.lock();
        let specs = state.entries.values().map(|entry| &entry.spec);
        specs.map(|spec| (spec.name.clone(), format!("{} {}", spec.expression, spec.zone))).collect()
    }

    async fn fire(&self, tick: Tick) -> Option<Delivery> {
        let (tick, receiver) = self.start(tick);
        self.finish(&tick, receiver).await
    }

    fn start(&self, tick: Tick) -> (Tick, Option<oneshot::Receiver<Delivery>>) {
        self.note(&tick, None);
        let receiver = self.lambda.function(&tick.spec.function).map(|function| {
            let event = Event::new(tick.payload(), self.clock.now());
            self.lambda.deliver(function, event, &tick.trigger)
        });
        (tick, receiver)
    }

    /// None if the event was dropped by a reset, or its function by a reload.
    async fn finish(&self, tick: &Tick, receiver: Option<oneshot::Receiver<Delivery>>) -> Option<Delivery> {
        let delivery = receiver?.await.ok()?;
        self.note(tick, Some(delivery.outcome));
        Some(delivery)
    }

    fn note(&self, tick: &Tick, outcome: Option<Outcome>) {
        if let Some(entry) = self.state.lock().entries.get_mut(&tick.spec.name) {
            // An event that ends after a later one has begun is no longer the last.
            if outcome.is_none() || entry.last.is_some_and(|last| last.time == tick.time) {
                entry.last = Some(Last { time: tick.time, outcome });
            }
        }
    }
}

impl State {
    fn earliest(&self) -> Option<Timestamp> {
        self.entries.values().filter_map(|entry| entry.next).min()
    }

    /// Every time up to `now` that has not been fired, in order.
    fn take_due(&mut self, now: Timestamp) -> Vec<Tick> {
        let mut ticks = Vec::new();
        for entry in self.entries.values_mut() {
            while let Some(time) = entry.next.filter(|time| *time <= now) {
                ticks.push(entry.tick(time));
                entry.next = entry.spec.timetable.next(time, entry.origin);
            }
        }
        ticks.sort_by_key(|tick| tick.time);
        ticks
    }
}

impl Entry {
    fn new(spec: ScheduleSpec, now: Timestamp) -> Self {
        let origin = whole_second(now);
        let next = if spec.is_enabled { spec.timetable.next(now, origin) } else { None };
        let trigger = format!("schedule {}", spec.name).into();
        Self { spec: Arc::new(spec), trigger, origin, next, last: None }
    }

    fn tick(&self, time: Timestamp) -> Tick {
        Tick { spec: Arc::clone(&self.spec), trigger: Arc::clone(&self.trigger), time }
    }

    fn describe(&self) -> Description {
        Description {
            name: self.spec.name.clone(),
            expression: self.spec.expression.clone(),
            timezone: self.spec.zone.clone(),
            function: self.spec.function.clone(),
            enabled: self.spec.is_enabled,
            next: self.next,
            last: self.last.map(|last| last.time),
            last_outcome: self.last.and_then(|last| last.outcome),
        }
    }
}

impl Tick {
    /// The schedule's input with the context attributes filled in. The attempt is always the first: Lambda takes the
    /// event, and its own retries send the same event again.
    fn payload(&self) -> Bytes {
        let ScheduleSpec { name, group, input, .. } = &*self.spec;
        if !input.contains("<aws.scheduler.") {
            return input.clone().into();
        }
        let arn = account::arn("scheduler", &format!("schedule/{group}/{name}"));
        let filled = input
            .replace(attribute::SCHEDULE_ARN, &arn)
            .replace(attribute::SCHEDULED_TIME, &self.time.to_string())
            .replace(attribute::EXECUTION_ID, &random::hex()[..16])
            .replace(attribute::ATTEMPT_NUMBER, "1");
        filled.into()
    }
}

/// From `now` until `then`, zero if that is past. Whole milliseconds, as the clock moves, and not too few.
fn span(now: Timestamp, then: Timestamp) -> Duration {
    let span = then.duration_since(now).max(SignedDuration::ZERO);
    let ms = span.as_nanos().unsigned_abs().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Entry, State};
    use crate::schedule::Timetable;
    use crate::template::ScheduleSpec;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn entry(name: &str, expression: &str, now: &str) -> Entry {
        let spec = ScheduleSpec {
            name: name.to_owned(),
            group: "default".to_owned(),
            function: "f".to_owned(),
            expression: expression.to_owned(),
            zone: "UTC".to_owned(),
            timetable: Timetable::new(expression, "UTC").unwrap(),
            input:
                r#"["<aws.scheduler.scheduled-time>","<aws.scheduler.schedule-arn>",<aws.scheduler.attempt-number>]"#
                    .to_owned(),
            is_enabled: true,
        };
        Entry::new(spec, time(now))
    }

    #[test]
    fn every_time_on_the_way_is_taken_once_and_in_order() {
        let now = "2026-11-22T07:10:00.250Z";
        let entries = [("hourly", "rate(1 hour)"), ("daily", "cron(0 0 * * ? *)")];
        let entries = entries.map(|(name, expression)| (name.to_owned(), entry(name, expression, now)));
        let mut state = State { entries: entries.into(), resets: 0 };
        assert_eq!(state.earliest(), Some(time("2026-11-22T08:10:00Z")));
        let end = time("2026-12-22T07:10:00.250Z");
        let ticks = state.take_due(end);
        assert_eq!(ticks.iter().filter(|tick| tick.spec.name == "hourly").count(), 720);
        assert_eq!(ticks.iter().filter(|tick| tick.spec.name == "daily").count(), 30);
        assert!(ticks.is_sorted_by_key(|tick| tick.time));
        assert_eq!(state.take_due(end).len(), 0);
    }

    #[test]
    fn the_payload_says_which_schedule_and_which_time() {
        let tick = entry("hourly", "rate(1 hour)", "2026-11-22T07:10:00Z").tick(time("2026-11-22T08:10:00Z"));
        let expected = concat!(
            r#"["2026-11-22T08:10:00Z","#,
            r#""arn:aws:scheduler:us-east-1:000000000000:schedule/default/hourly",1]"#
        );
        assert_eq!(tick.payload(), expected);
    }
}
