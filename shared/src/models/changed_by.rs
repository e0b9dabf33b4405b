//! Who changed a user's row, as the row says it.

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::principal::{Credential, Principal};
use super::user_id::UserId;

/// Who wrote a row last. The stream of the table passes it on with the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedBy {
    /// The user; none for a job, an operator, and somebody who is not a user yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// `user`, `admin`, `operator` or `job`.
    pub role: String,
    /// `session`, `token`, `code`, `operator` or `job`.
    pub credential: String,
    /// Lambda's id of the call.
    pub request_id: String,
}

impl ChangedBy {
    /// Somebody who is signed in.
    #[must_use]
    pub fn caller(call: &Call, principal: &Principal) -> Self {
        let credential = match principal.credential {
            Credential::Token { .. } => "token",
            Credential::Session { .. } => "session",
            Credential::VeriCode { .. } => "code",
        };
        Self::of(Some(principal.user_id), principal.role.as_str(), credential, &call.request_id)
    }

    /// Somebody who proved a phone with a code, and is not signed in.
    #[must_use]
    pub fn applicant(call: &Call) -> Self {
        Self::of(None, "user", "code", &call.request_id)
    }

    /// An operator of the stage.
    #[must_use]
    pub fn operator(call: &Call) -> Self {
        Self::of(None, "operator", "operator", &call.request_id)
    }

    /// A job.
    #[must_use]
    pub fn job(request_id: &str) -> Self {
        Self::of(None, "job", "job", request_id)
    }

    fn of(user_id: Option<UserId>, role: &str, credential: &str, request_id: &str) -> Self {
        let (role, credential, request_id) = (role.to_owned(), credential.to_owned(), request_id.to_owned());
        Self { user_id, role, credential, request_id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::role::Role;
    use crate::models::session_id::SessionId;

    #[test]
    fn a_row_says_who_wrote_it_and_with_what() {
        let (call, id) = (Call::sample(), UserId::new(1, 1).unwrap());
        let session = || SessionId::new("3f").unwrap();
        let caller = |role, credential| {
            let principal =
                Principal { user_id: id, role, epoch: 1, credential, phone: None, left: None, network: None };
            ChangedBy::caller(&call, &principal)
        };
        for (by, user_id, role, credential) in [
            (caller(Role::User, Credential::Token { sessions: Vec::new() }), Some(id), "user", "token"),
            (
                caller(Role::Admin, Credential::Session { id: session(), renews_cookie: false }),
                Some(id),
                "admin",
                "session",
            ),
            (caller(Role::User, Credential::VeriCode { id: session() }), Some(id), "user", "code"),
            (ChangedBy::applicant(&call), None, "user", "code"),
            (ChangedBy::operator(&call), None, "operator", "operator"),
            (ChangedBy::job("request-1"), None, "job", "job"),
        ] {
            assert_eq!((by.user_id, &*by.role, &*by.credential), (user_id, role, credential));
            assert_eq!(by.request_id, "request-1");
        }
    }
}
