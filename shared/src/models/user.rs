//! Users: their identity, their role and their row.

use serde::Serialize;

use super::changed_by::ChangedBy;
use super::phone::Phone;
use super::profile::Profile;
use super::role::Role;
pub use super::user_id::UserId;

/// A user as the table has it.
pub struct User {
    /// Who.
    pub id: UserId,
    /// Whose code proves who it is.
    pub phone: Phone,
    /// What the user may do.
    pub role: Role,
    /// What the user says of itself.
    pub profile: Profile,
    /// Milliseconds since the Unix epoch.
    pub create_time: i64,
    /// The same, once there was a change.
    pub update_time: Option<i64>,
    /// Whether the user was deleted; the row stays for a while.
    pub is_delete: bool,
    /// When it was deleted, in milliseconds since the Unix epoch.
    pub delete_time: Option<i64>,
    /// Whether an admin or an operator deleted it, so that its owner cannot restore it.
    pub deleted_by_admin: bool,
    /// Whether an operator has disabled the account.
    pub is_disabled: bool,
    /// A counter that every change of rights raises; see `accounts::rights`.
    pub epoch: u64,
    /// Proof of the request that made the user; see `accounts::register`.
    pub receipt: String,
    /// Raised by one by every write of the row, 1 at the registration. Rows of earlier releases have 0.
    pub version: u64,
    /// Who wrote the row last; nobody in rows of earlier releases.
    pub changed_by: Option<ChangedBy>,
}

/// What has become of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// Neither disabled nor deleted.
    Live,
    /// The account is disabled.
    Disabled,
    /// Deleted, perhaps disabled too; the row stays for a while.
    Deleted,
}

impl UserState {
    /// Reads the word of requests and replies.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [("live", Self::Live), ("disabled", Self::Disabled), ("deleted", Self::Deleted)]
            .into_iter()
            .find_map(|(name, state)| (name == word).then_some(state))
    }
}

impl User {
    /// What has become of the user.
    #[must_use]
    pub fn state(&self) -> UserState {
        match (self.is_delete, self.is_disabled) {
            (true, _) => UserState::Deleted,
            (false, true) => UserState::Disabled,
            (false, false) => UserState::Live,
        }
    }
}
