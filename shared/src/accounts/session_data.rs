//! What the cache has of a session.

use serde::{Deserialize, Serialize};

use crate::cache::slot_of;
use crate::error::{Cause, Error};
use crate::models::role::Role;
use crate::models::session_id::SessionId;
use crate::models::user::UserId;

/// The value of a session in the cache.
#[derive(Serialize, Deserialize)]
pub(super) struct SessionData {
    pub(super) user_id: UserId,
    pub(super) role: Role,
    /// The user's epoch. Sessions of earlier releases have none, and no age.
    #[serde(default)]
    pub(super) epoch: u64,
    /// Seconds since the Unix epoch.
    pub(super) opened_at: Option<u64>,
    /// The user's phone, as E.164, by which the row is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) phone: Option<String>,
    /// The phone before that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<String>,
    /// What the client called itself.
    #[serde(default)]
    pub(super) client: String,
    /// The network that it came from, without its last part.
    #[serde(default)]
    pub(super) network: String,
}

impl SessionData {
    /// Whether the user has changed the phone since: later raises of the epoch have no copy in the session's slot then.
    pub(super) fn has_moved(&self, id: &SessionId) -> bool {
        self.phone.as_deref().is_some_and(|phone| slot_of(phone) != id.slot())
    }

    pub(super) fn write(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|cause| Error::Internal(Cause::of(&cause)))
    }
}
