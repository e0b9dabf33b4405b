//! What somebody may do.

use serde::{Deserialize, Serialize};

/// What a caller may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees other users masked.
    User,
    /// Sees everything.
    Admin,
}

impl Role {
    /// The word in tokens, sessions and items.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    /// Reads [`Self::as_str`]; an unknown word gives the fewest rights.
    #[must_use]
    pub fn of(word: &str) -> Self {
        if word == "admin" { Self::Admin } else { Self::User }
    }
}
