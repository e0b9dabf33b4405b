//! The users' table: partition key `phone`, so that one conditional write makes a phone unique; and its sparse
//! index `by_id` (`shard`, `id`), which serves "newest first". See `docs/decisions/0002-users-table.md`.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure};
use futures_util::future::try_join_all;

use super::{Item, Kind, Store, broken, failed};
use crate::error::Error;
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

impl Store {
    /// Writes a user unless the phone has a live one. A deleted one is written over.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn insert_user(&self, user: &User) -> Result<Inserted, Error> {
        let write = self
            .client
            .put_item()
            .table_name(self.users_table()?)
            .set_item(Some(to_item(user)))
            .condition_expression("attribute_not_exists(phone) OR is_delete = :deleted")
            .expression_attribute_values(":deleted", number(1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send();
        match self.trip(write).await {
            Ok(done) => {
                self.charge(done.consumed_capacity(), Kind::Write);
                Ok(Inserted::New)
            }
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    // DynamoDB charges for a refused write too, but does not say so.
                    let old = refused.item().ok_or_else(|| broken("a refused write", "item"))?;
                    Ok(Inserted::Exists { id: id_of(old)?, receipt: text(old, "receipt").unwrap_or_default() })
                }
                _ => Err(failed(&error)),
            },
        }
    }

    /// The live user of a phone.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn user_by_phone(&self, phone: &Phone) -> Result<Option<User>, Error> {
        let read = self
            .client
            .get_item()
            .table_name(self.users_table()?)
            .key("phone", AttributeValue::S(phone.e164().to_owned()))
            // Strongly consistent, so that a login right after a registration finds the user.
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send();
        let found = self.trip(read).await.map_err(|error| failed(&error))?;
        self.charge(found.consumed_capacity(), Kind::Read);
        let user = found.item.as_ref().map(from_item).transpose()?;
        Ok(user.filter(|user| !user.is_delete))
    }

    /// At most `count` live users, newest first, who registered before `before`. Each shard is asked for all of
    /// them, because all of them may lie there; the shards are asked side by side.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn newest_users(&self, shards: u8, before: Option<UserId>, count: usize) -> Result<Vec<User>, Error> {
        let pages = try_join_all((0..shards).map(|shard| self.newest_of_shard(shard, before, count))).await?;
        let mut users: Vec<User> = pages.into_iter().flatten().collect();
        users.sort_unstable_by_key(|user| std::cmp::Reverse(user.id));
        users.truncate(count);
        Ok(users)
    }

    async fn newest_of_shard(&self, shard: u8, before: Option<UserId>, count: usize) -> Result<Vec<User>, Error> {
        let query = self
            .client
            .query()
            .table_name(self.users_table()?)
            .index_name(INDEX)
            // A reserved word of DynamoDB's expressions.
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":shard", number(shard))
            .scan_index_forward(false)
            .limit(i32::try_from(count).unwrap_or(i32::MAX))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let query = match before {
            None => query.key_condition_expression("#shard = :shard"),
            Some(id) => query
                .key_condition_expression("#shard = :shard AND id < :before")
                .expression_attribute_values(":before", AttributeValue::S(id.to_string())),
        };
        let found = self.trip(query.send()).await.map_err(|error| failed(&error))?;
        self.charge(found.consumed_capacity(), Kind::Read);
        found.items().iter().map(from_item).collect()
    }
}

fn to_item(user: &User) -> Item {
    let mut item = Item::from([
        ("phone".to_owned(), AttributeValue::S(user.phone.e164().to_owned())),
        ("id".to_owned(), AttributeValue::S(user.id.to_string())),
        ("role".to_owned(), AttributeValue::S(user.role.as_str().to_owned())),
        ("user_name".to_owned(), AttributeValue::S(user.user_name.clone())),
        ("gender".to_owned(), number(user.gender)),
        ("birth_day".to_owned(), AttributeValue::S(user.birth_day.clone())),
        ("province".to_owned(), AttributeValue::S(user.province.clone())),
        ("city".to_owned(), AttributeValue::S(user.city.clone())),
        ("create_time".to_owned(), number(user.create_time)),
        ("is_delete".to_owned(), number(u8::from(user.is_delete))),
        ("receipt".to_owned(), AttributeValue::S(user.receipt.clone())),
    ]);
    if let Some(time) = user.update_time {
        item.insert("update_time".to_owned(), number(time));
    }
    if !user.is_delete {
        // A deleted user has no shard and so leaves the index.
        item.insert("shard".to_owned(), number(user.id.shard()));
    }
    item
}

fn from_item(item: &Item) -> Result<User, Error> {
    let string = |name: &str| text(item, name).ok_or_else(|| broken("a user", name));
    let integer = |name: &str| integer(item, name).ok_or_else(|| broken("a user", name));
    Ok(User {
        id: id_of(item)?,
        phone: Phone::stored(string("phone")?),
        role: Role::of(&string("role")?),
        user_name: string("user_name")?,
        gender: u8::try_from(integer("gender")?).map_err(|_| broken("a user", "gender"))?,
        birth_day: string("birth_day")?,
        province: text(item, "province").unwrap_or_default(),
        city: text(item, "city").unwrap_or_default(),
        create_time: integer("create_time")?,
        update_time: self::integer(item, "update_time"),
        is_delete: integer("is_delete")? != 0,
        receipt: text(item, "receipt").unwrap_or_default(),
    })
}

fn id_of(item: &Item) -> Result<UserId, Error> {
    text(item, "id").and_then(|id| id.parse().ok()).ok_or_else(|| broken("a user", "id"))
}

fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

fn integer(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(super) fn number(value: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
