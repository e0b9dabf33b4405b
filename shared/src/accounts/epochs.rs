//! The effects of a raised epoch, by the stream of the users' table. A function that changes rights writes the row and then the
//! copies in the cache; if it is lost in between, old credentials stay valid until this ends them. The notice of a change is written
//! in the row, and only this sends it (a transactional outbox), so a lost process does not lose it.

use std::sync::Arc;

use jiff::Timestamp;

use crate::aws::{Clients, Tasks};
use crate::cache::{Cache, Epoch};
use crate::clock::Now;
use crate::config::Config;
use crate::db::{Database, Users};
use crate::error::{Cause, Error, StartError};
use crate::models::notice::Notice;
use crate::models::row_change::{Row, RowChange, map, number, text};
use crate::models::user::UserId;
use crate::verification::Notices;

/// Applies the effects of a raised epoch.
pub struct Epochs {
    cache: Cache,
    users: Users,
    notices: Notices,
    config: Arc<Config>,
}

/// A user's epoch as a row has it.
#[derive(PartialEq, Debug)]
struct Raised<'a> {
    phone: &'a str,
    user: UserId,
    epoch: Epoch,
}

impl Epochs {
    /// Opens all that it needs, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let config = Arc::clone(&clients.config);
        let (cache, tasks, database) =
            tokio::try_join!(Cache::connect(clients), Tasks::connect(clients), Database::connect(clients))?;
        let notices = Notices::new(cache.clone(), tasks, Arc::clone(&config));
        Ok(Self { users: Users::new(&database, &config)?, cache, notices, config })
    }

    /// Applies the effects of a change. Applying them twice equals applying them once.
    ///
    /// # Errors
    /// A backend; [`Error::Internal`] for a row that no later try can read either.
    pub async fn handle(&self, change: &RowChange) -> Result<(), Error> {
        // Ending access is more urgent than the notice.
        self.copy(change).await?;
        self.notify(change).await
    }

    /// Raises the copies of the epoch that a change has raised. Doing it twice, or after the function that made the change, is
    /// harmless: a copy never falls.
    ///
    /// What users change themselves is left to their own request, whose session goes on: if it was lost, it is sent again.
    async fn copy(&self, change: &RowChange) -> Result<(), Error> {
        let Some(Raised { phone, user, epoch }) = raised(change)? else { return Ok(()) };
        let now = u64::try_from(change.at_ms / 1000).unwrap_or_default();
        self.cache.raise_epoch(&[phone], user, epoch, (now, now + self.config.longest_credential_secs())).await
    }

    /// Sends the notice that was written with a change, and removes it from the row.
    async fn notify(&self, change: &RowChange) -> Result<(), Error> {
        let Some(PendingNotice { phone, made_at_ms, notice }) = pending_notice(change)? else { return Ok(()) };
        // The later of the two: in the local emulator a row's time can be ahead of the machine's.
        let now = Timestamp::from_millisecond(change.delivered_at_ms.max(made_at_ms)).unwrap_or_default();
        let now = Now::new(now, self.config.zone.clone());
        self.notices.send(&now, &change.record_id, made_at_ms, &notice).await?;
        self.users.remove_notice(phone).await
    }
}

/// A notice that a change has written, and that was not sent yet.
struct PendingNotice<'a> {
    /// The key of the row; the notice can be for another phone.
    phone: &'a str,
    made_at_ms: i64,
    notice: Notice,
}

/// The notice that a change has written, if it has.
fn pending_notice(change: &RowChange) -> Result<Option<PendingNotice<'_>>, Error> {
    let unreadable = || Error::Internal(Cause::new("a notice that cannot be read"));
    let Some(new) = &change.new else { return Ok(None) };
    let notice = map(new, "notice");
    let before = change.old.as_ref().and_then(|old| map(old, "notice"));
    let Some(notice) = notice.filter(|notice| before.as_ref() != Some(notice)) else { return Ok(None) };
    let notice = serde_json::from_value(notice).map_err(|_| unreadable())?;
    let phone = text(new, "phone").ok_or_else(unreadable)?;
    Ok(Some(PendingNotice { phone, made_at_ms: number(new, "update_time").unwrap_or(change.at_ms), notice }))
}

/// The epoch that a change has raised, if it has.
fn raised(change: &RowChange) -> Result<Option<Raised<'_>>, Error> {
    let Some(new) = &change.new else { return Ok(None) };
    let before = change.old.as_ref().filter(|old| text(old, "id") == text(new, "id")).map_or(0, epoch);
    let number_now = epoch(new);
    if number_now <= before {
        return Ok(None);
    }
    let is_own = map(new, "changed_by").is_some_and(|by| by["user_id"].as_str() == text(new, "id"));
    if is_own && number(new, "is_delete") != Some(1) {
        return Ok(None);
    }
    let unreadable = || Error::Internal(Cause::new("a changed row without a phone or an id"));
    let phone = text(new, "phone").ok_or_else(unreadable)?;
    let user = text(new, "id").and_then(|id| id.parse().ok()).ok_or_else(unreadable)?;
    let is_disabled = number(new, "is_disabled").is_some_and(|is| is != 0);
    Ok(Some(Raised { phone, user, epoch: Epoch { number: number_now, is_disabled } }))
}

/// A row whose user's rights never changed has none.
fn epoch(row: &Row) -> u64 {
    number(row, "epoch").and_then(|epoch| epoch.try_into().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::models::language::Language;

    const ID: &str = "0193a5f0-0000-7000-8000-000000000003";
    const OTHER: &str = "0193a5f0-0000-7000-8000-000000000004";

    fn row(id: &str, epoch: Option<&str>) -> Value {
        let mut row = json!({ "phone": { "S": "+8613800138000" }, "id": { "S": id } });
        if let Some(epoch) = epoch {
            row["epoch"] = json!({ "N": epoch });
        }
        row
    }

    fn change(old: &Value, new: &Value) -> RowChange {
        let row = |row: &Value| row.as_object().cloned();
        RowChange {
            record_id: "r".to_owned(),
            sequence: "1".to_owned(),
            at_ms: 0,
            delivered_at_ms: 0,
            old: row(old),
            new: row(new),
        }
    }

    #[test]
    fn a_raised_epoch_is_copied_and_no_other() {
        let of = |old: &Value, new: &Value| {
            let change = change(old, new);
            raised(&change).unwrap().map(|raised| (raised.epoch.number, raised.epoch.is_disabled))
        };
        let mut disabled = row(ID, Some("2"));
        disabled["is_disabled"] = json!({ "N": "1" });
        let by = |id: &str, mut row: Value| {
            row["changed_by"] = json!({ "M": { "user_id": { "S": id } } });
            row
        };
        let mut deleted = by(ID, row(ID, Some("2")));
        deleted["is_delete"] = json!({ "N": "1" });
        for (old, new, expected) in [
            (row(ID, None), row(ID, Some("1")), Some((1, false))),
            (row(ID, Some("1")), disabled.clone(), Some((2, true))),
            (disabled, row(ID, Some("2")), None),
            (row(ID, None), row(ID, None), None),
            (row(ID, None), by(OTHER, row(ID, Some("1"))), Some((1, false))),
            // The session of the request goes on, but for a deletion.
            (row(ID, None), by(ID, row(ID, Some("1"))), None),
            (row(ID, Some("1")), deleted, Some((2, false))),
            // A user who moves here, and one who registers here.
            (Value::Null, row(ID, Some("3")), Some((3, false))),
            (Value::Null, row(ID, None), None),
            // A new user in the row of a deleted one.
            (row(OTHER, Some("5")), row(ID, None), None),
            (row(OTHER, Some("5")), row(ID, Some("1")), Some((1, false))),
            (row(ID, Some("5")), Value::Null, None),
        ] {
            assert_eq!(of(&old, &new), expected, "{old} {new}");
        }
        let raised_row = change(&row(ID, None), &row(ID, Some("1")));
        let raised = raised(&raised_row).unwrap().unwrap();
        assert_eq!((raised.phone, raised.user.to_string().as_str()), ("+8613800138000", ID));
    }

    #[test]
    fn a_notice_is_pending_where_a_change_has_written_it() {
        let with = |notice: Value| {
            let mut row = row(ID, Some("1"));
            row["notice"] = notice;
            row
        };
        let notice = |kind: &str| json!({ "M": { "kind": { "S": kind }, "phone": { "S": "+8613900139000" }, "language": { "S": "en" } } });
        let (moved, left) = (with(notice("phone_changed")), with(notice("account_deleted")));
        for (old, new, is_pending) in [
            (&Value::Null, &moved, true),
            (&row(ID, None), &left, true),
            // A user who has moved leaves, before the first notice was sent.
            (&moved, &left, true),
            // Something else was changed while it lies there; it is taken out; the row goes.
            (&moved, &moved, false),
            (&moved, &row(ID, Some("1")), false),
            (&moved, &Value::Null, false),
        ] {
            let change = change(old, new);
            let pending = pending_notice(&change).unwrap();
            let found = pending.map(|pending| (pending.phone, pending.notice.phone.clone(), pending.notice.language));
            let expected = ("+8613800138000", "+8613900139000".to_owned(), Language::English);
            assert_eq!(found, is_pending.then_some(expected), "{old} {new}");
        }
        for odd in [json!({ "M": {} }), notice("other")] {
            assert!(matches!(pending_notice(&change(&Value::Null, &with(odd))), Err(Error::Internal(_))));
        }
    }

    #[test]
    fn a_row_that_names_nobody_is_a_fault_only_if_its_epoch_was_raised() {
        let mut nobody = row("no id", Some("1"));
        assert!(matches!(raised(&change(&Value::Null, &nobody)), Err(Error::Internal(_))));
        nobody["epoch"] = Value::Null;
        assert!(raised(&change(&Value::Null, &nobody)).unwrap().is_none());
    }
}
