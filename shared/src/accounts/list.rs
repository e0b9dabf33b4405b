//! The list of users, page by page.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;

use super::row::Row;
use super::sessions::Authenticator;
use crate::aws::Clients;
use crate::config::{Action, Config};
use crate::db::{Database, Newest, Users};
use crate::error::{Error, Reason, StartError};
use crate::models::call::Call;
use crate::models::params::{Field, Fields, Params, Required, Rules, text_or_integer};
use crate::models::principal::Principal;
use crate::models::role::Role;
use crate::models::user::{User, UserId, UserState};
use crate::verification::user_limit;

/// How many users a page has and where it starts.
pub struct PageRequest {
    pub(crate) limit: Option<Limit>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) state: Option<UserState>,
}

impl Params for PageRequest {
    fn required() -> Required {
        Required::Nothing
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let limit = fields.read_optional("limit");
        let cursor = fields.read_optional("cursor");
        let state = fields.read_optional("state");
        Some(Self { limit: limit?, cursor: cursor?, state: state? })
    }
}

const LIMIT_MAX: u32 = 100;
pub(super) const LIMIT_DEFAULT: u32 = 20;

pub(crate) struct Limit(pub(crate) u32);

impl Field for Limit {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        let text = text_or_integer(value).ok_or(Reason::NotInRange(LIMIT_MAX))?;
        let digits_only = text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
        let limit = text.parse().ok().filter(|limit| digits_only && (1..=LIMIT_MAX).contains(limit));
        limit.map(Self).ok_or(Reason::NotInRange(LIMIT_MAX))
    }
}

/// The last user of a page; the next page has those who registered before.
pub(crate) struct Cursor(pub(crate) UserId);

impl Cursor {
    pub(crate) fn write(last: UserId) -> String {
        URL_SAFE_NO_PAD.encode(last.as_bytes())
    }
}

impl Field for Cursor {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        let bytes = value.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(Reason::NotACursor)?;
        <[u8; 16]>::try_from(bytes).map(|id| Self(UserId::from_bytes(id))).map_err(|_| Reason::NotACursor)
    }
}

impl Field for UserState {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        value.as_str().and_then(Self::of).ok_or(Reason::NotAState)
    }
}

/// A page, and the cursor of the next one.
pub struct Page {
    users: Vec<User>,
    viewer: Role,
    config: Arc<Config>,
    /// `None` on the last page.
    pub next: Option<String>,
}

/// The list of users, for those who are signed in.
pub struct UserList {
    users: Users,
    authenticator: Authenticator,
    config: Arc<Config>,
}

impl UserList {
    /// Opens all that it needs, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let config = Arc::clone(&clients.config);
        let (authenticator, database) = tokio::try_join!(Authenticator::connect(clients), Database::connect(clients))?;
        Ok(Self { users: Users::new(&database, &config)?, authenticator, config })
    }

    /// One page of users, newest first, as `viewer` sees it: those of a state, or all that are not deleted. Whether the rights of a
    /// token still hold is asked beside the query. When the cache does not answer, pages are not counted. A page can be shorter than asked for and not the
    /// last one, where hundreds of users in a row are of another state.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::TooManyRequests`], a credential that is no longer good, or [`Error::Db`].
    pub async fn page(&self, call: &Call, request: PageRequest, viewer: Principal) -> Result<Page, Error> {
        let audience = self.config.index.open_to;
        // Only admins choose a state.
        let may = |role| audience.includes(role) && (role == Role::Admin || request.state.is_none());
        if !may(viewer.role) {
            return Err(Error::Forbidden);
        }
        let limit = request.limit.map_or(LIMIT_DEFAULT, |limit| limit.0) as usize;
        let before = request.cursor.map(|cursor| cursor.0);
        // One more than asked for shows whether there is a next page.
        let caller = viewer.user_id;
        let (users, viewer, refusal) = tokio::join!(
            self.users.newest(request.state, before, limit + 1),
            self.authenticator.confirm(call, viewer),
            user_limit(self.authenticator.cache(), &self.config, call, (Action::List, caller))
        );
        let viewer = viewer?.role;
        if !may(viewer) {
            return Err(Error::Forbidden);
        }
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let Newest { mut users, until } = users?;
        let has_more = users.len() > limit;
        users.truncate(limit);
        let next = users.last().filter(|_| has_more).map(|last| last.id).or(until).map(Cursor::write);
        Ok(Page { users, viewer, config: Arc::clone(&self.config), next })
    }
}

impl AsRef<Authenticator> for UserList {
    fn as_ref(&self) -> &Authenticator {
        &self.authenticator
    }
}

/// The rows.
impl Serialize for Page {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.users.iter().map(|user| Row::of(user, self.viewer, &self.config.zone)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back(millis in 0_u64..1 << 47) {
            let id = UserId::new(millis, 16).unwrap();
            let cursor = Cursor::parse(&json!(Cursor::write(id)), &Rules::sample()).unwrap();
            prop_assert_eq!(cursor.0, id);
        }

        #[test]
        fn a_limit_is_1_to_100(text in any::<String>()) {
            let limit = Limit::parse(&json!(text), &Rules::sample()).map(|limit| limit.0);
            let expected = text.parse::<u32>().ok().filter(|n| (1..=100).contains(n) && !text.starts_with('+'));
            prop_assert_eq!(limit.ok(), expected);
        }
    }
}
