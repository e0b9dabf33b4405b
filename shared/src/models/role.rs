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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_reads_back_and_an_unknown_one_has_the_fewest_rights() {
        for role in [Role::User, Role::Admin] {
            assert_eq!(Role::of(role.as_str()), role);
        }
        for word in ["", "Admin", "admin ", "root"] {
            assert_eq!(Role::of(word), Role::User, "{word}");
        }
        assert!(Role::User < Role::Admin);
    }
}
