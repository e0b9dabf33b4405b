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
    /// The id that the user had in the service that this one has replaced; only of users who were imported.
    pub legacy_id: Option<u64>,
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
    /// Whether an operator or an admin has disabled the account.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn user(is_delete: bool, is_disabled: bool) -> User {
        User {
            id: UserId::new(1, 1).unwrap(),
            phone: Phone::stored("+8613800138000".to_owned()),
            role: Role::User,
            profile: Profile::default(),
            legacy_id: None,
            create_time: 1,
            update_time: None,
            is_delete,
            delete_time: None,
            deleted_by_admin: false,
            is_disabled,
            epoch: 0,
            receipt: String::new(),
            version: 1,
            changed_by: None,
        }
    }

    #[test]
    fn a_user_is_deleted_before_it_is_disabled() {
        for (is_delete, is_disabled, word) in
            [(false, false, "live"), (false, true, "disabled"), (true, false, "deleted"), (true, true, "deleted")]
        {
            assert_eq!(UserState::of(word), Some(user(is_delete, is_disabled).state()), "{word}");
        }
        assert_eq!((UserState::of(""), UserState::of("Live")), (None, None));
    }
}
