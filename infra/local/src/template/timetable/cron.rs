//! Cron expressions with six fields, as `EventBridge` reads them, in a time zone with or without summer time.
//!
//! No crate for this dialect: those on crates.io have five fields or seconds first, Sunday as 0, both days at once, and
//! another rule for a local time that does not exist.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::field::{DAY_OF_MONTH, DAY_OF_WEEK, HOURS, MINUTES, MONTH, YEAR, number};

/// A cron expression; each list is sorted and has at least one value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cron {
    minutes: Vec<i16>,
    hours: Vec<i16>,
    days: Days,
    months: Vec<i16>,
    years: Vec<i16>,
}

/// The days of a month, chosen by one of the two fields for days. Days of the week count from 1, Sunday.
#[derive(Clone, Debug, PartialEq)]
enum Days {
    OfMonth(Vec<i16>),
    /// `L`
    LastOfMonth,
    /// `15W`: the day from Monday to Friday that is closest to the 15th and in the same month.
    ClosestWeekday(i16),
    /// `LW`
    LastWeekday,
    OfWeek(Vec<i16>),
    /// `6L`: the last Friday.
    LastOfWeek(i16),
    /// `3#2`: the second Tuesday.
    NthOfWeek(i16, i16),
}

impl Cron {
    /// Parses the text between the parentheses.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, day_of_month, month, day_of_week, year] = fields[..] else {
            return Err(format!("cron(…) has six fields, not {}", fields.len()));
        };
        let days = match (day_of_month, day_of_week) {
            ("?", "?") => return Err("one of day-of-month and day-of-week is ?, the other says the days".to_owned()),
            (days, "?") => Days::of_month(days)?,
            ("?", days) => Days::of_week(days)?,
            _ => return Err("day-of-month and day-of-week are both given; one of them is ?".to_owned()),
        };
        Ok(Self {
            minutes: MINUTES.parse(minutes)?,
            hours: HOURS.parse(hours)?,
            days,
            months: MONTH.parse(month)?,
            years: YEAR.parse(year)?,
        })
    }

    /// The first time after `after`, if there is one.
    ///
    /// Source: "Schedule types", "Daylight savings time on `EventBridge` Scheduler": a local time that does not exist
    /// is skipped; one that comes twice fires once, at the first of the two.
    pub(super) fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        // Local times that are skipped or fire once increase with real time, so no earlier one can be later.
        let floor = zone.to_datetime(after);
        let mut date = floor.date();
        let last_year = *self.years.last()?;
        while date.year() <= last_year {
            if self.takes(date) {
                for &hour in &self.hours {
                    for &minute in &self.minutes {
                        let local = date.to_datetime(time(hour, minute)?);
                        // The seconds of `floor` are ignored: the comparison below decides.
                        if local.date() == floor.date() && (hour, minute) < clock(floor.time()) {
                            continue;
                        }
                        let ambiguous = zone.to_ambiguous_timestamp(local);
                        if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
                            continue;
                        }
                        match ambiguous.earlier() {
                            Ok(found) if found > after => return Some(found),
                            _ => {}
                        }
                    }
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn takes(&self, date: Date) -> bool {
        self.years.binary_search(&date.year()).is_ok()
            && self.months.binary_search(&i16::from(date.month())).is_ok()
            && self.days.takes(date)
    }
}

impl Days {
    fn of_month(text: &str) -> Result<Self, String> {
        match (text, text.strip_suffix('W')) {
            ("L", _) => Ok(Self::LastOfMonth),
            // Not documented, but accepted by EventBridge, whose dialect is Quartz's.
            ("LW", _) => Ok(Self::LastWeekday),
            (_, Some(day)) => DAY_OF_MONTH.value(day).map(Self::ClosestWeekday),
            (_, None) => DAY_OF_MONTH.parse(text).map(Self::OfMonth),
        }
    }

    fn of_week(text: &str) -> Result<Self, String> {
        if text == "L" {
            // The last day of the week.
            return Ok(Self::OfWeek(vec![DAY_OF_WEEK.max]));
        }
        if let Some((day, nth)) = text.split_once('#') {
            let nth = number(nth).filter(|nth| (1..=5).contains(nth));
            let nth = nth.ok_or_else(|| format!("day-of-week takes one day#n with n from 1 to 5: {text}"))?;
            return DAY_OF_WEEK.value(day).map(|day| Self::NthOfWeek(day, nth));
        }
        match text.strip_suffix('L') {
            Some(day) => DAY_OF_WEEK.value(day).map(Self::LastOfWeek),
            None => DAY_OF_WEEK.parse(text).map(Self::OfWeek),
        }
    }

    fn takes(&self, date: Date) -> bool {
        let (day, last) = (i16::from(date.day()), i16::from(date.days_in_month()));
        let weekday = i16::from(date.weekday().to_sunday_one_offset());
        match self {
            Self::OfMonth(days) => days.binary_search(&day).is_ok(),
            Self::LastOfMonth => day == last,
            Self::ClosestWeekday(wanted) => closest_weekday(date, *wanted) == Some(day),
            Self::LastWeekday => closest_weekday(date, last) == Some(day),
            Self::OfWeek(days) => days.binary_search(&weekday).is_ok(),
            Self::LastOfWeek(wanted) => weekday == *wanted && day + 7 > last,
            Self::NthOfWeek(wanted, nth) => weekday == *wanted && (day - 1) / 7 + 1 == *nth,
        }
    }
}

/// The day from Monday to Friday that is closest to `wanted` in the month of `date`; none if the month has no such day.
fn closest_weekday(date: Date, wanted: i16) -> Option<i16> {
    let last = i16::from(date.days_in_month());
    let target = Date::new(date.year(), date.month(), i8::try_from(wanted).ok()?).ok()?;
    Some(match target.weekday().to_sunday_one_offset() {
        1 if wanted == last => wanted - 2,
        1 => wanted + 1,
        7 if wanted == 1 => wanted + 2,
        7 => wanted - 1,
        _ => wanted,
    })
}

fn time(hour: i16, minute: i16) -> Option<Time> {
    Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()
}

fn clock(time: Time) -> (i16, i16) {
    (i16::from(time.hour()), i16::from(time.minute()))
}
