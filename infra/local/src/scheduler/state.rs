//! The schedules: when each fires next, what was fired, and what is stored of that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account;
use crate::lambda::Outcome;
use crate::random;
use crate::template::{ScheduleSpec, attribute};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) entries: BTreeMap<String, Entry>,
    /// Every time until here was passed to Lambda.
    pub(super) fired_until: Timestamp,
    /// The stored state of an earlier emulator, until the schedules are set for the first time.
    pub(super) stored: Option<SchedulerState>,
    /// Counts resets: a reset stops a running move of the clock.
    pub(super) resets: u64,
    /// Where a running move of the clock ends.
    pub(super) moving_to: Option<Timestamp>,
}

/// What is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SchedulerState {
    pub(super) offset_ms: i64,
    pub(super) fired_until: Timestamp,
    pub(super) schedules: BTreeMap<String, ScheduleState>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ScheduleState {
    pub(super) expression: String,
    pub(super) zone: String,
    pub(super) origin: Timestamp,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) spec: Arc<ScheduleSpec>,
    /// The trigger of its events in the list of invocations.
    pub(super) trigger: Arc<str>,
    /// When it was created, in whole seconds; a rate counts from here.
    pub(super) origin: Timestamp,
    pub(super) next: Option<Timestamp>,
    pub(super) last: Option<Last>,
}

/// The last event of a schedule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    pub(super) time: Timestamp,
    /// `None` while it runs.
    pub(super) outcome: Option<Outcome>,
}

/// A time at which a schedule fires.
#[derive(Clone, Debug)]
pub(super) struct Tick {
    pub(super) spec: Arc<ScheduleSpec>,
    pub(super) trigger: Arc<str>,
    pub(super) time: Timestamp,
}

/// A schedule as `GET /_stage/state` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(super) expression: String,
    pub(super) timezone: String,
    pub(crate) function: String,
    pub(super) enabled: bool,
    /// When it fires next; null for never.
    pub(super) next: Option<Timestamp>,
    /// The scheduled time of its last event.
    pub(super) last: Option<Timestamp>,
    /// How that ended; null before and while it runs.
    pub(super) last_outcome: Option<Outcome>,
}

impl State {
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.entries.values().filter_map(|entry| entry.next).min()
    }

    /// Every time up to `now` that has not been fired, in order.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<Tick> {
        let mut ticks = Vec::new();
        for entry in self.entries.values_mut() {
            while let Some(time) = entry.next.filter(|time| *time <= now) {
                ticks.push(entry.tick(time));
                entry.next = entry.spec.timetable.next(time, entry.origin);
            }
        }
        ticks.sort_by_key(|tick| tick.time);
        self.fired_until = self.fired_until.max(now);
        ticks
    }

    pub(super) fn record(&mut self, tick: &Tick, outcome: Option<Outcome>) {
        if let Some(entry) = self.entries.get_mut(&tick.spec.name) {
            // An event that ends after a later one has begun is no longer the last.
            if outcome.is_none() || entry.last.is_some_and(|last| last.time == tick.time) {
                entry.last = Some(Last { time: tick.time, outcome });
            }
        }
    }
}

impl ScheduleState {
    pub(super) fn is_of(&self, spec: &ScheduleSpec) -> bool {
        (&self.expression, &self.zone) == (&spec.expression, &spec.zone)
    }
}

impl Entry {
    /// Created at `origin`, and fired until `after`.
    pub(super) fn new(spec: ScheduleSpec, origin: Timestamp, after: Timestamp) -> Self {
        let origin = whole_second(origin);
        let next = if spec.is_enabled { spec.timetable.next(after, origin) } else { None };
        let trigger = format!("schedule {}", spec.name).into();
        Self { spec: Arc::new(spec), trigger, origin, next, last: None }
    }

    pub(super) fn tick(&self, time: Timestamp) -> Tick {
        Tick { spec: Arc::clone(&self.spec), trigger: Arc::clone(&self.trigger), time }
    }

    pub(super) fn state(&self) -> ScheduleState {
        ScheduleState { expression: self.spec.expression.clone(), zone: self.spec.zone.clone(), origin: self.origin }
    }

    pub(super) fn describe(&self) -> Description {
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
    /// event, and its own retries repeat the same event.
    pub(super) fn payload(&self) -> Bytes {
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

/// The time from `now` until `then`, at least zero; rounded up to milliseconds, the precision of the clock.
pub(super) fn span(now: Timestamp, then: Timestamp) -> Duration {
    let span = then.duration_since(now).max(SignedDuration::ZERO);
    let ms = span.as_nanos().unsigned_abs().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

pub(super) fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Entry, State};
    use crate::template::{ScheduleSpec, Timetable};

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
            max_retries: 0,
            max_event_age: Duration::from_hours(1),
            failed_events: None,
        };
        Entry::new(spec, time(now), time(now))
    }

    #[test]
    fn every_due_time_is_taken_once_and_in_order() {
        let now = "2026-11-22T07:10:00.250Z";
        let entries = [("hourly", "rate(1 hour)"), ("daily", "cron(0 0 * * ? *)")];
        let entries = entries.map(|(name, expression)| (name.to_owned(), entry(name, expression, now)));
        let mut state = State { entries: entries.into(), ..State::default() };
        assert_eq!(state.earliest(), Some(time("2026-11-22T08:10:00Z")));
        let end = time("2026-12-22T07:10:00.250Z");
        let ticks = state.take_due(end);
        assert_eq!(ticks.iter().filter(|tick| tick.spec.name == "hourly").count(), 720);
        assert_eq!(ticks.iter().filter(|tick| tick.spec.name == "daily").count(), 30);
        assert!(ticks.is_sorted_by_key(|tick| tick.time));
        assert_eq!(state.take_due(end).len(), 0);
    }

    #[test]
    fn the_payload_names_its_schedule_and_its_time() {
        let tick = entry("hourly", "rate(1 hour)", "2026-11-22T07:10:00Z").tick(time("2026-11-22T08:10:00Z"));
        let expected = concat!(
            r#"["2026-11-22T08:10:00Z","#,
            r#""arn:aws:scheduler:us-east-1:000000000000:schedule/default/hourly",1]"#
        );
        assert_eq!(tick.payload(), expected);
    }
}
