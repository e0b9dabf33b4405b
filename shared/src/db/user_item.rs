//! A user as its table has it.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::item::{Item, from_item, incomplete};
use crate::error::Error;
use crate::models::changed_by::ChangedBy;
use crate::models::phone::Phone;
use crate::models::profile::{Kind, Profile, ProfileField, Value};
use crate::models::role::Role;
use crate::models::user::{User, UserId};

/// The attributes of a user, to be written.
#[derive(Serialize)]
pub(super) struct UserItem<'a> {
    phone: &'a str,
    id: UserId,
    role: &'a str,
    #[serde(flatten)]
    profile: &'a Profile,
    #[serde(skip_serializing_if = "Option::is_none")]
    legacy_id: Option<u64>,
    create_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_time: Option<i64>,
    is_delete: i64,
    /// Written where it is so alone, as the epoch.
    #[serde(skip_serializing_if = "is_zero")]
    is_disabled: u64,
    #[serde(skip_serializing_if = "is_zero")]
    epoch: u64,
    receipt: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_by: Option<&'a ChangedBy>,
    /// Where in the index `by_id` it lies; a deleted user is in another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<u8>,
}

/// The attributes of a user that are not of its profile. With `flatten` serde would copy every attribute once more.
#[derive(Deserialize)]
struct StoredUser {
    phone: String,
    id: UserId,
    /// A list does not read it.
    #[serde(default)]
    role: String,
    legacy_id: Option<u64>,
    create_time: i64,
    update_time: Option<i64>,
    is_delete: i64,
    #[serde(default)]
    is_disabled: u64,
    #[serde(default)]
    epoch: u64,
    #[serde(default)]
    receipt: String,
    delete_time: Option<i64>,
    #[serde(default)]
    deleted_by_admin: u64,
    #[serde(default)]
    version: u64,
    changed_by: Option<ChangedBy>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl<'a> From<&'a User> for UserItem<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            phone: user.phone.e164(),
            id: user.id,
            role: user.role.as_str(),
            profile: &user.profile,
            legacy_id: user.legacy_id,
            create_time: user.create_time,
            update_time: user.update_time,
            is_delete: user.is_delete.into(),
            is_disabled: user.is_disabled.into(),
            epoch: user.epoch,
            receipt: &user.receipt,
            version: user.version,
            changed_by: user.changed_by.as_ref(),
            shard: (!user.is_delete).then(|| user.id.shard()),
        }
    }
}

/// Reads a user.
///
/// # Errors
/// [`Error::Internal`] for an item without what this service always writes.
pub(super) fn read_user(mut item: Item) -> Result<User, Error> {
    let profile = Profile::from_row(|field| value(item.remove(field.name), field))?;
    let item: StoredUser = from_item(item)?;
    Ok(User {
        id: item.id,
        phone: Phone::stored(item.phone),
        role: Role::of(&item.role),
        profile,
        legacy_id: item.legacy_id,
        create_time: item.create_time,
        update_time: item.update_time,
        is_delete: item.is_delete != 0,
        is_disabled: item.is_disabled != 0,
        epoch: item.epoch,
        receipt: item.receipt,
        delete_time: item.delete_time,
        deleted_by_admin: item.deleted_by_admin != 0,
        version: item.version,
        changed_by: item.changed_by,
    })
}

/// Reads a user of a list. One that cannot be read must not hide the others: the log has its key, so that it can be mended.
pub(super) fn read_listed(item: Item) -> Option<User> {
    let text = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let (id, phone) = (text("id"), text("phone"));
    let user = read_user(item);
    if user.is_err() {
        // Neither is free text in a row of ours; in an odd one either may be anything.
        let id =
            id.and_then(|id| id.parse::<UserId>().ok()).map_or_else(|| "unreadable".to_owned(), |id| id.to_string());
        let is_e164 = |phone: &String| phone.len() > 8 && phone[1..].bytes().all(|b| b.is_ascii_digit());
        let phone =
            phone.filter(|phone| phone.starts_with('+') && is_e164(phone)).map(|phone| Phone::stored(phone).masked());
        warn!(user_id = id, phone, "a user whose row cannot be read is left out of the list");
    }
    user.ok()
}

/// The value of a field of the profile. One that is not required can be missing or empty.
fn value(attribute: Option<AttributeValue>, field: &ProfileField) -> Result<Option<Value>, Error> {
    let value = match (attribute, field.kind) {
        (Some(AttributeValue::N(number)), Kind::Gender) => number.parse().ok().map(Value::Number),
        (Some(AttributeValue::S(text)), Kind::Text { .. } | Kind::Code { .. } | Kind::PastDate) if !text.is_empty() => {
            Some(Value::Text(text))
        }
        (None | Some(AttributeValue::S(_)), _) if !field.is_required => return Ok(None),
        _ => None,
    };
    value.map(Some).ok_or_else(incomplete)
}

#[cfg(test)]
pub(super) mod samples {
    use serde_json::json;

    use super::*;
    use crate::models::profile::FIELDS;

    pub(in crate::db) const ID: &str = "0193a5f0-0000-7000-8000-000000000003";

    pub(in crate::db) fn user() -> User {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        let profile = Profile::from_row(|field| {
            Ok::<_, Error>(match field.name {
                "user_name" => text("张三"),
                "gender" => Some(Value::Number(2)),
                "birth_day" => text("1990-01-02"),
                "province" => text("310000"),
                _ => None,
            })
        });
        User {
            id: ID.parse().unwrap(),
            phone: Phone::stored("+8613800138000".to_owned()),
            role: Role::User,
            profile: profile.unwrap(),
            legacy_id: None,
            create_time: 1_795_276_800_000,
            update_time: None,
            is_delete: false,
            is_disabled: false,
            epoch: 0,
            receipt: "receipt".to_owned(),
            delete_time: None,
            deleted_by_admin: false,
            version: 0,
            changed_by: None,
        }
    }

    /// The row of [`user`] on the wire, as it has been written since the first release.
    pub(in crate::db) fn row() -> serde_json::Value {
        let mut row = json!({
            "phone": { "S": "+8613800138000" },
            "id": { "S": ID },
            "role": { "S": "user" },
            "user_name": { "S": "张三" },
            "gender": { "N": "2" },
            "birth_day": { "S": "1990-01-02" },
            "province": { "S": "310000" },
            "city": { "S": "" },
            "create_time": { "N": "1795276800000" },
            "is_delete": { "N": "0" },
            "receipt": { "S": "receipt" },
            "shard": { "N": "3" },
        });
        let optional = FIELDS.iter().filter(|field| !field.is_required);
        for field in optional {
            row.as_object_mut().unwrap().entry(field.name).or_insert_with(|| json!({ "S": "" }));
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::super::item::{n, s, to_item};
    use super::samples::{ID, user};
    use super::*;

    fn item(user: &User) -> Item {
        to_item(UserItem::from(user)).unwrap()
    }

    #[test]
    fn a_deleted_user_is_written_without_a_shard() {
        let deleted = User { is_delete: true, update_time: Some(1), ..user() };
        let mut expected = item(&user());
        assert_eq!(expected.remove("shard"), Some(n(3)));
        expected.extend([("is_delete", n(1)), ("update_time", n(1))].map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(item(&deleted), expected);
    }

    #[test]
    fn a_user_reads_back() {
        let (user, mut item) = (user(), item(&user()));
        // What older code did not write, and what newer code might.
        for name in ["city", "receipt"] {
            item.remove(name);
        }
        item.insert("role".to_owned(), s("admin"));
        item.insert("update_time".to_owned(), n(5));
        item.insert("epoch".to_owned(), n(7));
        item.insert("tags".to_owned(), AttributeValue::L(vec![AttributeValue::Bool(true), AttributeValue::Null(true)]));
        let read = read_user(item).unwrap();
        assert_eq!((read.id.to_string().as_str(), read.phone.e164(), read.role), (ID, user.phone.e164(), Role::Admin));
        assert_eq!((read.create_time, read.update_time), (user.create_time, Some(5)));
        assert_eq!((read.is_delete, read.receipt.as_str()), (false, ""));
        assert_eq!((read.epoch, read.profile), (7, user.profile));
    }

    #[test]
    fn an_unknown_role_has_the_fewest_rights() {
        let mut item = item(&user());
        item.insert("role".to_owned(), s("root"));
        assert_eq!(read_user(item).unwrap().role, Role::User);
    }

    #[test]
    fn a_row_without_what_is_always_written_is_an_error_that_does_not_quote_it() {
        for (name, value) in [
            ("id", Some(s("1"))),
            ("id", None),
            ("phone", Some(n(13_800_138_000_u64))),
            ("create_time", Some(n(1.5))),
            ("create_time", Some(n("secret"))),
            ("create_time", Some(s("1"))),
            ("update_time", Some(s("secret"))),
            ("is_delete", None),
            ("user_name", None),
            ("user_name", Some(s(""))),
            ("user_name", Some(n(7))),
            ("gender", Some(n(300))),
            ("gender", Some(s("secret"))),
            ("birth_day", None),
        ] {
            let mut item = item(&user());
            item.remove(name);
            item.extend(value.clone().map(|value| (name.to_owned(), value)));
            let error = read_user(item).err().unwrap().to_string();
            assert_eq!(error, "internal: an item without what this service always writes", "{name} {value:?}");
        }
    }
}
