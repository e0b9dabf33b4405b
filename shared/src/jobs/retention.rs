//! How long deleted users stay: as long as they can be restored. Then all that is known of them is erased.

use std::sync::Arc;

use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::run_once::Progress;
use crate::cache::Cache;
use crate::config::Config;
use crate::db::{Database, Users};
use crate::error::{Error, StartError};
use crate::models::changed_by::ChangedBy;
use crate::models::phone::Phone;
use crate::models::tick::Tick;

/// Users of one batch, erased side by side.
const BATCH: usize = 25;

/// What erases users.
pub(super) struct Retention {
    users: Users,
    cache: Cache,
    config: Arc<Config>,
}

impl Retention {
    /// Users of `database`.
    ///
    /// # Errors
    /// A variable that is missing.
    pub(super) fn new(database: &Database, cache: Cache, config: &Arc<Config>) -> Result<Self, StartError> {
        Ok(Self { users: Users::new(database, config)?, cache, config: Arc::clone(config) })
    }

    /// Erases users that were deleted longer before the tick than they can be restored, batch by batch while there is time. Gives
    /// how many. Each write is conditional, so that nobody is erased who has come back.
    ///
    /// # Errors
    /// [`Error::Db`] or [`Error::Redis`]; who was erased until then stays erased.
    pub(super) async fn erase_deleted(&self, tick: &Tick) -> Result<Progress<u64>, Error> {
        let before = tick.at.saturating_sub(self.config.restore_time()).unwrap_or(tick.at);
        let by = ChangedBy::job(&format!("daily#{}", tick.at));
        let mut erased = 0;
        while tick.has_time() {
            let phones = self.users.deleted_before(before, BATCH).await?;
            if phones.is_empty() {
                return Ok(Progress::Done(erased));
            }
            let outcomes = try_join_all(phones.iter().map(|phone| self.erase(phone, before, tick.at, &by))).await?;
            erased += outcomes.iter().map(|&was_erased| u64::from(was_erased)).sum::<u64>();
        }
        Ok(Progress::More(erased))
    }

    /// Erases a user in steps that are harmless a second time. The row goes last: a run that was interrupted finds it again.
    /// The events of the audit stay: they have nothing of the person but the id, which nothing else knows any more.
    async fn erase(&self, phone: &str, before: Timestamp, at: Timestamp, by: &ChangedBy) -> Result<bool, Error> {
        let Some(id) = self.users.mark_erasure(phone, before, at, by).await? else { return Ok(false) };
        self.cache.forget_user(&Phone::stored(phone.to_owned()), &id).await?;
        self.users.erase(phone, &id, before).await
    }
}
