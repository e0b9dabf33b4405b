//! Who is asking.

use super::phone::Phone;
use super::role::Role;
use super::session_id::SessionId;
use super::user_id::UserId;

/// Somebody whose credential was accepted.
pub struct Principal {
    /// Who.
    pub user_id: UserId,
    /// What they may do.
    pub role: Role,
    /// The user's epoch when the credential was made.
    pub epoch: u64,
    /// What they came with.
    pub credential: Credential,
    /// The phone that the session was opened or stamped with; none for a token, or a session of an earlier release. The row
    /// decides whether it is still theirs.
    pub phone: Option<Phone>,
    /// The phone that a change of phone with this session has left, for the same request sent again.
    pub left: Option<Phone>,
    /// The network that they come from, as the log names it.
    pub network: Option<String>,
}

/// What somebody came with.
pub enum Credential {
    /// A JSON web token. It is as old as it says; who wants to know whether its rights still hold asks for the epoch, and tries
    /// the sessions that came along if they do not.
    Token {
        /// Session ids of the same request.
        sessions: Vec<SessionId>,
    },
    /// A session.
    Session {
        /// Its id.
        id: SessionId,
        /// Whether the browser gets the cookie again.
        renews_cookie: bool,
    },
    /// A verification code, which opened this session.
    VeriCode {
        /// The id of the session.
        id: SessionId,
    },
}

impl Credential {
    /// The word in the log.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Token { .. } => "jwt",
            Self::Session { .. } => "session",
            Self::VeriCode { .. } => "veri_code",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_credential_has_its_word() {
        let id = || SessionId::new("3f").unwrap();
        for (credential, word) in [
            (Credential::Token { sessions: vec![id()] }, "jwt"),
            (Credential::Session { id: id(), renews_cookie: true }, "session"),
            (Credential::VeriCode { id: id() }, "veri_code"),
        ] {
            assert_eq!(credential.as_str(), word);
        }
    }
}
