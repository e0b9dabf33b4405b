//! Deleted users, by the sparse index `by_delete_time` (`is_delete`, `delete_time`), and those that older code left
//! without a time of deletion.

use aws_sdk_dynamodb::operation::delete_item::{DeleteItemError, DeleteItemOutput};
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use jiff::Timestamp;
use serde::Deserialize;

use super::changes::Change;
use super::database::{is_done, read, write};
use super::item::{Item, from_item, n, s};
use super::users::{Users, limit};
use crate::error::Error;
use crate::models::changed_by::ChangedBy;

const BY_DELETE_TIME: &str = "by_delete_time";

/// `is_delete` of all users that are deleted; one value, because few are.
const DELETED: u8 = 1;

/// Items that one page of a scan reads; the bound of a batch.
const PAGE: i32 = 100;

/// Where a scan goes on.
pub struct Cursor(Item);

/// All that is read of a deleted user.
#[derive(Deserialize)]
struct PhoneItem {
    phone: String,
}

/// All that is read of one that is erased.
#[derive(Deserialize)]
struct IdItem {
    id: String,
}

impl Users {
    /// Phones of at most `count` users who were deleted before `before`, the earliest first.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn deleted_before(&self, before: Timestamp, count: usize) -> Result<Vec<String>, Error> {
        let query = self
            .query(BY_DELETE_TIME)
            .key_condition_expression("is_delete = :deleted AND delete_time < :before")
            .expression_attribute_values(":deleted", n(DELETED))
            .expression_attribute_values(":before", n(before.as_millisecond()))
            .limit(limit(count));
        let found = read(query.send(), QueryOutput::consumed_capacity).await?;
        phones(found.items)
    }

    /// Marks the row of a user who was deleted before `before` with who erases it, so that the table's stream can tell; the user's
    /// id. `None`: there is no such user any more.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn mark_erasure(
        &self,
        phone: &str,
        before: Timestamp,
        at: Timestamp,
        by: &ChangedBy,
    ) -> Result<Option<String>, Error> {
        let marked = self.change_item(phone, Change::new(by, at).of_deleted_before(before)).await?;
        marked.map(|item| Ok(from_item::<IdItem>(item)?.id)).transpose()
    }

    /// Removes a deleted user for good; `false` when it has been restored, or somebody has registered with the phone since.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn erase(&self, phone: &str, id: &str, before: Timestamp) -> Result<bool, Error> {
        let delete = self.database.client.delete_item().table_name(&self.table).return_consumed_capacity(Total);
        let delete = delete
            .key("phone", s(phone))
            .condition_expression("id = :id AND is_delete = :deleted AND delete_time < :before")
            .expression_attribute_values(":id", s(id))
            .expression_attribute_values(":deleted", n(DELETED))
            .expression_attribute_values(":before", n(before.as_millisecond()));
        let outcome = write(delete.send(), DeleteItemOutput::consumed_capacity).await;
        is_done(outcome, DeleteItemError::is_conditional_check_failed_exception)
    }

    /// One page of the whole table: phones of deleted users without a time of deletion, and where to go on.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn undated_deletions(&self, after: Option<Cursor>) -> Result<(Vec<String>, Option<Cursor>), Error> {
        let scan = self.database.client.scan().table_name(&self.table).return_consumed_capacity(Total);
        let scan = scan
            .filter_expression("is_delete = :deleted AND attribute_not_exists(delete_time)")
            .expression_attribute_values(":deleted", n(DELETED))
            .limit(PAGE)
            .set_exclusive_start_key(after.map(|cursor| cursor.0));
        let found = read(scan.send(), ScanOutput::consumed_capacity).await?;
        Ok((phones(found.items)?, found.last_evaluated_key.map(Cursor)))
    }

    /// Gives a deleted user a time of deletion, and takes it out of the list; one that has a time is left alone.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn date_deletion(&self, phone: &str, at: Timestamp) -> Result<bool, Error> {
        let update = self.database.client.update_item().table_name(&self.table).return_consumed_capacity(Total);
        let update = update
            .key("phone", s(phone))
            .update_expression("SET delete_time = :at REMOVE #shard")
            .condition_expression("is_delete = :deleted AND attribute_not_exists(delete_time)")
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":at", n(at.as_millisecond()))
            .expression_attribute_values(":deleted", n(DELETED));
        let outcome = write(update.send(), UpdateItemOutput::consumed_capacity).await;
        is_done(outcome, UpdateItemError::is_conditional_check_failed_exception)
    }
}

fn phones(items: Option<Vec<Item>>) -> Result<Vec<String>, Error> {
    items.unwrap_or_default().into_iter().map(|item| Ok(from_item::<PhoneItem>(item)?.phone)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::database::Database;
    use super::super::scripted::{Ending, Scripted};
    use super::*;

    fn users(dynamodb: &Scripted) -> Users {
        Users { database: Database::new(dynamodb.config()), table: "users".to_owned(), shards: 1 }
    }

    fn outcomes() -> [(Ending, bool); 2] {
        [(Ending::ok(&json!({})), true), (Ending::condition(&json!(null)), false)]
    }

    #[test]
    fn a_user_that_has_registered_again_is_not_erased() {
        let at = Timestamp::from_millisecond(7).unwrap();
        for (ending, was_erased) in outcomes() {
            let dynamodb = Scripted::new(&[ending]);
            assert_eq!(dynamodb.run(users(&dynamodb).erase("p", "i", at)).unwrap(), was_erased);
            let expected = json!({
                "TableName": "users",
                "Key": { "phone": { "S": "p" } },
                "ConditionExpression": "id = :id AND is_delete = :deleted AND delete_time < :before",
                "ExpressionAttributeValues": { ":id": { "S": "i" }, ":deleted": { "N": "1" }, ":before": { "N": "7" } },
                "ReturnConsumedCapacity": "TOTAL",
            });
            assert_eq!(dynamodb.seen()[0].body, expected);
        }
    }

    #[test]
    fn a_row_is_marked_with_who_erases_it_also_if_it_cannot_be_read() {
        let (at, by) = (Timestamp::from_millisecond(7).unwrap(), ChangedBy::job("daily#t"));
        let item = |by: &str| {
            let by = json!({ "request_id": { "S": by } });
            json!({ "phone": { "S": "p" }, "id": { "S": "i" }, "gender": { "S": "x" }, "changed_by": { "M": by } })
        };
        for (ending, id) in [
            (Ending::ok(&json!({ "Attributes": item("daily#t") })), Some("i")),
            // An earlier attempt has marked it.
            (Ending::condition(&item("daily#t")), Some("i")),
            (Ending::condition(&item("r-1")), None),
            (Ending::condition(&json!(null)), None),
        ] {
            let dynamodb = Scripted::new(&[ending]);
            let marked = dynamodb.run(users(&dynamodb).mark_erasure("p", at, at, &by)).unwrap();
            assert_eq!(marked.as_deref(), id);
            let body = &dynamodb.seen()[0].body;
            let condition = body["ConditionExpression"].as_str().unwrap();
            assert!(condition.ends_with(" AND delete_time < :before AND is_delete = :deleted"), "{condition}");
            assert_eq!(body["ExpressionAttributeValues"][":by"]["M"]["role"], json!({ "S": "job" }));
        }
    }

    #[test]
    fn a_scan_goes_on_where_it_ended() {
        let dynamodb = Scripted::new(&[
            Ending::ok(&json!({ "Items": [{ "phone": { "S": "p" } }], "LastEvaluatedKey": { "phone": { "S": "q" } } })),
            Ending::ok(&json!({ "Items": [] })),
        ]);
        let users = users(&dynamodb);
        let (phones, next) = dynamodb.run(users.undated_deletions(None)).unwrap();
        assert_eq!(phones, ["p"]);
        let (phones, next) = dynamodb.run(users.undated_deletions(next)).unwrap();
        assert!(phones.is_empty() && next.is_none());
        assert_eq!(dynamodb.seen()[1].body["ExclusiveStartKey"], json!({ "phone": { "S": "q" } }));
    }

    #[test]
    fn a_dated_deletion_leaves_the_list() {
        let at = Timestamp::from_millisecond(7).unwrap();
        for (ending, was_dated) in outcomes() {
            let dynamodb = Scripted::new(&[ending]);
            assert_eq!(dynamodb.run(users(&dynamodb).date_deletion("p", at)).unwrap(), was_dated);
            assert_eq!(dynamodb.seen()[0].body["UpdateExpression"], "SET delete_time = :at REMOVE #shard");
        }
    }
}
