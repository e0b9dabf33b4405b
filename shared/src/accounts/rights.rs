//! What operators change of a user's rights: role, disabling, deletion, and the end of all sessions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::info;

use super::sessions::Sessions;
use crate::aws::{Clients, Task};
use crate::cache::Cache;
use crate::db::{Database, Users};
use crate::error::{Error, StartError};
use crate::models::call::Call;
use crate::models::changed_by::ChangedBy;
use crate::models::phone::Phone;
use crate::models::rights::RightsChange;

/// The target of the line that each change leaves in the log.
pub(super) const AUDIT: &str = "badge::audit";

/// The longest name of an operator that is written: that of an ARN (IAM User Guide, "IAM identifiers").
const LONGEST_NAME: usize = 2048;

/// The task that changes rights.
#[derive(Serialize, Deserialize)]
pub struct ChangeRights {
    /// Whose rights, as E.164.
    pub phone: String,
    /// What changes.
    pub change: RightsChange,
    /// Who wants it, as the operator's tools say; AWS records who invoked the function.
    pub by: String,
}

impl Task for ChangeRights {
    const NAME: &'static str = "change_rights";
}

/// What a change of rights needs.
pub struct Rights {
    users: Users,
    sessions: Sessions,
}

impl Rights {
    /// Opens all of it, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let config = Arc::clone(&clients.config);
        let (database, cache) = tokio::try_join!(Database::connect(clients), Cache::connect(clients))?;
        Ok(Self { users: Users::new(&database, &config)?, sessions: Sessions::new(cache, config) })
    }

    /// Changes the row and then raises the copies of the user's epoch: from then on no session and no token holds that was
    /// made before. A change that fails in between can be made again; it raises the epoch once more, which is harmless.
    ///
    /// # Errors
    /// [`Error::UserNotFound`], [`Error::Db`], or [`Error::Redis`]: the row is changed, and sessions may
    /// still be good.
    pub async fn change(&self, call: &Call, request: &ChangeRights) -> Result<(), Error> {
        let ChangeRights { phone, change, by } = request;
        // Also of a region that the stage does not serve any more.
        let phone = Phone::stored(phone.clone());
        let changed =
            self.users.change_rights(&phone, *change, call.now.timestamp(), &ChangedBy::operator(call)).await?;
        let changed = changed.ok_or(Error::UserNotFound)?;
        let by: String = by.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        let (user_id, request_id) = (changed.id.to_string(), &call.request_id);
        info!(target: AUDIT, request_id, by, change = change.as_str(), user_id, epoch = changed.epoch);
        self.sessions.raise_epoch(call, &changed).await
    }
}
