//! Changes of what a user may do.

use serde::{Deserialize, Serialize};

/// A change of what a user may do. Each ends the sessions and tokens that the user has.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum RightsChange {
    /// The user becomes an admin.
    Promote,
    /// The user is no admin any more.
    Demote,
    /// The account is disabled.
    Disable,
    /// The account is no longer disabled.
    Enable,
    /// Nothing but the end of sessions and tokens.
    EndSessions,
    /// The user is deleted; the row stays until the job `daily` erases it.
    Delete,
}

impl RightsChange {
    /// The word in requests and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Demote => "demote",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::EndSessions => "end_sessions",
            Self::Delete => "delete",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RightsChange::{self, Delete, Demote, Disable, Enable, EndSessions, Promote};

    #[test]
    fn the_word_of_the_log_is_that_of_requests() {
        for change in [Promote, Demote, Disable, Enable, EndSessions, Delete] {
            let read: RightsChange = serde_json::from_value(change.as_str().into()).unwrap();
            assert_eq!(read, change);
        }
    }
}
