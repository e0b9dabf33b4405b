//! `[index]`: the list of users.

use serde::Deserialize;

use crate::models::role::Role;

/// `[index]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Who may see the list.
    pub open_to: Audience,
}

/// Who may see something.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// All who are signed in.
    Users,
    /// Admins alone.
    Admins,
}

impl Audience {
    /// Whether somebody with this role belongs to it.
    #[must_use]
    pub fn includes(self, role: Role) -> bool {
        match self {
            Self::Users => true,
            Self::Admins => role == Role::Admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_of_admins_is_of_no_other() {
        for (audience, users, admins) in [(Audience::Users, true, true), (Audience::Admins, false, true)] {
            assert_eq!((audience.includes(Role::User), audience.includes(Role::Admin)), (users, admins));
        }
    }
}
