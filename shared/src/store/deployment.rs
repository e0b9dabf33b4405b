//! What a deployment made, and users as older code left them.

use aws_sdk_dynamodb::types::{
    AttributeValue, IndexStatus, KeySchemaElement, KeyType, ReturnConsumedCapacity, TableDescription, TableStatus,
};
use jiff::Timestamp;

use super::retention::DELETED;
use super::users::number;
use super::{Kind, Store, failed, if_still_so};
use crate::error::Error;

/// Items that one page of a scan reads; the bound of a batch.
const PAGE: i32 = 100;

impl Store {
    /// What is wrong with the tables: nothing, or a sentence.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn table_faults(&self) -> Result<[(&'static str, Option<String>); 2], Error> {
        let (users, runs) = tokio::join!(self.describe(self.users_table()?), self.describe(self.runs_table()?));
        let indexes = [("by_id", ["shard", "id"]), ("by_delete_time", ["is_delete", "delete_time"])];
        Ok([("users table", fault(&users?, "phone", &indexes)), ("runs table", fault(&runs?, "run", &[]))])
    }

    async fn describe(&self, table: &str) -> Result<TableDescription, Error> {
        let describe = self.client.describe_table().table_name(table).send();
        let described = self.trip(describe).await.map_err(|error| failed(&error))?;
        Ok(described.table.unwrap_or_else(|| TableDescription::builder().build()))
    }

    /// One page of the whole table: phones of deleted users without a time of deletion, and where to go on.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn undated_deletions(&self, after: Option<String>) -> Result<(Vec<String>, Option<String>), Error> {
        let start = after.map(|phone| [("phone".to_owned(), AttributeValue::S(phone))].into());
        let scan = self
            .client
            .scan()
            .table_name(self.users_table()?)
            .filter_expression("is_delete = :deleted AND attribute_not_exists(delete_time)")
            .expression_attribute_values(":deleted", number(DELETED))
            .limit(PAGE)
            .set_exclusive_start_key(start)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send();
        let found = self.trip(scan).await.map_err(|error| failed(&error))?;
        self.charge(found.consumed_capacity(), Kind::Read);
        let phone = |item: &super::Item| item.get("phone")?.as_s().ok().cloned();
        Ok((found.items().iter().filter_map(phone).collect(), found.last_evaluated_key().and_then(phone)))
    }

    /// Gives a deleted user a time of deletion, and takes it out of the list; one that has a time is left alone.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn date_deletion(&self, phone: &str, at: Timestamp) -> Result<bool, Error> {
        let update = self
            .client
            .update_item()
            .table_name(self.users_table()?)
            .key("phone", AttributeValue::S(phone.to_owned()))
            .update_expression("SET delete_time = :at REMOVE #shard")
            .condition_expression("is_delete = :deleted AND attribute_not_exists(delete_time)")
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":at", number(at.as_millisecond()))
            .expression_attribute_values(":deleted", number(DELETED))
            .send();
        Ok(if_still_so(self.trip(update).await)?.is_some())
    }
}

fn fault(table: &TableDescription, key: &str, indexes: &[(&str, [&str; 2])]) -> Option<String> {
    if table.table_status() != Some(&TableStatus::Active) {
        return Some("is not active".to_owned());
    }
    if !keys(table.key_schema(), &[key]) {
        return Some(format!("has another key than {key}"));
    }
    indexes.iter().find_map(|(name, expected)| {
        let Some(index) = table.global_secondary_indexes().iter().find(|index| index.index_name() == Some(*name))
        else {
            return Some(format!("has no index {name}"));
        };
        if index.index_status() != Some(&IndexStatus::Active) {
            return Some(format!("has an index {name} that is not active"));
        }
        (!keys(index.key_schema(), expected)).then(|| format!("has an index {name} with other keys than {expected:?}"))
    })
}

fn keys(schema: &[KeySchemaElement], expected: &[&str]) -> bool {
    let kinds = [KeyType::Hash, KeyType::Range];
    schema.len() == expected.len()
        && expected.iter().zip(kinds).all(|(name, kind)| {
            schema.iter().any(|element| element.attribute_name() == *name && *element.key_type() == kind)
        })
}
