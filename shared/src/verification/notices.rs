//! Notices: messages that nobody asked for. They are outside the limits of their phone, because what they are about must not wait,
//! and inside the budget of the stage.

use std::sync::Arc;

use tracing::warn;

use super::limits;
use super::sms::SendSms;
use crate::aws::Tasks;
use crate::cache::{Cache, Decision};
use crate::clock::Now;
use crate::config::Config;
use crate::error::Error;
use crate::models::notice::Notice;
use crate::models::phone::Phone;

/// What sends notices.
pub struct Notices {
    cache: Cache,
    tasks: Tasks,
    config: Arc<Config>,
}

impl Notices {
    /// Notices that `tasks` deliver, within the budget that `cache` counts.
    #[must_use]
    pub fn new(cache: Cache, tasks: Tasks, config: Arc<Config>) -> Self {
        Self { cache, tasks, config }
    }

    /// Hands a notice over, and counts it. `id` names what it is about: under the same one it is counted and sent once. One that
    /// the budget does not allow, or whose time is over, is not sent: the log says so.
    ///
    /// # Errors
    /// [`Error::Redis`] or [`Error::Http`]: it can be sent later.
    pub async fn send(&self, now: &Now, id: &str, made_at_ms: i64, notice: &Notice) -> Result<(), Error> {
        let message = SendSms::notice(notice, u64::try_from(made_at_ms).unwrap_or_default(), self.config.restore_days);
        if message.has_expired(now) {
            warn!("a notice is not sent: it is too late");
            return Ok(());
        }
        let spend = limits::to_notify(&self.config, now, &Phone::stored(notice.phone.clone()), id)?;
        if matches!(self.cache.spend(&spend).await?, Decision::Wait(_)) {
            warn!("a notice is not sent: the budget is spent");
            return Ok(());
        }
        self.tasks.spawn_as(now, id.to_owned(), &message).await
    }
}
