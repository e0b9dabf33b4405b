//! The users' table: partition key `phone`, so that one conditional write makes a phone unique; and its sparse
//! index `by_id` (`shard`, `id`), which serves "newest first". See `docs/decisions/0002-users-table.md`.

use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use serde::Deserialize;

use super::database::{Database, met, read, write};
use super::item::{Item, from_item, n, s, to_item};
use super::user_item::{UserItem, read_user};
use crate::config::Config;
use crate::error::{Cause, Error, StartError};
use crate::models::phone::Phone;
use crate::models::user::{User, UserId};

const BY_ID: &str = "by_id";

/// What is added to the shard of a deleted user: in the index `by_id` the deleted have shards of their own, so that no list
/// of users meets them and an admin finds them by id.
pub(super) const OF_DELETED: u8 = 16;

/// The users' table.
pub struct Users {
    pub(super) database: Database,
    pub(super) table: String,
    pub(super) shards: u8,
}

/// The outcome of writing a new user.
pub enum Inserted {
    /// The user is in the table.
    New,
    /// The phone had a user before, who was made by the request of this receipt and is live or disabled.
    Exists {
        /// The user.
        id: UserId,
        /// Whether the account is disabled.
        is_disabled: bool,
        /// See `accounts::register`.
        receipt: String,
        /// As [`User::epoch`].
        epoch: u64,
    },
}

/// Whose phone it is.
#[derive(Deserialize)]
struct Owner {
    id: UserId,
    #[serde(default)]
    is_disabled: u64,
    #[serde(default)]
    receipt: String,
    #[serde(default)]
    epoch: u64,
}

impl Users {
    /// The users' table of this stage.
    ///
    /// # Errors
    /// `USERS_TABLE`, when it is not set.
    pub fn new(database: &Database, config: &Config) -> Result<Self, StartError> {
        let table = config.users_table().map_err(StartError::of)?.to_owned();
        Ok(Self { database: database.clone(), table, shards: config.user_shards })
    }

    /// Writes a user unless the phone has one that is live or disabled. A deleted one is written over.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn insert(&self, user: &User) -> Result<Inserted, Error> {
        let put = self.database.client.put_item().table_name(&self.table).return_consumed_capacity(Total);
        let put = put
            .set_item(Some(to_item(UserItem::from(user))?))
            .condition_expression("attribute_not_exists(phone) OR (is_delete = :yes AND NOT is_disabled = :yes)")
            .expression_attribute_values(":yes", n(1))
            .return_values_on_condition_check_failure(AllOld);
        let Err(error) = write(put.send(), PutItemOutput::consumed_capacity).await else { return Ok(Inserted::New) };
        let owner = met(&error)?.ok_or_else(|| Error::Internal(Cause::new("a refused write without its item")))?;
        let Owner { id, is_disabled, receipt, epoch } = from_item(owner)?;
        Ok(Inserted::Exists { id, is_disabled: is_disabled != 0, receipt, epoch })
    }

    /// The user that blocks a registration of the phone: one that is not deleted, or is disabled.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn by_phone(&self, phone: &Phone) -> Result<Option<User>, Error> {
        let user = self.row(phone).await?;
        Ok(user.filter(|user| !user.is_delete || user.is_disabled))
    }

    /// The user of a phone, in any state.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn row(&self, phone: &Phone) -> Result<Option<User>, Error> {
        self.item(phone).await?.map(read_user).transpose()
    }

    /// The item of a phone. Strongly consistent, so that a login right after a registration finds the user.
    pub(super) async fn item(&self, phone: &Phone) -> Result<Option<Item>, Error> {
        let get = self.database.client.get_item().table_name(&self.table).return_consumed_capacity(Total);
        let get = get.key("phone", s(phone.e164())).consistent_read(true);
        Ok(read(get.send(), GetItemOutput::consumed_capacity).await?.item)
    }

    /// A live user, also a disabled one, by its id. The index is a moment behind the table.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn by_id(&self, id: UserId) -> Result<Option<User>, Error> {
        self.of_shard(id.shard(), id).await
    }

    /// A user by its id, whatever has become of it.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn any_by_id(&self, id: UserId) -> Result<Option<User>, Error> {
        let (live, deleted) =
            tokio::try_join!(self.of_shard(id.shard(), id), self.of_shard(OF_DELETED + id.shard(), id))?;
        Ok(live.or(deleted))
    }

    async fn of_shard(&self, shard: u8, id: UserId) -> Result<Option<User>, Error> {
        let query = self
            .shard(shard)
            .key_condition_expression("#shard = :shard AND id = :id")
            .expression_attribute_values(":id", s(id.to_string()));
        let found = read(query.send(), QueryOutput::consumed_capacity).await?;
        found.items.unwrap_or_default().into_iter().next().map(read_user).transpose()
    }

    /// A query of one shard. `#shard` is the attribute `shard`, whose name is a word of the language of expressions.
    pub(super) fn shard(&self, shard: u8) -> QueryFluentBuilder {
        self.query(BY_ID).expression_attribute_names("#shard", "shard").expression_attribute_values(":shard", n(shard))
    }

    /// A query of an index.
    pub(super) fn query(&self, index: &str) -> QueryFluentBuilder {
        let query = self.database.client.query().table_name(&self.table).return_consumed_capacity(Total);
        query.index_name(index)
    }
}

/// The SDK's type of a limit.
pub(super) fn limit(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::Timestamp;
    use serde_json::json;

    use super::super::scripted::{Ending, Scripted};
    use super::super::user_item::samples::{ID, row, user};
    use super::*;
    use crate::config::Deployed;

    fn users(dynamodb: &Scripted, shards: u8) -> Users {
        Users { database: Database::new(dynamodb.config()), table: "users".to_owned(), shards }
    }

    #[test]
    fn a_new_user_is_written_under_a_condition() {
        let dynamodb = Scripted::new(&[Ending::ok(&json!({}))]);
        assert!(matches!(dynamodb.run(users(&dynamodb, 1).insert(&user())), Ok(Inserted::New)));
        let [seen] = &dynamodb.seen()[..] else { panic!() };
        let expected = json!({
            "TableName": "users",
            "Item": row(),
            "ConditionExpression": "attribute_not_exists(phone) OR (is_delete = :yes AND NOT is_disabled = :yes)",
            "ExpressionAttributeValues": { ":yes": { "N": "1" } },
            "ReturnConsumedCapacity": "TOTAL",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        });
        assert_eq!((seen.operation.as_str(), &seen.body), ("PutItem", &expected));
    }

    #[test]
    fn a_phone_of_a_live_user_is_told_with_its_owner() {
        for (item, expected) in [
            (
                json!({ "id": { "S": ID }, "is_disabled": { "N": "1" }, "receipt": { "S": "r" }, "epoch": { "N": "7" } }),
                (true, "r", 7),
            ),
            // Of a row that is older than receipts.
            (json!({ "id": { "S": ID } }), (false, "", 0)),
        ] {
            let dynamodb = Scripted::new(&[Ending::condition(&item)]);
            let inserted = dynamodb.run(users(&dynamodb, 1).insert(&user())).unwrap();
            let Inserted::Exists { id, is_disabled, receipt, epoch } = inserted else { panic!("{item}") };
            assert_eq!((id.to_string().as_str(), (is_disabled, receipt.as_str(), epoch)), (ID, expected));
        }
    }

    #[test]
    fn a_live_user_is_found_by_phone_and_a_deleted_one_is_not() {
        for (is_delete, is_disabled, is_found) in [("0", "0", true), ("1", "0", false), ("1", "1", true)] {
            let mut row = row();
            row["is_delete"] = json!({ "N": is_delete });
            row["is_disabled"] = json!({ "N": is_disabled });
            let dynamodb = Scripted::new(&[Ending::ok(&json!({ "Item": row }))]);
            let found = dynamodb.run(users(&dynamodb, 1).by_phone(&user().phone)).unwrap();
            assert_eq!(found.is_some(), is_found);
            let expected = json!({
                "TableName": "users",
                "Key": { "phone": { "S": "+8613800138000" } },
                "ConsistentRead": true,
                "ReturnConsumedCapacity": "TOTAL",
            });
            assert_eq!(dynamodb.seen()[0].body, expected);
        }
    }

    #[test]
    fn a_user_of_any_state_is_found_by_id() {
        let page =
            |row: Option<serde_json::Value>| Ending::ok(&json!({ "Items": row.into_iter().collect::<Vec<_>>() }));
        for endings in [[page(Some(row())), page(None)], [page(None), page(Some(row()))], [page(None), page(None)]] {
            let dynamodb = Scripted::new(&endings);
            let found = dynamodb.run(users(&dynamodb, 1).any_by_id(ID.parse().unwrap())).unwrap();
            let seen = dynamodb.seen();
            let shards = seen.iter().map(|seen| &seen.body["ExpressionAttributeValues"][":shard"]["N"]);
            let shards: HashSet<_> = shards.map(|shard| shard.as_str().unwrap()).collect();
            assert_eq!(shards, HashSet::from(["3", "19"]), "the live and the deleted, side by side");
            assert_eq!(seen[0].body["KeyConditionExpression"], "#shard = :shard AND id = :id");
            assert_eq!(
                found.is_some(),
                !matches!(&endings[..], [Ending::Response(_, a), Ending::Response(_, b)] if a == b)
            );
        }
    }

    #[test]
    fn a_table_that_is_not_set_stops_the_start_by_name() {
        let config = include_str!("../../../conf/local.toml");
        let config = Config::parse("local".to_owned(), config, Deployed::default()).ok().unwrap();
        let database = Database::new(Scripted::new(&[]).config());
        assert!(Users::new(&database, &config).err().unwrap().to_string().contains("USERS_TABLE"));
    }

    #[test]
    fn futures_can_go_to_another_thread_and_are_small() {
        fn size_of_send<T: Send>(future: &T) -> usize {
            size_of_val(future)
        }
        let dynamodb = Scripted::new(&[]);
        let (users, user) = (users(&dynamodb, 1), user());
        assert!(size_of_send(&users.insert(&user)) < 2048);
        assert!(size_of_send(&users.by_phone(&user.phone)) < 2048);
        assert!(size_of_send(&users.newest(None, None, 20)) < 2048);
        assert!(size_of_send(&users.count_registered(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)) < 4096);
        assert!(size_of_send(&users.undated_deletions(None)) < 2048);
    }
}
