//! Notices: messages that nobody asked for. They are outside the limits of their phone, because what they are about must not wait,
//! and inside the budget of the stage.

use std::sync::Arc;

use tracing::warn;

use super::limits;
use super::sms::SendSms;
use crate::aws::Tasks;
use crate::cache::{Cache, Decision, Spend};
use crate::config::Config;
use crate::models::call::Call;
use crate::models::message_kind::MessageKind;
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

    /// Counts a notice against the budget, before what it is about is done. If the budget is spent, or the cache does not answer,
    /// nothing will be sent; what the notice is about is done all the same.
    pub async fn reserve(&self, call: &Call, phone: &Phone) -> Reserved<'_> {
        let Ok(spend) = limits::to_notify(&self.config, call, phone) else { return Reserved::Refused };
        match self.cache.spend(&spend).await {
            Ok(Decision::Counted) => return Reserved::Counted(spend),
            Ok(_) => warn!("a notice is not sent: the budget is spent"),
            Err(error) => warn!(%error, "a notice is not sent"),
        }
        Reserved::Refused
    }

    /// Gives back what was counted, because nothing has been done.
    pub async fn release(&self, reserved: Reserved<'_>) {
        if let Reserved::Counted(spend) = reserved {
            drop(self.cache.refund(&spend).await);
        }
    }

    /// Sends a notice. `id` names what it is about, so that the request that finishes the work of a lost process may send it again. A
    /// failure is in the log: what it is about has been done.
    pub async fn send(&self, call: &Call, phone: &Phone, kind: MessageKind, id: String, reserved: Reserved<'_>) {
        if matches!(reserved, Reserved::Refused) {
            return;
        }
        let notice = SendSms::notice(call, phone, kind, self.config.restore_days);
        if let Err(error) = self.tasks.spawn_as(&call.now, id, &notice).await {
            warn!(%error, "a notice is not sent");
            self.release(reserved).await;
        }
    }
}

/// Whether a notice has its place in the budget.
pub enum Reserved<'a> {
    /// It has, by this request.
    Counted(Spend<'a>),
    /// By an earlier attempt, which perhaps has not sent it.
    Before,
    /// It is not sent.
    Refused,
}
