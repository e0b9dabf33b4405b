//! How long deleted users stay: 30 days, then they are removed for good.

use futures_util::future::try_join_all;
use jiff::SignedDuration;

use super::run_once::Progress;
use crate::config::Config;
use crate::db::{Database, Users};
use crate::error::{Error, StartError};
use crate::models::tick::Tick;

/// After this time a deleted user is removed.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Users of one batch, removed side by side.
const BATCH: usize = 25;

/// What removes users.
pub(super) struct Retention {
    users: Users,
}

impl Retention {
    /// Users of `database`.
    ///
    /// # Errors
    /// A variable that is missing.
    pub(super) fn new(database: &Database, config: &Config) -> Result<Self, StartError> {
        Ok(Self { users: Users::new(database, config)? })
    }

    /// Removes users that were deleted more than 30 days before the tick, batch by batch while there is time. Gives how
    /// many; each removal is conditional, so that nobody is removed who has registered anew, and none is done twice.
    ///
    /// # Errors
    /// [`Error::Db`]; what was removed until then stays removed.
    pub(super) async fn erase_deleted(&self, tick: &Tick) -> Result<Progress<u64>, Error> {
        let before = tick.at.saturating_sub(RETENTION).unwrap_or(tick.at);
        let mut erased = 0;
        while tick.has_time() {
            let phones = self.users.deleted_before(before, BATCH).await?;
            if phones.is_empty() {
                return Ok(Progress::Done(erased));
            }
            let outcomes = try_join_all(phones.iter().map(|phone| self.users.erase(phone, before))).await?;
            erased += outcomes.iter().map(|&was_erased| u64::from(was_erased)).sum::<u64>();
        }
        Ok(Progress::More(erased))
    }
}
