//! What a deployment made, and users as older code left them.

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::item::{Ask, Named, Operation, SHARD_NAME, n};
use super::retention::{DELETED, PhoneItem};
use super::{Store, is_done};
use crate::error::{Cause, Error};

/// Items that one page of a scan reads; the bound of a batch.
const PAGE: usize = 100;

/// What `DescribeTable` is asked.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeTable<'a> {
    table_name: &'a str,
}

/// What it says.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    table: Table,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    table_status: String,
    key_schema: Vec<KeyPart>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    index_name: String,
    index_status: String,
    key_schema: Vec<KeyPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyPart {
    attribute_name: String,
    key_type: String,
}

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

    async fn describe(&self, table_name: &str) -> Result<Table, Error> {
        let described: Described = self.dynamodb.call("DescribeTable", &DescribeTable { table_name }).await?;
        Ok(described.table)
    }

    /// One page of the whole table: phones of deleted users without a time of deletion, and where to go on.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn undated_deletions(&self, after: Option<String>) -> Result<(Vec<String>, Option<String>), Error> {
        let unreadable = |_| Error::Internal(Cause::new("a key that is none"));
        let start = after.map(RawValue::from_string).transpose().map_err(unreadable)?;
        let scan = Ask::<()> {
            filter_expression: Some("is_delete = :deleted AND attribute_not_exists(delete_time)"),
            expression_attribute_values: Some(Named(&[(":deleted", n(DELETED).into())])),
            limit: Some(PAGE),
            exclusive_start_key: start.as_deref(),
            ..Ask::of(self.users_table()?)
        };
        let found = self.ask::<PhoneItem>(Operation::Scan, scan).await?;
        let phones = found.items.into_iter().map(|item| item.phone.text).collect();
        Ok((phones, found.last_evaluated_key.map(|key| key.get().to_owned())))
    }

    /// Gives a deleted user a time of deletion, and takes it out of the list; one that has a time is left alone.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn date_deletion(&self, phone: &str, at: Timestamp) -> Result<bool, Error> {
        let update = Ask::<()> {
            key: Some(Named(&[("phone", phone.into())])),
            update_expression: Some("SET delete_time = :at REMOVE #shard"),
            condition_expression: Some("is_delete = :deleted AND attribute_not_exists(delete_time)"),
            expression_attribute_names: SHARD_NAME,
            expression_attribute_values: Some(Named(&[
                (":at", n(at.as_millisecond()).into()),
                (":deleted", n(DELETED).into()),
            ])),
            ..Ask::of(self.users_table()?)
        };
        is_done(self.ask::<IgnoredAny>(Operation::UpdateItem, update).await)
    }
}

fn fault(table: &Table, key: &str, indexes: &[(&str, [&str; 2])]) -> Option<String> {
    const ACTIVE: &str = "ACTIVE";
    if table.table_status != ACTIVE {
        return Some("is not active".to_owned());
    }
    if !keys(&table.key_schema, &[key]) {
        return Some(format!("has another key than {key}"));
    }
    indexes.iter().find_map(|(name, expected)| {
        let Some(index) = table.global_secondary_indexes.iter().find(|index| index.index_name == *name) else {
            return Some(format!("has no index {name}"));
        };
        if index.index_status != ACTIVE {
            return Some(format!("has an index {name} that is not active"));
        }
        (!keys(&index.key_schema, expected)).then(|| format!("has an index {name} with other keys than {expected:?}"))
    })
}

fn keys(schema: &[KeyPart], expected: &[&str]) -> bool {
    schema.len() == expected.len()
        && expected
            .iter()
            .zip(["HASH", "RANGE"])
            .all(|(name, kind)| schema.iter().any(|part| part.attribute_name == *name && part.key_type == kind))
}
