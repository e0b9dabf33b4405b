//! The users' table: partition key `phone`, so that one conditional write makes a phone unique; and its sparse
//! index `by_id` (`shard`, `id`), which serves "newest first". See `docs/decisions/0002-users-table.md`.

use futures_util::future::try_join_all;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::Store;
use super::dynamodb::Failure;
use super::item::{ALL_OLD, Ask, N, Named, Operation, S, SHARD_NAME, n, s};
use crate::error::{Cause, Error};
use crate::phone::Phone;
use crate::user::{Role, User, UserId};

pub(super) const INDEX: &str = "by_id";

/// What became of a write of a new user.
pub enum Inserted {
    /// The user is there now.
    New,
    /// The phone had a live user before, who was made by the request of this receipt.
    Exists {
        /// The user.
        id: UserId,
        /// See [`crate::veri_code::receipts`].
        receipt: String,
    },
}

/// A user as the table has it. `T` is `&str` on the way in, and `String` on the way out.
#[derive(Serialize, Deserialize)]
struct UserItem<T> {
    phone: S<T>,
    id: S<T>,
    role: S<T>,
    user_name: S<T>,
    gender: N,
    birth_day: S<T>,
    #[serde(default)]
    province: S<T>,
    #[serde(default)]
    city: S<T>,
    create_time: N,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_time: Option<N>,
    is_delete: N,
    #[serde(default)]
    receipt: S<T>,
    /// A deleted user has none, and so leaves the index.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<N>,
}

/// Whose phone it is.
#[derive(Deserialize)]
struct Owner {
    id: S<String>,
    #[serde(default)]
    receipt: S<String>,
}

impl Store {
    /// Writes a user unless the phone has a live one. A deleted one is written over.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn insert_user(&self, user: &User) -> Result<Inserted, Error> {
        let id = user.id.to_string();
        let write = Ask {
            item: Some(to_item(user, &id)),
            condition_expression: Some("attribute_not_exists(phone) OR is_delete = :deleted"),
            expression_attribute_values: Some(Named(&[(":deleted", n(1).into())])),
            return_values_on_condition_check_failure: ALL_OLD,
            ..Ask::of(self.users_table()?)
        };
        match self.ask::<IgnoredAny>(Operation::PutItem, write).await {
            Ok(_) => Ok(Inserted::New),
            // DynamoDB charges for a refused write too, but does not say so.
            Err(Failure::Condition(refusal)) => match refusal.item::<Owner>()? {
                Some(owner) => Ok(Inserted::Exists { id: id_of(&owner.id.text)?, receipt: owner.receipt.text }),
                None => Err(Error::Internal(Cause::new("a refused write without the item that is in its way"))),
            },
            Err(Failure::Failed(error)) => Err(error),
        }
    }

    /// The live user of a phone.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn user_by_phone(&self, phone: &Phone) -> Result<Option<User>, Error> {
        let read = Ask::<()> {
            key: Some(Named(&[("phone", phone.e164().into())])),
            // Strongly consistent, so that a login right after a registration finds the user.
            consistent_read: Some(true),
            ..Ask::of(self.users_table()?)
        };
        let found = self.ask(Operation::GetItem, read).await?;
        let user = found.item.map(from_item).transpose()?;
        Ok(user.filter(|user| !user.is_delete))
    }

    /// At most `count` live users, newest first, who registered before `before`. Each shard is asked for all of
    /// them, because all of them may lie there; the shards are asked side by side.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn newest_users(&self, shards: u8, before: Option<UserId>, count: usize) -> Result<Vec<User>, Error> {
        let before = before.map(|id| id.to_string());
        let pages = (0..shards).map(|shard| self.newest_of_shard(shard, before.as_deref(), count));
        let mut users: Vec<User> = try_join_all(pages).await?.into_iter().flatten().collect();
        users.sort_unstable_by_key(|user| std::cmp::Reverse(user.id));
        users.truncate(count);
        Ok(users)
    }

    async fn newest_of_shard(&self, shard: u8, before: Option<&str>, count: usize) -> Result<Vec<User>, Error> {
        let values = [(":shard", n(shard).into()), (":before", before.unwrap_or_default().into())];
        let (condition, values) = match before {
            Some(_) => ("#shard = :shard AND id < :before", &values[..]),
            None => ("#shard = :shard", &values[..1]),
        };
        let query = Ask::<()> {
            index_name: Some(INDEX),
            key_condition_expression: Some(condition),
            expression_attribute_names: SHARD_NAME,
            expression_attribute_values: Some(Named(values)),
            scan_index_forward: Some(false),
            limit: Some(count),
            ..Ask::of(self.users_table()?)
        };
        let found = self.ask(Operation::Query, query).await?;
        found.items.into_iter().map(from_item).collect()
    }
}

fn to_item<'a>(user: &'a User, id: &'a str) -> UserItem<&'a str> {
    UserItem {
        phone: s(user.phone.e164()),
        id: s(id),
        role: s(user.role.as_str()),
        user_name: s(&user.user_name),
        gender: n(user.gender),
        birth_day: s(&user.birth_day),
        province: s(&user.province),
        city: s(&user.city),
        create_time: n(user.create_time),
        update_time: user.update_time.map(n),
        is_delete: n(user.is_delete),
        receipt: s(&user.receipt),
        shard: (!user.is_delete).then(|| n(user.id.shard())),
    }
}

fn from_item(item: UserItem<String>) -> Result<User, Error> {
    Ok(User {
        id: id_of(&item.id.text)?,
        phone: Phone::stored(item.phone.text),
        role: Role::of(&item.role.text),
        user_name: item.user_name.text,
        gender: u8::try_from(item.gender.number).map_err(|_| broken("gender"))?,
        birth_day: item.birth_day.text,
        province: item.province.text,
        city: item.city.text,
        create_time: item.create_time.number,
        update_time: item.update_time.map(|time| time.number),
        is_delete: item.is_delete.number != 0,
        receipt: item.receipt.text,
    })
}

fn id_of(text: &str) -> Result<UserId, Error> {
    text.parse().map_err(|_| broken("id"))
}

/// An item that has something else than what this service writes.
fn broken(name: &str) -> Error {
    Error::Internal(Cause::new(&format!("a user without a proper {name}")))
}
