//! Reading the audit: for admins, and for users about themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use super::list::{LIMIT_DEFAULT, Limit};
use super::sessions::Authenticator;
use crate::aws::Clients;
use crate::clock;
use crate::config::Config;
use crate::db::{AuditEvents, Database, Place, Users};
use crate::error::{Error, Reason, StartError};
use crate::models::audit_event::AuditEvent;
use crate::models::changed_by::ChangedBy;
use crate::models::params::{Field, Fields, Params, Required, Rules};
use crate::models::user::UserId;

/// Events that an export reads at a time.
const EXPORT_PAGE: usize = 100;

/// Whose events, how many, and where a page starts.
pub struct AuditRequest {
    user: UserId,
    limit: Option<Limit>,
    cursor: Option<Cursor>,
}

impl Params for AuditRequest {
    fn required() -> Required {
        Required::OneByOne(&["id"])
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let user = fields.read("id");
        let limit = fields.read_optional("limit");
        let cursor = fields.read_optional("cursor");
        Some(Self { user: user?, limit: limit?, cursor: cursor? })
    }
}

/// The last event of a page; the next page has those before it.
pub(crate) struct Cursor(pub(crate) Place);

impl Cursor {
    pub(crate) fn write(last: &Place) -> String {
        URL_SAFE_NO_PAD.encode(last.as_str())
    }
}

impl Field for Cursor {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        let bytes = value.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(Reason::NotACursor)?;
        let place = String::from_utf8(bytes).ok().and_then(|text| Place::parse(&text));
        place.map(Self).ok_or(Reason::NotACursor)
    }
}

/// An event as clients see it.
#[derive(Serialize)]
pub struct EventRow {
    version: u64,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_by: Option<ChangedBy>,
    fields: Vec<String>,
    values: BTreeMap<String, Value>,
}

/// A page of events, newest first.
pub struct AuditPage {
    /// The events.
    pub events: Vec<EventRow>,
    /// The cursor of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// The audit, for admins.
pub struct AuditLog {
    events: AuditEvents,
    users: Users,
    authenticator: Authenticator,
    config: Arc<Config>,
}

impl AuditLog {
    /// Opens all that it needs, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let config = Arc::clone(&clients.config);
        let (authenticator, database) = tokio::try_join!(Authenticator::connect(clients), Database::connect(clients))?;
        let (events, users) = (AuditEvents::new(&database, &config)?, Users::new(&database, &config)?);
        Ok(Self { events, users, authenticator, config })
    }

    /// One page of a user's events. They outlive their user and can end before it, so a user without events is looked up.
    ///
    /// # Errors
    /// [`Error::UserNotFound`] or [`Error::Db`].
    pub async fn page(&self, asked: AuditRequest) -> Result<AuditPage, Error> {
        let limit = asked.limit.map_or(LIMIT_DEFAULT, |limit| limit.0) as usize;
        let before = asked.cursor.map(|cursor| cursor.0);
        // One more than asked for shows whether there is a next page.
        let mut events = self.events.newest(asked.user, before.as_ref(), limit + 1).await?;
        if events.is_empty() && before.is_none() && self.users.any_by_id(asked.user).await?.is_none() {
            return Err(Error::UserNotFound);
        }
        let has_more = events.len() > limit;
        events.truncate(limit);
        let next = events.last().filter(|_| has_more).map(|(place, _)| Cursor::write(place));
        let events = events.into_iter().map(|(_, event)| row(event, &self.config.zone)).collect();
        Ok(AuditPage { events, next })
    }
}

impl AsRef<Authenticator> for AuditLog {
    fn as_ref(&self) -> &Authenticator {
        &self.authenticator
    }
}

/// All events of a user, newest first, as the user may see them: those who changed something for the user stay unnamed.
///
/// # Errors
/// [`Error::Db`].
pub async fn events_of(user: UserId, events: &AuditEvents, zone: &TimeZone) -> Result<Vec<EventRow>, Error> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = events.newest(user, before.as_ref(), EXPORT_PAGE).await?;
        let is_last = page.len() < EXPORT_PAGE;
        before = page.last().map(|(place, _)| place.clone());
        found.extend(page.into_iter().map(|(_, event)| row(for_subject(event), zone)));
        if is_last {
            return Ok(found);
        }
    }
}

/// An event without the id of anybody else.
fn for_subject(mut event: AuditEvent) -> AuditEvent {
    let user = event.id;
    if let Some(by) = &mut event.changed_by {
        by.user_id = by.user_id.filter(|id| *id == user);
    }
    event
}

fn row(event: AuditEvent, zone: &TimeZone) -> EventRow {
    let AuditEvent { version, at, changed_by, fields, values, .. } = event;
    EventRow { version, at: clock::display(at, zone), changed_by, fields, values }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0193a5f0-0000-7000-8000-000000000003";
    const ADMIN: &str = "0193a5f0-0000-7000-8000-000000000004";

    fn event(by: Option<&str>) -> AuditEvent {
        let user_id = by.map(|id| id.parse().unwrap());
        let role = if by == Some(ID) { "user" } else { "admin" }.to_owned();
        let (credential, request_id) = ("session".to_owned(), "r-1".to_owned());
        AuditEvent {
            id: ID.parse().unwrap(),
            version: 5,
            at: 1_795_276_800_000,
            changed_by: Some(ChangedBy { user_id, role, credential, request_id }),
            fields: vec!["city".to_owned(), "role".to_owned()],
            values: BTreeMap::from([("role".to_owned(), "admin".into())]),
        }
    }

    #[test]
    fn users_do_not_see_the_ids_of_admins() {
        let seen = |by| for_subject(event(by)).changed_by.unwrap().user_id.map(|id| id.to_string());
        assert_eq!((seen(Some(ID)).as_deref(), seen(Some(ADMIN)), seen(None)), (Some(ID), None, None));
        let row = serde_json::to_value(row(for_subject(event(Some(ADMIN))), &TimeZone::UTC)).unwrap();
        assert!(!row.to_string().contains(ADMIN), "{row}");
    }

    #[test]
    fn a_cursor_reads_back() {
        let place = Place::parse("5.000000000000000000000000000100").unwrap();
        let cursor = Cursor::parse(&json!(Cursor::write(&place)), &Rules::sample()).unwrap();
        assert_eq!(cursor.0, place);
        for bad in ["", "5", "NQ==", "LTE", "/"] {
            assert!(Cursor::parse(&json!(bad), &Rules::sample()).is_err(), "{bad}");
        }
    }
}
