//! Expressions of `EventBridge` Scheduler, and the next time at which one fires.
//!
//! Source: `EventBridge` Scheduler User Guide, "Schedule types"; `EventBridge` User Guide, "Cron expressions reference"
//! and "Rate expressions reference"; `EventBridge` Scheduler API Reference, `CreateSchedule`. Where these pages differ,
//! the strictest holds, so that AWS accepts what fires here: a cron expression has six fields (one page calls the year
//! optional), and `rate(1 day)` is singular (one page writes `rate(1 days)`).

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::cron::Cron;
use super::field;

/// The time zone of a schedule that names none.
pub(crate) const DEFAULT_ZONE: &str = "UTC";

/// A schedule expression with its time zone and its start and end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timetable {
    expression: Expression,
    zone: TimeZone,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    /// A local time that does not exist is the time that the clock shows instead; of two, the first counts.
    At(DateTime),
    Cron(Cron),
    /// A day is 24 hours, also when the clocks change.
    Rate(SignedDuration),
}

impl Timetable {
    /// Parses an expression for the time zone with that IANA name.
    pub(crate) fn new(expression: &str, zone: &str) -> Result<Self, String> {
        let zone = TimeZone::get(zone).map_err(|_| format!("{zone} is not a time zone of the IANA database"))?;
        let parsed = match split(expression) {
            Some(("at", date)) => at(date).map(Expression::At),
            Some(("cron", fields)) => Cron::parse(fields).map(Expression::Cron),
            Some(("rate", rate)) => self::rate(rate).map(Expression::Rate),
            _ => Err("should be rate(…), cron(…) or at(…)".to_owned()),
        };
        let expression = parsed.map_err(|problem| format!("{expression}: {problem}"))?;
        Ok(Self { expression, zone, start: None, end: None })
    }

    /// Limits it to `StartDate` and `EndDate`; a one-time schedule ignores them, as AWS does.
    pub(crate) fn between(self, start: Option<Timestamp>, end: Option<Timestamp>) -> Self {
        Self { start, end, ..self }
    }

    /// The first time after `after`, if there is one. `origin` is the schedule's creation: a rate without a `StartDate`
    /// counts from there.
    ///
    /// A rate first fires one interval after its origin. AWS fires it at once too; here that would run every job at each
    /// start of the emulator.
    pub(crate) fn next(&self, after: Timestamp, origin: Timestamp) -> Option<Timestamp> {
        let found = match &self.expression {
            Expression::At(date) => {
                let time = self.zone.to_timestamp(*date).ok()?;
                return (time > after).then_some(time);
            }
            Expression::Cron(cron) => {
                let just_before = |start: Timestamp| start.checked_sub(SignedDuration::from_nanos(1)).ok();
                let start = self.start.and_then(just_before).unwrap_or(Timestamp::MIN);
                cron.next(after.max(start), &self.zone)
            }
            Expression::Rate(every) => {
                let first = self.start.or_else(|| origin.checked_add(*every).ok())?;
                if after < first {
                    Some(first)
                } else {
                    let passed = after.duration_since(first).as_secs() / every.as_secs();
                    let steps = i32::try_from(passed + 1).ok()?;
                    first.checked_add(every.checked_mul(steps)?).ok()
                }
            }
        };
        found.filter(|time| self.end.is_none_or(|end| *time <= end))
    }
}

/// `name(argument)` in two.
fn split(expression: &str) -> Option<(&str, &str)> {
    expression.strip_suffix(')')?.split_once('(')
}

/// `yyyy-mm-ddThh:mm:ss`, in the schedule's time zone.
fn at(text: &str) -> Result<DateTime, String> {
    // The parser also takes shorter and longer forms; AWS takes this one.
    let shape = text.len() == 19 && text.as_bytes().get(10) == Some(&b'T');
    let date = if shape { DateTime::strptime("%Y-%m-%dT%H:%M:%S", text).ok() } else { None };
    date.ok_or_else(|| "at(…) takes a date like 2026-11-22T13:00:00, without a zone".to_owned())
}

/// `5 minutes`, `1 hour`.
fn rate(text: &str) -> Result<SignedDuration, String> {
    let Some((value, unit)) = text.split_once(' ') else {
        return Err("rate(…) takes a number and a unit".to_owned());
    };
    let value = match field::number(value) {
        Some(value @ 1..) => i64::from(value),
        _ => return Err(format!("{value:?} is not a whole number from 1 to {}", i16::MAX)),
    };
    let (seconds, singular) = match unit {
        "minute" | "minutes" => (60, "minute"),
        "hour" | "hours" => (3_600, "hour"),
        "day" | "days" => (86_400, "day"),
        _ => return Err(format!("{unit} is not one of minute, minutes, hour, hours, day, days")),
    };
    match (value, unit.ends_with('s')) {
        (1, true) => Err(format!("the unit of 1 is {singular}")),
        (2.., false) => Err(format!("the unit of {value} is {singular}s")),
        _ => Ok(SignedDuration::from_secs(value * seconds)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Timetable;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_rate_counts_from_its_start_date_else_from_its_origin() {
        let origin = time("2026-03-01T10:20:30Z");
        let rate = Timetable::new("rate(1 hour)", "UTC").unwrap();
        assert_eq!(rate.next(origin, origin), Some(time("2026-03-01T11:20:30Z")));
        assert_eq!(rate.next(time("2026-03-02T11:20:30Z"), origin), Some(time("2026-03-02T12:20:30Z")));
        let dated = rate.between(Some(time("2026-03-03T00:00:00Z")), Some(time("2026-03-03T01:30:00Z")));
        assert_eq!(dated.next(origin, origin), Some(time("2026-03-03T00:00:00Z")));
        assert_eq!(dated.next(time("2026-03-03T00:00:00Z"), origin), Some(time("2026-03-03T01:00:00Z")));
        assert_eq!(dated.next(time("2026-03-03T01:00:00Z"), origin), None);
    }

    #[test]
    fn a_cron_schedule_counts_between_its_dates_both_included() {
        let noon = Timetable::new("cron(0 12 * * ? *)", "UTC").unwrap();
        let noon = noon.between(Some(time("2026-03-03T12:00:00Z")), Some(time("2026-03-04T12:00:00Z")));
        let before = time("2026-01-01T00:00:00Z");
        assert_eq!(noon.next(before, before), Some(time("2026-03-03T12:00:00Z")));
        assert_eq!(noon.next(time("2026-03-03T12:00:00Z"), before), Some(time("2026-03-04T12:00:00Z")));
        assert_eq!(noon.next(time("2026-03-04T12:00:00Z"), before), None);
    }

    #[test]
    fn every_hour_and_every_midnight_of_a_month_fires_once() {
        // Both months have a change of Berlin's clocks in them.
        for (start, end) in [("2026-03-15", "2026-04-14"), ("2026-10-15", "2026-11-14")] {
            let [start, end] = [start, end].map(|day| time(&format!("{day}T12:00:00Z")));
            for zone in ["Europe/Berlin", "Asia/Shanghai", "UTC"] {
                let count = |expression| {
                    let timetable = Timetable::new(expression, zone).unwrap();
                    let next = |time: &Timestamp| timetable.next(*time, start);
                    std::iter::successors(next(&start), next).take_while(|time| *time <= end).count()
                };
                assert_eq!((count("rate(1 hour)"), count("cron(0 0 * * ? *)")), (720, 30), "{zone} from {start}");
            }
        }
    }
}
