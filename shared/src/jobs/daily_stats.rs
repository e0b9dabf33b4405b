//! What happened on a day: registrations, logins, messages, refusals.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::run_once::Progress;
use crate::cache::{Cache, DAYS_KEPT};
use crate::clock::Now;
use crate::config::Config;
use crate::db::{Database, Stats, Users};
use crate::error::{Cause, Error, StartError};
use crate::models::tick::Tick;
use crate::telemetry::Metric;

/// Names that stand in every day's item, also when nothing happened; the limits' refusals are the others.
const ALWAYS: [&str; 3] = ["logins", "sms_sent", "sms_verified"];

/// How far back the last day with stats is looked for: as far as a stage may stand still without losing a day.
const LOOK_BACK: i32 = 31;

/// Days whose stats a run wrote.
#[derive(Default)]
pub(super) struct Written {
    /// From the earliest to the last.
    pub(super) days: Vec<Date>,
    /// Those of the last one.
    pub(super) stats: BTreeMap<String, u64>,
}

/// Where a day's counts come from, and where they go.
pub(super) struct DailyStats {
    cache: Cache,
    users: Users,
    stats: Stats,
    config: Arc<Config>,
}

impl DailyStats {
    /// Counts of `cache` and of the users' table.
    ///
    /// # Errors
    /// A variable that is missing.
    pub(super) fn new(cache: Cache, database: &Database, config: &Arc<Config>) -> Result<Self, StartError> {
        let (users, stats) = (Users::new(database, config)?, Stats::new(database, config)?);
        Ok(Self { cache, users, stats, config: Arc::clone(config) })
    }

    /// Writes the stats of every day since the last one that has some, up to the day before the tick's, in the stage's time
    /// zone. Midnights are missing where clocks go forward at midnight, and when a schedule was off. A stage whose last
    /// [`LOOK_BACK`] days have none is a new one.
    ///
    /// # Errors
    /// [`Error::Redis`] or [`Error::Db`]; what was written until then stays written.
    pub(super) async fn write_missing(&self, tick: &Tick) -> Result<Progress<Written>, Error> {
        let today = Now::new(tick.at, self.config.zone.clone()).today();
        let before: Vec<Date> = (2..=LOOK_BACK).map(|days| today.saturating_sub(days.days())).collect();
        let last = self.stats.last_of(&before).await?;
        let mut written = Written::default();
        for day in missing(last, today) {
            if !tick.has_time() {
                return Ok(Progress::More(written));
            }
            written.stats = self.write(day, today).await?;
            written.days.push(day);
        }
        Ok(Progress::Done(written))
    }

    /// Writes the stats of a day as one item. Written again it is the same item. Registrations are counted by the users' ids,
    /// everything else was counted by the cache as it happened; of a day that the cache has forgotten it is left out.
    async fn write(&self, day: Date, today: Date) -> Result<BTreeMap<String, u64>, Error> {
        let midnight = |day: Date| {
            let start = day.to_zoned(self.config.zone.clone()).map(|start| start.timestamp());
            start.map_err(|cause| Error::Internal(Cause::of(&cause)))
        };
        let (from, until): (Timestamp, Timestamp) = (midnight(day)?, midnight(day.saturating_add(1.day()))?);
        let is_kept = day >= today.saturating_sub(DAYS_KEPT.days());
        let counted = async { if is_kept { self.cache.daily_stats(day).await.map(Some) } else { Ok(None) } };
        let (counted, registrations) = tokio::join!(counted, self.users.count_registered(from, until));
        let mut stats = BTreeMap::new();
        if let Some(counted) = counted? {
            let refusals = self.config.limits.iter().map(|limit| format!("refused_{}", limit.name));
            stats.extend(ALWAYS.into_iter().map(str::to_owned).chain(refusals).map(|name| (name, 0)));
            stats.extend(counted);
        }
        stats.insert("registrations".to_owned(), registrations?);
        self.stats.put(day, &stats).await?;
        Ok(stats)
    }
}

/// The days to write, the earliest first: those since the last one that has stats, and always the one before today.
fn missing(last: Option<Date>, today: Date) -> Vec<Date> {
    let yesterday = today.saturating_sub(1.day());
    let from = last.map_or(yesterday, |last| last.saturating_add(1.day()).min(yesterday));
    from.series(1.day()).take_while(|day| *day <= yesterday).collect()
}

/// The same stats for CloudWatch.
#[must_use]
pub(super) fn metrics(stats: &BTreeMap<String, u64>) -> Vec<Metric> {
    stats.iter().map(|(name, &count)| Metric::count(name, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_since_the_last_one_is_written() {
        let date = |day: &str| day.parse::<Date>().unwrap();
        for (last, days) in [
            (Some("2027-04-29"), &["2027-04-30"][..]),
            (Some("2027-04-28"), &["2027-04-29", "2027-04-30"]),
            (Some("2027-04-26"), &["2027-04-27", "2027-04-28", "2027-04-29", "2027-04-30"]),
            (Some("2027-04-30"), &["2027-04-30"]),
            (None, &["2027-04-30"]),
        ] {
            let expected: Vec<_> = days.iter().map(|day| date(day)).collect();
            assert_eq!(missing(last.map(date), date("2027-05-01")), expected, "{last:?}");
        }
    }
}
