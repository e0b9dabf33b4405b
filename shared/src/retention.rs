//! How long deleted users are kept: 30 days, then they are removed for good.

use futures_util::future::try_join_all;
use jiff::SignedDuration;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::runs::{Progress, Tick};

/// After this time a deleted user is removed.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Users of one batch, removed side by side.
const BATCH: usize = 25;

/// Removes users that were deleted more than 30 days before the tick, batch by batch while there is time. Gives how
/// many; each removal is conditional, so that nobody is removed who has registered anew, and none is done twice.
///
/// # Errors
/// [`Error::Db`]; what was removed until then stays removed.
pub async fn erase_deleted(ctx: &Ctx, tick: &Tick) -> Result<Progress<u64>, Error> {
    let before = tick.at.saturating_sub(KEPT).unwrap_or(tick.at);
    let store = ctx.store()?;
    let mut erased = 0;
    while tick.has_time() {
        let phones = store.users_deleted_before(before, BATCH).await?;
        if phones.is_empty() {
            return Ok(Progress::Done(erased));
        }
        let outcomes = try_join_all(phones.iter().map(|phone| store.erase_user(phone, before))).await?;
        erased += outcomes.iter().map(|&was_erased| u64::from(was_erased)).sum::<u64>();
    }
    Ok(Progress::More(erased))
}
