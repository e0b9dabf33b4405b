//! Lists of users, newest first: each is a few bounded queries, whatever the table's size.

use std::sync::LazyLock;

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::Select;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::database::read;
use super::item::{Item, n, s};
use super::user_item::read_listed;
use super::users::{OF_DELETED, Users, limit};
use crate::error::{Cause, Error};
use crate::models::profile::FIELDS;
use crate::models::user::{User, UserId, UserState};

const BY_DISABLED: &str = "by_disabled";

/// Queries of one page. One is enough unless many rows in a row are of another state or cannot be read.
const LONGEST_WALK: usize = 4;

/// Users of a list, newest first.
pub struct Newest {
    /// At most as many as were asked for.
    pub users: Vec<User>,
    /// Where the search was given up, if it was: nobody older was looked at. Then there may be fewer users than asked for, and more of
    /// them behind.
    pub until: Option<UserId>,
}

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

/// Rows that one query of a list reads when some of them are of another state.
const FILTERED: usize = 250;

/// Where users of a list lie together, ordered by their ids.
#[derive(Clone, Copy)]
enum Partition {
    /// A shard of the index `by_id`; of the live ones without the disabled.
    Shard(u8, Option<UserState>),
    /// The index `by_disabled`, without the deleted.
    Disabled,
}

impl Partition {
    fn query(self, users: &Users, count: usize) -> QueryFluentBuilder {
        match self {
            Self::Shard(shard, None) => users.shard(shard).limit(limit(count)),
            Self::Shard(shard, Some(_)) => users
                .shard(shard)
                .limit(limit(count.max(FILTERED)))
                .filter_expression("attribute_not_exists(is_disabled) OR is_disabled = :no")
                .expression_attribute_values(":no", n(0)),
            Self::Disabled => users
                .query(BY_DISABLED)
                .limit(limit(count.max(FILTERED)))
                .filter_expression("is_delete = :no")
                .expression_attribute_values(":yes", n(1))
                .expression_attribute_values(":no", n(0)),
        }
    }

    fn condition(self) -> &'static str {
        match self {
            Self::Shard(..) => "#shard = :shard",
            Self::Disabled => "is_disabled = :yes",
        }
    }
}

impl Users {
    /// At most `count` users of a state, newest first, who registered before `before`; without a state those who are not
    /// deleted. Each shard is asked for all of them, because all of them may lie there; the shards are asked side by side. A
    /// row that cannot be read is left out, and the log has its key.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn newest(
        &self,
        state: Option<UserState>,
        before: Option<UserId>,
        count: usize,
    ) -> Result<Newest, Error> {
        let partitions: Vec<Partition> = match state {
            Some(UserState::Disabled) => vec![Partition::Disabled],
            Some(UserState::Deleted) => {
                (0..self.shards).map(|shard| Partition::Shard(OF_DELETED + shard, None)).collect()
            }
            state => (0..self.shards).map(|shard| Partition::Shard(shard, state)).collect(),
        };
        let pages = partitions.into_iter().map(|partition| self.newest_of(partition, before, count));
        let pages = try_join_all(pages).await?;
        let mut until = pages.iter().filter_map(|page| page.until).max();
        let mut users: Vec<User> = pages.into_iter().flat_map(|page| page.users).collect();
        users.sort_unstable_by_key(|user| std::cmp::Reverse(user.id));
        // A partition that was given up may have users between older ones of another.
        users.retain(|user| until.is_none_or(|until| user.id >= until));
        users.truncate(count);
        if users.len() == count {
            until = None;
        }
        Ok(Newest { users, until })
    }

    async fn newest_of(&self, partition: Partition, before: Option<UserId>, count: usize) -> Result<Newest, Error> {
        let (mut users, mut start) = (Vec::new(), None);
        for _ in 0..LONGEST_WALK {
            let (rows, next) = self.rows_of(partition, before, count, start).await?;
            users.extend(rows.into_iter().filter_map(read_listed));
            start = next;
            if users.len() >= count || start.is_none() {
                users.truncate(count);
                return Ok(Newest { users, until: None });
            }
        }
        let until = start.as_ref().and_then(|key| key.get("id")?.as_s().ok()?.parse().ok());
        until.map(|id| Newest { users, until: Some(id) }).ok_or_else(|| Error::Db(Cause::new("a key without an id")))
    }

    /// One query of [`Self::newest`], and where the next one goes on.
    async fn rows_of(
        &self,
        partition: Partition,
        before: Option<UserId>,
        count: usize,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), Error> {
        let query = partition.query(self, count).scan_index_forward(false).set_exclusive_start_key(start);
        // A page costs the same units without it, and a tenth more instructions.
        let mut query = query.projection_expression(&*LISTED.expression);
        for (placeholder, name) in &LISTED.names {
            query = query.expression_attribute_names(placeholder, *name);
        }
        let query = match before {
            Some(id) => query
                .key_condition_expression(format!("{} AND id < :before", partition.condition()))
                .expression_attribute_values(":before", s(id.to_string())),
            None => query.key_condition_expression(partition.condition()),
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
}

/// The smallest text that a `UUIDv7` of this millisecond could be.
fn first_id_of(at: Timestamp) -> String {
    let millis = at.as_millisecond().max(0);
    format!("{:08x}-{:04x}-", millis >> 16, millis & 0xffff)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::changes::tests::users as of_one_shard;
    use super::super::scripted::{Ending, Scripted};
    use super::super::user_item::samples::{ID, row};
    use super::*;

    fn users(dynamodb: &Scripted, shards: u8) -> Users {
        Users { shards, ..of_one_shard(dynamodb) }
    }

    #[test]
    fn the_newest_of_all_shards_come_first() {
        let mut older = row();
        older["id"] = json!({ "S": "0193a5ef-0000-7000-8000-000000000000" });
        let page = |row: Value| Ending::ok(&json!({ "Items": [row], "Count": 1 }));
        let dynamodb = Scripted::new(&[page(older), page(row())]);
        let before: UserId = "0193a5f1-0000-7000-8000-000000000000".parse().unwrap();
        let newest = dynamodb.run(users(&dynamodb, 2).newest(None, Some(before), 20)).unwrap().users;
        let seen = dynamodb.seen();
        assert_eq!((newest[0].id.to_string().as_str(), newest.len(), seen.len()), (ID, 2, 2));
        let columns = ["phone", "id", "create_time", "update_time", "is_delete"].into_iter();
        let columns = columns.chain(FIELDS.iter().map(|field| field.name)).enumerate();
        let mut names: BTreeMap<_, _> = columns.map(|(at, name)| (format!("#{at}"), name)).collect();
        let projection = (0..names.len()).map(|at| format!("#{at}")).collect::<Vec<_>>().join(",");
        names.insert("#shard".to_owned(), "shard");
        let expected = json!({
            "TableName": "users",
            "IndexName": "by_id",
            "KeyConditionExpression": "#shard = :shard AND id < :before",
            "ProjectionExpression": projection,
            "ExpressionAttributeNames": names,
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
        let newest = dynamodb.run(users(&dynamodb, 1).newest(None, None, 3)).unwrap().users;
        let seen = dynamodb.seen();
        assert_eq!((newest.len(), seen.len(), &seen[1].body["ExclusiveStartKey"]), (3, 2, &key));
        // The last rows of the table.
        let dynamodb =
            Scripted::new(&[Ending::ok(&json!({ "Items": [odd("user_name", json!({ "N": "1" })), row()] }))]);
        assert_eq!(dynamodb.run(users(&dynamodb, 1).newest(None, None, 3)).unwrap().users.len(), 1);
    }

    #[test]
    fn a_table_of_odd_rows_is_not_read_to_its_end() {
        let mut row = row();
        row["is_delete"] = json!({ "S": "x" });
        let key = json!({ "phone": { "S": "p" }, "shard": { "N": "0" }, "id": { "S": ID } });
        let dynamodb = Scripted::new(&[Ending::ok(&json!({ "Items": [row], "LastEvaluatedKey": key }))]);
        let found = dynamodb.run(users(&dynamodb, 1).newest(None, None, 1)).unwrap();
        assert_eq!((found.users.len(), found.until.map(|id| id.to_string()).as_deref()), (0, Some(ID)));
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
    fn each_state_is_a_partition_of_an_index() {
        for (state, index, shard, filter, values) in [
            (
                UserState::Live,
                "by_id",
                Some("0"),
                Some("attribute_not_exists(is_disabled) OR is_disabled = :no"),
                &[":no", ":shard"][..],
            ),
            (UserState::Deleted, "by_id", Some("16"), None, &[":shard"]),
            (UserState::Disabled, "by_disabled", None, Some("is_delete = :no"), &[":no", ":yes"]),
        ] {
            let dynamodb = Scripted::new(&[Ending::ok(&json!({ "Items": [row()] }))]);
            assert_eq!(dynamodb.run(users(&dynamodb, 1).newest(Some(state), None, 3)).unwrap().users.len(), 1);
            let body = &dynamodb.seen()[0].body;
            assert_eq!((body["IndexName"].as_str(), body["FilterExpression"].as_str()), (Some(index), filter));
            let given = body["ExpressionAttributeValues"].as_object().unwrap();
            assert_eq!(given.keys().map(String::as_str).collect::<Vec<_>>(), values);
            assert_eq!(given.get(":shard").map(|shard| &shard["N"]), shard.map(|shard| json!(shard)).as_ref());
        }
    }
}
