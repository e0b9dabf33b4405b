//! Time. A request's "now" is what the gateway stamped on its event, a task's what its invocation carries,
//! so handlers are repeatable, and the local emulator moves time without a hook in the code.

use std::time::SystemTime;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A moment, seen in the stage's time zone.
#[derive(Clone)]
pub struct Now {
    at: Timestamp,
    zone: TimeZone,
}

impl Now {
    /// The moment `at`, for a stage in `zone`.
    #[must_use]
    pub fn new(at: Timestamp, zone: TimeZone) -> Self {
        Self { at, zone }
    }

    /// The moment.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.at
    }

    /// Milliseconds since the Unix epoch; 0 for moments before it.
    #[must_use]
    pub fn millis(&self) -> u64 {
        u64::try_from(self.at.as_millisecond()).unwrap_or(0)
    }

    /// Whole seconds since the Unix epoch; 0 for moments before it.
    #[must_use]
    pub fn secs(&self) -> u64 {
        u64::try_from(self.at.as_second()).unwrap_or(0)
    }

    /// Today in the stage's time zone.
    #[must_use]
    pub fn today(&self) -> Date {
        self.at.to_zoned(self.zone.clone()).date()
    }

    /// Milliseconds until the stage's next midnight. Never 0: at midnight itself a whole day is left.
    #[must_use]
    pub fn rest_millis_of_day(&self) -> u64 {
        let midnight = self.today().saturating_add(1.day()).to_zoned(self.zone.clone()).map(|day| day.timestamp()).ok();
        // Only a date at the end of the calendar (year 9999) has no tomorrow.
        let left = midnight.map_or(1, |midnight| midnight.as_millisecond() - self.at.as_millisecond());
        u64::try_from(left).unwrap_or(1).max(1)
    }
}

/// Writes a moment as `YYYY-MM-DD HH:MM:SS` in `zone`, as clients of the old service expect it.
#[must_use]
pub fn display(millis: i64, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(millis).unwrap_or_default();
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The machine's own time, for signatures of AWS requests, for the log, and in init. Never for a decision of ours.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// [`wall`] as events write it.
#[must_use]
pub fn wall_timestamp() -> Timestamp {
    Timestamp::try_from(wall()).unwrap_or_default()
}

/// [`wall`] in milliseconds since the Unix epoch.
#[must_use]
pub fn wall_millis() -> u64 {
    let since = wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shanghai(text: &str) -> Now {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        Now::new(format!("{text}+08:00").parse().unwrap(), zone)
    }

    #[test]
    fn the_rest_of_the_day_is_never_zero() {
        assert_eq!(shanghai("2026-11-22T00:00:00").rest_millis_of_day(), 86_400_000);
        assert_eq!(shanghai("2026-11-22T12:00:00").rest_millis_of_day(), 43_200_000);
        assert_eq!(shanghai("2026-11-22T23:59:59").rest_millis_of_day(), 1000);
        assert_eq!(shanghai("2026-11-22T23:59:59.5").rest_millis_of_day(), 500);
        assert_eq!(shanghai("2026-11-22T23:59:59.999").rest_millis_of_day(), 1);
    }

    #[test]
    fn a_day_with_a_clock_change_has_its_own_length() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let spring = Now::new("2026-03-29T00:00:00+01:00".parse().unwrap(), berlin.clone());
        let autumn = Now::new("2026-10-25T00:00:00+02:00".parse().unwrap(), berlin);
        assert_eq!(spring.rest_millis_of_day(), 23 * 3_600_000);
        assert_eq!(autumn.rest_millis_of_day(), 25 * 3_600_000);
    }

    #[test]
    fn today_is_the_day_of_the_stage() {
        let utc_evening = Now::new("2026-11-21T20:00:00Z".parse().unwrap(), TimeZone::get("Asia/Shanghai").unwrap());
        assert_eq!(utc_evening.today().to_string(), "2026-11-22");
    }

    #[test]
    fn a_moment_has_its_seconds_and_milliseconds_and_none_before_1970() {
        let at = |text: &str| Now::new(text.parse().unwrap(), TimeZone::UTC);
        let now = at("2026-11-22T12:00:00.789Z");
        assert_eq!((now.secs(), now.millis()), (1_795_348_800, 1_795_348_800_789));
        assert_eq!(now.timestamp().as_millisecond(), 1_795_348_800_789);
        let before = at("1969-12-31T23:59:59Z");
        assert_eq!((before.secs(), before.millis()), (0, 0));
    }

    #[test]
    fn a_day_whose_midnight_does_not_exist_ends_at_its_first_moment() {
        let cairo = TimeZone::get("Africa/Cairo").unwrap();
        let evening = Now::new("2027-04-29T23:00:00+02:00".parse().unwrap(), cairo.clone());
        assert_eq!(evening.rest_millis_of_day(), 3_600_000);
        let first = Now::new("2027-04-30T01:00:00+03:00".parse().unwrap(), cairo);
        assert_eq!((first.today().to_string().as_str(), first.rest_millis_of_day()), ("2027-04-30", 23 * 3_600_000));
        let azores = TimeZone::get("Atlantic/Azores").unwrap();
        let twice = Now::new("2027-10-31T00:00:00+00:00".parse().unwrap(), azores);
        assert_eq!(twice.rest_millis_of_day(), 25 * 3_600_000);
    }

    #[test]
    fn the_machines_clock_is_one_clock() {
        let (wall, timestamp) = (wall_millis(), wall_timestamp().as_millisecond());
        assert!(wall > 1_700_000_000_000 && timestamp.abs_diff(wall.cast_signed()) < 60_000, "{wall} {timestamp}");
    }

    #[test]
    fn times_are_shown_in_the_zone_of_the_stage() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(display(1_700_000_000_000, &zone), "2023-11-15 06:13:20");
    }
}
