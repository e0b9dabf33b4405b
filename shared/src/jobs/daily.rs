//! What happens at the stage's midnight.

use serde_json::json;

use super::daily_stats::{DailyStats, Written, metrics};
use super::retention::Retention;
use super::run_once::{Progress, Resumable};
use crate::aws::Clients;
use crate::cache::Cache;
use crate::db::Database;
use crate::error::{Error, StartError};
use crate::models::report::Report;
use crate::models::tick::Tick;

/// The stats of every day that has none yet are written, and users who were deleted long ago are erased.
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
            stats: DailyStats::new(cache.clone(), &database, &clients.config)?,
            retention: Retention::new(&database, cache, &clients.config)?,
        })
    }

    /// One midnight.
    ///
    /// # Errors
    /// That of a store.
    pub async fn run(&self, tick: &Tick) -> Result<Report, Error> {
        let work = async {
            let written = self.stats.write_missing(tick).await?;
            let Progress::Done(Written { days, stats }) = written else {
                return Ok(written.map(|written| Report::from(json!({ "days": written.days }))));
            };
            let erased = self.retention.erase_deleted(tick).await?;
            let metrics = metrics(&stats);
            Ok(erased.map(|erased| {
                let report = json!({ "day": days.last(), "days": days, "figures": stats, "erased": erased });
                Report { metrics, ..Report::from(report) }
            }))
        };
        Box::pin(self.runs.tick(tick, work)).await
    }
}
