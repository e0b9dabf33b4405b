//! One event of the audit: who changed what of a user, and when.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::changed_by::ChangedBy;
use super::user::UserId;

/// What happened to a user. It names fields and has values of [`VALUED`] alone: nothing in it points to a person but random
/// ids.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AuditEvent {
    /// Whom it happened to.
    pub id: UserId,
    /// The row's counter after the change; events of a user are sorted by it, also over a change of phone.
    #[serde(skip)]
    pub version: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// Who did it; `None` for a write that did not raise the counter, as one by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<ChangedBy>,
    /// Names of the fields that differ, sorted.
    pub fields: Vec<String>,
    /// New values of those of them that [`VALUED`] lists.
    pub values: BTreeMap<String, Value>,
}

/// Fields whose new value an event has. None of them says who somebody is.
pub const VALUED: [&str; 3] = ["role", "is_disabled", "is_delete"];

/// In the place of a field: the user was erased. The row is marked with who erases it before it goes.
pub const ERASED: &str = "erased";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_event_but_random_ids_points_to_the_person() {
        let id: UserId = "0193a5f0-0000-7000-8000-000000000003".parse().unwrap();
        let role = || "user".to_owned();
        let by = ChangedBy { user_id: Some(id), role: role(), credential: role(), request_id: role() };
        let (fields, values) = (vec!["role".to_owned()], BTreeMap::from([("role".to_owned(), "admin".into())]));
        let event = AuditEvent { id, version: 5, at: 0, changed_by: Some(by), fields, values };
        let written = serde_json::to_value(event).unwrap();
        // Events outlive the user, so a new member needs a decision about what `daily` does with it.
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&written), ["at", "changed_by", "fields", "id", "values"]);
        assert_eq!(names(&written["changed_by"]), ["credential", "request_id", "role", "user_id"]);
    }
}
