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
