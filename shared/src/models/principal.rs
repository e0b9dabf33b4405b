//! Who is asking.

use super::role::Role;
use super::session_id::SessionId;
use super::user::UserId;

/// Somebody whose credential was accepted.
pub struct Principal {
    /// Who.
    pub user_id: UserId,
    /// What they may do.
    pub role: Role,
    /// The session they came with; a token has none.
    pub session: Option<SessionId>,
}
