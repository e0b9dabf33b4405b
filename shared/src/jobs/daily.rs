//! What happens at the stage's midnight.

use serde_json::json;

use super::daily_stats::{DailyStats, metrics};
use super::retention::Retention;
use super::run_once::Resumable;
use crate::aws::Clients;
use crate::cache::Cache;
use crate::db::Database;
use crate::error::{Error, StartError};
use crate::models::report::Report;
use crate::models::tick::Tick;

/// Yesterday's stats are written, and users who were deleted long ago are removed.
pub struct Daily {
    runs: Resumable,
    stats: DailyStats,
    retention: Retention,
}

impl Daily {
    /// Opens both stores.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let (database, cache) = tokio::try_join!(Database::connect(clients), Cache::connect(clients))?;
        Ok(Self {
            runs: Resumable::new(&database, clients)?,
            stats: DailyStats::new(cache, &database, &clients.config)?,
            retention: Retention::new(&database, &clients.config)?,
        })
    }

    /// One midnight.
    ///
    /// # Errors
    /// That of a store.
    pub async fn run(&self, tick: &Tick) -> Result<Report, Error> {
        let work = async {
            let (day, stats) = self.stats.write_yesterday(tick).await?;
            let erased = self.retention.erase_deleted(tick).await?;
            let metrics = metrics(&stats);
            Ok(erased.map(|erased| {
                let report = json!({ "day": day, "figures": stats, "erased": erased });
                Report { metrics, ..Report::from(report) }
            }))
        };
        Box::pin(self.runs.tick(tick, work)).await
    }
}
