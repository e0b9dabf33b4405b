//! The users' table: partition key `phone`, so that one conditional write makes a phone unique; and its sparse
//! index `by_id` (`shard`, `id`), which serves "newest first". See `docs/decisions/0002-users-table.md`.

use std::sync::LazyLock;

use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use aws_sdk_dynamodb::types::Select;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Deserialize;

use super::database::{Database, met, read, write};
use super::item::{Item, from_item, n, s, to_item};
use super::user_item::{UserItem, read_listed, read_user};
use crate::config::Config;
use crate::error::{Cause, Error, StartError};
use crate::models::phone::Phone;
use crate::models::profile::FIELDS;
use crate::models::user::{User, UserId};

const BY_ID: &str = "by_id";

/// Queries of one page. One is enough unless rows cannot be read.
const LONGEST_WALK: usize = 4;

/// What a list reads of a user.
static LISTED: LazyLock<Projection> = LazyLock::new(|| {
    let columns = ["phone", "id", "create_time", "update_time", "is_delete"];
    Projection::of(columns.into_iter().chain(FIELDS.iter().map(|field| field.name)))
});

/// Attributes that a query returns. They have placeholders, because names can be reserved words (DynamoDB Developer Guide,
/// "Reserved words in DynamoDB").
struct Projection {
    expression: String,
    names: Vec<(String, &'static str)>,
}

impl Projection {
    fn of(names: impl Iterator<Item = &'static str>) -> Self {
        let names: Vec<_> = names.enumerate().map(|(at, name)| (format!("#{at}"), name)).collect();
        let expression = names.iter().map(|(placeholder, _)| placeholder.as_str()).collect::<Vec<_>>().join(",");
        Self { expression, names }
    }
}

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

    /// The user of a phone, unless it is deleted. A disabled one is told in any case.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn by_phone(&self, phone: &Phone) -> Result<Option<User>, Error> {
        let get = self.database.client.get_item().table_name(&self.table).return_consumed_capacity(Total);
        // Strongly consistent, so that a login right after a registration finds the user.
        let get = get.key("phone", s(phone.e164())).consistent_read(true);
        let found = read(get.send(), GetItemOutput::consumed_capacity).await?;
        let user = found.item.map(read_user).transpose()?;
        Ok(user.filter(|user| !user.is_delete || user.is_disabled))
    }

    /// At most `count` live users, newest first, who registered before `before`. Each shard is asked for all of
    /// them, because all of them may lie there; the shards are asked side by side. A row that cannot be read is left out,
    /// and the log has its key.
    ///
    /// # Errors
    /// [`Error::Db`]; [`Error::Internal`] when hundreds of rows in a row cannot be read.
    pub async fn newest(&self, before: Option<UserId>, count: usize) -> Result<Vec<User>, Error> {
        let pages = (0..self.shards).map(|shard| self.newest_of_shard(shard, before, count));
        let mut users: Vec<User> = try_join_all(pages).await?.into_iter().flatten().collect();
        users.sort_unstable_by_key(|user| std::cmp::Reverse(user.id));
        users.truncate(count);
        Ok(users)
    }

    async fn newest_of_shard(&self, shard: u8, before: Option<UserId>, count: usize) -> Result<Vec<User>, Error> {
        let (mut users, mut start) = (Vec::new(), None);
        for _ in 0..LONGEST_WALK {
            let (rows, next) = self.rows_of_shard(shard, before, count, start).await?;
            users.extend(rows.into_iter().filter_map(read_listed));
            start = next;
            if users.len() >= count || start.is_none() {
                users.truncate(count);
                return Ok(users);
            }
        }
        Err(Error::Internal(Cause::new("a page of the list has too many rows that cannot be read")))
    }

    /// One query of [`Self::newest`], and where the next one goes on.
    async fn rows_of_shard(
        &self,
        shard: u8,
        before: Option<UserId>,
        count: usize,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), Error> {
        let mut query = self.shard(shard).scan_index_forward(false).limit(limit(count)).set_exclusive_start_key(start);
        // A page costs the same units without it, and a tenth more instructions.
        query = query.projection_expression(&*LISTED.expression);
        for (placeholder, name) in &LISTED.names {
            query = query.expression_attribute_names(placeholder, *name);
        }
        let query = match before {
            Some(id) => query
                .key_condition_expression("#shard = :shard AND id < :before")
                .expression_attribute_values(":before", s(id.to_string())),
            None => query.key_condition_expression("#shard = :shard"),
        };
        let found = read(query.send(), QueryOutput::consumed_capacity).await?;
        Ok((found.items.unwrap_or_default(), found.last_evaluated_key))
    }

    /// How many live users have registered from `from` until before `until`, counted by their ids, which begin with
    /// that time.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn count_registered(&self, from: Timestamp, until: Timestamp) -> Result<u64, Error> {
        let mut count = 0;
        for shard in 0..self.shards {
            // No id is the smallest of its millisecond, so the bound `until` itself is nobody's.
            let query = self
                .shard(shard)
                .key_condition_expression("#shard = :shard AND id BETWEEN :from AND :until")
                .expression_attribute_values(":from", s(first_id_of(from)))
                .expression_attribute_values(":until", s(first_id_of(until)))
                .select(Select::Count);
            let mut start = None;
            loop {
                let page = query.clone().set_exclusive_start_key(start);
                let found = read(page.send(), QueryOutput::consumed_capacity).await?;
                count += u64::try_from(found.count).unwrap_or_default();
                start = found.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
        }
        Ok(count)
    }

    /// A query of one shard. `#shard` is the attribute `shard`, whose name is a word of the language of expressions.
    fn shard(&self, shard: u8) -> QueryFluentBuilder {
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

/// The smallest text that a `UUIDv7` of this millisecond could be.
fn first_id_of(at: Timestamp) -> String {
    let millis = at.as_millisecond().max(0);
    format!("{:08x}-{:04x}-", millis >> 16, millis & 0xffff)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
    fn the_newest_of_all_shards_come_first() {
        let mut older = row();
        older["id"] = json!({ "S": "0193a5ef-0000-7000-8000-000000000000" });
        let page = |row: Value| Ending::ok(&json!({ "Items": [row], "Count": 1 }));
        let dynamodb = Scripted::new(&[page(older), page(row())]);
        let before: UserId = "0193a5f1-0000-7000-8000-000000000000".parse().unwrap();
        let newest = dynamodb.run(users(&dynamodb, 2).newest(Some(before), 20)).unwrap();
        let seen = dynamodb.seen();
        assert_eq!((newest[0].id.to_string().as_str(), newest.len(), seen.len()), (ID, 2, 2));
        let expected = json!({
            "TableName": "users",
            "IndexName": "by_id",
            "KeyConditionExpression": "#shard = :shard AND id < :before",
            "ProjectionExpression": "#0,#1,#2,#3,#4,#5,#6,#7,#8,#9",
            "ExpressionAttributeNames": {
                "#shard": "shard", "#0": "phone", "#1": "id", "#2": "create_time", "#3": "update_time", "#4": "is_delete",
                "#5": "user_name", "#6": "gender", "#7": "birth_day", "#8": "province", "#9": "city",
            },
            "ExpressionAttributeValues": { ":shard": { "N": "1" }, ":before": { "S": before.to_string() } },
            "ScanIndexForward": false,
            "Limit": 20,
            "ReturnConsumedCapacity": "TOTAL",
        });
        assert_eq!(seen[1].body, expected);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_left_out_and_the_page_is_full() {
        let odd = |name: &str, value: Value| {
            let mut row = row();
            row[name] = value;
            row
        };
        let key = json!({ "phone": { "S": "p" }, "shard": { "N": "0" }, "id": { "S": ID } });
        let rows = json!([odd("gender", json!({ "S": "x" })), row(), odd("create_time", json!({ "BOOL": true }))]);
        let dynamodb = Scripted::new(&[
            Ending::ok(&json!({ "Items": rows, "LastEvaluatedKey": key })),
            Ending::ok(&json!({ "Items": [row(), row()], "LastEvaluatedKey": key })),
        ]);
        let newest = dynamodb.run(users(&dynamodb, 1).newest(None, 3)).unwrap();
        let seen = dynamodb.seen();
        assert_eq!((newest.len(), seen.len(), &seen[1].body["ExclusiveStartKey"]), (3, 2, &key));
        // The last rows of the table.
        let dynamodb =
            Scripted::new(&[Ending::ok(&json!({ "Items": [odd("user_name", json!({ "N": "1" })), row()] }))]);
        assert_eq!(dynamodb.run(users(&dynamodb, 1).newest(None, 3)).unwrap().len(), 1);
    }

    #[test]
    fn a_table_of_odd_rows_is_not_read_to_its_end() {
        let mut row = row();
        row["is_delete"] = json!({ "S": "x" });
        let key = json!({ "phone": { "S": "p" }, "shard": { "N": "0" }, "id": { "S": ID } });
        let dynamodb = Scripted::new(&[Ending::ok(&json!({ "Items": [row], "LastEvaluatedKey": key }))]);
        let outcome = dynamodb.run(users(&dynamodb, 1).newest(None, 1));
        assert!(matches!(outcome, Err(Error::Internal(_))));
        assert_eq!(dynamodb.seen().len(), LONGEST_WALK);
    }

    #[test]
    fn registrations_are_counted_page_by_page() {
        let key = json!({ "phone": { "S": "p" }, "shard": { "N": "0" }, "id": { "S": ID } });
        let first = Ending::ok(&json!({ "Count": 3, "LastEvaluatedKey": key }));
        let dynamodb = Scripted::new(&[first, Ending::ok(&json!({ "Count": 2 }))]);
        let (from, until) = (Timestamp::from_second(0).unwrap(), Timestamp::from_second(86_400).unwrap());
        assert_eq!(dynamodb.run(users(&dynamodb, 1).count_registered(from, until)).unwrap(), 5);
        let seen = dynamodb.seen();
        assert_eq!((&seen[0].body["ExclusiveStartKey"], &seen[1].body["ExclusiveStartKey"]), (&json!(null), &key));
        let values = json!({
            ":shard": { "N": "0" }, ":from": { "S": "00000000-0000-" }, ":until": { "S": "00000526-5c00-" }
        });
        assert_eq!((&seen[1].body["Select"], &seen[1].body["ExpressionAttributeValues"]), (&json!("COUNT"), &values));
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
        assert!(size_of_send(&users.newest(None, 20)) < 2048);
        assert!(size_of_send(&users.count_registered(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)) < 4096);
        assert!(size_of_send(&users.undated_deletions(None)) < 2048);
    }
}
