//! The audit: which events a change of the users' table makes. The stream of the table feeds it, so nothing is written in a
//! request's way, and nothing is lost when a sandbox dies. See `docs/decisions/0018-audit-by-stream.md`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::aws::Clients;
use crate::db::{AuditEvents, Database};
use crate::error::{Cause, Error, StartError};
use crate::models::audit_event::{AuditEvent, ERASED, VALUED};
use crate::models::changed_by::ChangedBy;
use crate::models::role::Role;
use crate::models::row_change::{Row, RowChange, map, number, text};
use crate::models::user::UserId;

/// Attributes that follow from a change, and are none.
const BOOKKEEPING: [&str; 9] =
    ["id", "version", "changed_by", "create_time", "update_time", "shard", "receipt", "notice", "kept"];

/// Writes events.
pub struct Audit {
    events: AuditEvents,
}

impl Audit {
    /// Opens all that it needs.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let database = Database::connect(clients).await?;
        Ok(Self { events: AuditEvents::new(&database, &clients.config)? })
    }

    /// Writes the events of one change. Doing it twice equals doing it once.
    ///
    /// # Errors
    /// [`Error::Db`]; [`Error::Internal`] for a row without an id, which no later try can read either.
    pub async fn record(&self, change: &RowChange) -> Result<(), Error> {
        for event in events_of(change)? {
            self.events.put(&event, &change.record_id, &change.sequence).await?;
        }
        Ok(())
    }
}

/// The events of one change, in order.
///
/// A row that goes makes none. A deletion cannot say who deletes, so `daily` marks a row before it erases it, and the mark is
/// the event; the other rows that go are the removed half of a change of phone, whose event is that of the new row.
pub(crate) fn events_of(change: &RowChange) -> Result<Vec<AuditEvent>, Error> {
    match (&change.old, &change.new) {
        (None, Some(new)) => Ok(vec![inserted(new, change)?]),
        (Some(old), Some(new)) if text(old, "id") == text(new, "id") => {
            Ok(modified(old, new, change)?.into_iter().collect())
        }
        // Somebody has registered with the phone of a deleted user, whose row is written over.
        (Some(old), Some(new)) => {
            let inserted = inserted(new, change)?;
            let erased = AuditEvent {
                id: id(old)?,
                version: version(old) + 1,
                fields: vec![ERASED.to_owned()],
                values: BTreeMap::new(),
                ..inserted.clone()
            };
            Ok(vec![erased, inserted])
        }
        (_, None) => Ok(Vec::new()),
    }
}

/// A new user. A row that is new and whose counter is not, or that somebody wrote who was signed in, was moved by a change of
/// phone.
fn inserted(new: &Row, change: &RowChange) -> Result<AuditEvent, Error> {
    let (version, changed_by) = (version(new), changed_by(new));
    let is_moved = version > 1 || changed_by.as_ref().is_some_and(|by| by.credential == "session");
    let (fields, time) =
        if is_moved { (vec!["phone".to_owned()], "update_time") } else { (differing(&Row::new(), new), "create_time") };
    let at = number(new, time).unwrap_or(change.at_ms);
    Ok(AuditEvent { id: id(new)?, version, at, changed_by, values: values(&fields, new), fields })
}

/// A change of a row. Every write of this service raises the counter. One that does not was made by hand: it is an event
/// too, of nobody. `None`: it changed nothing.
fn modified(old: &Row, new: &Row, change: &RowChange) -> Result<Option<AuditEvent>, Error> {
    let (mut fields, id, version) = (differing(old, new), id(new)?, version(new));
    let is_ours = version > self::version(old);
    // An erasure first writes who erases, and nothing else.
    if is_ours && fields.is_empty() && number(new, "is_delete").is_some_and(|is| is != 0) {
        fields.push(ERASED.to_owned());
    }
    if !is_ours && fields.is_empty() {
        return Ok(None);
    }
    let at = if is_ours { number(new, "update_time") } else { None };
    let changed_by = if is_ours { changed_by(new) } else { None };
    let (at, values) = (at.unwrap_or(change.at_ms), values(&fields, new));
    Ok(Some(AuditEvent { id, version, at, changed_by, fields, values }))
}

fn id(row: &Row) -> Result<UserId, Error> {
    let id = text(row, "id").and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::Internal(Cause::new("a changed row without an id")))
}

/// A row from before there was a counter has none.
fn version(row: &Row) -> u64 {
    number(row, "version").and_then(|version| version.try_into().ok()).unwrap_or_default()
}

fn changed_by(row: &Row) -> Option<ChangedBy> {
    serde_json::from_value(map(row, "changed_by")?).ok()
}

/// Names of the attributes that differ, sorted.
fn differing(old: &Row, new: &Row) -> Vec<String> {
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let differs = |name: &&String| old.get(*name) != new.get(*name) && !BOOKKEEPING.contains(&name.as_str());
    let mut names: Vec<_> = names.filter(differs).cloned().collect();
    names.sort_unstable();
    names
}

/// New values of the fields whose values an event may have. Each is read by its type, so that nothing else passes.
fn values(fields: &[String], new: &Row) -> BTreeMap<String, Value> {
    let shown = fields.iter().filter(|name| VALUED.contains(&name.as_str()));
    shown
        .map(|name| {
            let value = match name.as_str() {
                "role" => Role::of(text(new, name).unwrap_or_default()).as_str().into(),
                _ => i32::from(number(new, name).unwrap_or_default() != 0).into(),
            };
            (name.clone(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0193a5f0-0000-7000-8000-000000000003";
    const OTHER: &str = "0193a5f0-0000-7000-8000-000000000004";

    fn by(who: &str, credential: &str) -> Value {
        json!({ "M": {
            "user_id": { "S": OTHER }, "role": { "S": who }, "credential": { "S": credential }, "request_id": { "S": "r-1" },
        } })
    }

    fn row(version: u32) -> Row {
        let row = json!({
            "phone": { "S": "+8613800138000" }, "id": { "S": ID }, "role": { "S": "user" }, "user_name": { "S": "张三" },
            "birth_day": { "S": "1990-01-02" }, "create_time": { "N": "1000" }, "is_delete": { "N": "0" },
            "receipt": { "S": "receipt" }, "shard": { "N": "3" }, "version": { "N": version.to_string() },
            "changed_by": by("user", "code"),
        });
        row.as_object().unwrap().clone()
    }

    fn with(mut row: Row, changes: &Value) -> Row {
        for (name, value) in changes.as_object().unwrap() {
            row.insert(name.clone(), value.clone());
        }
        row.retain(|_, value| !value.is_null());
        row
    }

    fn change(old: Option<Row>, new: Option<Row>) -> RowChange {
        RowChange {
            record_id: "e-1".to_owned(),
            sequence: "100".to_owned(),
            at_ms: 9000,
            delivered_at_ms: 9000,
            old,
            new,
        }
    }

    fn events(old: Option<Row>, new: Option<Row>) -> Vec<AuditEvent> {
        events_of(&change(old, new)).unwrap()
    }

    fn one(old: Option<Row>, new: Option<Row>) -> AuditEvent {
        let mut events = events(old, new);
        assert_eq!(events.len(), 1);
        events.remove(0)
    }

    #[test]
    fn a_registration_names_all_fields_and_tells_no_person() {
        let event = one(None, Some(row(1)));
        assert_eq!((event.id.to_string().as_str(), event.version, event.at), (ID, 1, 1000));
        assert_eq!(event.fields, ["birth_day", "is_delete", "phone", "role", "user_name"]);
        assert_eq!(json!(event.values), json!({ "is_delete": 0, "role": "user" }));
        assert_eq!(event.changed_by.as_ref().unwrap().request_id, "r-1");
        let written = serde_json::to_string(&event).unwrap();
        for secret in ["8613800138000", "张三", "1990", "receipt"] {
            assert!(!written.contains(secret), "{written}");
        }
    }

    #[test]
    fn a_change_names_what_differs_and_says_who_and_when() {
        let changes = json!({
            "version": { "N": "5" }, "update_time": { "N": "2000" }, "changed_by": by("admin", "token"), "epoch": { "N": "1" },
            "role": { "S": "admin" }, "user_name": { "S": "李四" }, "birth_day": null, "kept": { "S": "1:ab" },
        });
        let event = one(Some(row(4)), Some(with(row(4), &changes)));
        assert_eq!((event.version, event.at, event.changed_by.unwrap().role.as_str()), (5, 2000, "admin"));
        assert_eq!(event.fields, ["birth_day", "epoch", "role", "user_name"]);
        assert_eq!(json!(event.values), json!({ "role": "admin" }));
    }

    #[test]
    fn an_attribute_that_is_removed_has_the_value_of_none() {
        let disabled = with(row(4), &json!({ "is_disabled": { "N": "1" } }));
        let event = one(Some(disabled), Some(row(5)));
        assert_eq!((event.fields, json!(event.values)), (vec!["is_disabled".to_owned()], json!({ "is_disabled": 0 })));
        // A value of another type is not shown.
        let odd = with(row(5), &json!({ "role": { "S": "+8613800138000" }, "is_disabled": { "S": "张三" } }));
        assert_eq!(json!(one(Some(row(4)), Some(odd)).values), json!({ "is_disabled": 0, "role": "user" }));
    }

    #[test]
    fn a_change_of_phone_is_one_event() {
        let moved = with(row(8), &json!({ "phone": { "S": "+8613900139000" }, "update_time": { "N": "3000" } }));
        let event = one(None, Some(moved));
        assert_eq!((event.version, event.at, event.fields), (8, 3000, vec!["phone".to_owned()]));
        // The first change of a row from before there was a counter.
        let first = with(row(1), &json!({ "changed_by": by("user", "session"), "update_time": { "N": "3000" } }));
        assert_eq!(one(None, Some(first)).fields, ["phone"]);
        assert!(events(Some(row(7)), None).is_empty());
    }

    #[test]
    fn a_write_by_hand_is_told_by_nobody() {
        let event = one(Some(row(4)), Some(with(row(4), &json!({ "role": { "S": "admin" } }))));
        assert_eq!((event.version, event.at, event.changed_by), (4, 9000, None));
        assert!(events(Some(row(4)), Some(with(row(4), &json!({ "update_time": { "N": "1" } })))).is_empty());
        // A row from before there was a counter.
        let old = with(row(4), &json!({ "version": null, "changed_by": null }));
        assert_eq!(one(Some(old.clone()), Some(with(old, &json!({ "role": { "S": "admin" } })))).version, 0);
    }

    #[test]
    fn a_mark_is_the_event_of_an_erasure_and_so_is_a_new_owner_of_the_phone() {
        let deleted = with(row(4), &json!({ "is_delete": { "N": "1" }, "delete_time": { "N": "1000" } }));
        let mark = json!({ "version": { "N": "5" }, "update_time": { "N": "2000" }, "changed_by": by("job", "job") });
        let marked = with(deleted.clone(), &mark);
        let event = one(Some(deleted), Some(marked.clone()));
        assert_eq!((event.fields, event.changed_by.unwrap().role), (vec![ERASED.to_owned()], "job".to_owned()));
        assert!(events(Some(marked), None).is_empty());
        let new = with(row(1), &json!({ "id": { "S": OTHER }, "create_time": { "N": "4000" } }));
        let events = events(Some(row(4)), Some(new));
        let [erased, created] = &events[..] else { panic!("{events:?}") };
        assert_eq!((erased.id.to_string().as_str(), erased.version, erased.at), (ID, 5, 4000));
        assert_eq!((erased.fields.as_slice(), erased.values.len()), (&[ERASED.to_owned()][..], 0));
        assert_eq!((created.id.to_string().as_str(), created.version), (OTHER, 1));
    }

    #[test]
    fn a_row_without_an_id_is_an_error_and_not_lost() {
        let odd = with(row(1), &json!({ "id": null }));
        assert!(matches!(events_of(&change(None, Some(odd))), Err(Error::Internal(_))));
    }
}
