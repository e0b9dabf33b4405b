//! What happened on a day: registrations, logins, messages, refusals.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::cache::Cache;
use crate::clock::Now;
use crate::config::Config;
use crate::db::{Database, Stats, Users};
use crate::error::{Cause, Error, StartError};
use crate::models::tick::Tick;
use crate::telemetry::Metric;

/// Names that stand in every day's item, also when nothing happened; the limits' refusals are the others.
const ALWAYS: [&str; 3] = ["logins", "sms_sent", "sms_verified"];

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

    /// Writes the stats of the day before the tick's, in the stage's time zone, as one item. Written again it is the same
    /// item. Registrations are counted by the users' ids, everything else was counted by the cache as it happened.
    ///
    /// # Errors
    /// [`Error::Redis`] or [`Error::Db`].
    pub(super) async fn write_yesterday(&self, tick: &Tick) -> Result<(Date, BTreeMap<String, u64>), Error> {
        let today = Now::new(tick.at, self.config.zone.clone()).today();
        let yesterday = today.saturating_sub(1.day());
        let midnight = |day: Date| {
            let start = day.to_zoned(self.config.zone.clone()).map(|start| start.timestamp());
            start.map_err(|cause| Error::Internal(Cause::of(&cause)))
        };
        let (from, until): (Timestamp, Timestamp) = (midnight(yesterday)?, midnight(today)?);
        let (counted, registrations) =
            tokio::join!(self.cache.daily_stats(yesterday), self.users.count_registered(from, until));
        let refusals = self.config.limits.iter().map(|limit| format!("refused_{}", limit.name));
        let mut stats: BTreeMap<_, _> =
            ALWAYS.into_iter().map(str::to_owned).chain(refusals).map(|name| (name, 0)).collect();
        stats.extend(counted?);
        stats.insert("registrations".to_owned(), registrations?);
        self.stats.put(yesterday, &stats).await?;
        Ok((yesterday, stats))
    }
}

/// The same stats for CloudWatch.
#[must_use]
pub(super) fn metrics(stats: &BTreeMap<String, u64>) -> Vec<Metric> {
    stats.iter().map(|(name, &count)| Metric::count(name, count)).collect()
}
