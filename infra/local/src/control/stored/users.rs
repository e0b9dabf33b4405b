//! Users: pages of them, newest first, and the one with a phone.

use std::collections::{BTreeMap, HashMap};

use dynoxide::Database;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::query::QueryRequest;
use dynoxide::types::AttributeValue;
use serde::Serialize;
use serde_json::Value;

use super::keys::{BY_ID, ID, OF_DELETED, PHONE, SHARD};
use super::reader::StoredData;
use crate::error::EmulatorError;

/// An item with its attributes as plain JSON.
pub(crate) type User = BTreeMap<String, Value>;

/// Users, and the id after which the next page starts.
#[derive(Serialize)]
pub(crate) struct Page {
    pub(crate) users: Vec<User>,
    pub(crate) next: Option<String>,
}

impl StoredData<'_> {
    /// The user with a phone, also a deleted one.
    pub(crate) async fn user(&self, phone: &str) -> Result<Option<User>, EmulatorError> {
        let key = HashMap::from([(PHONE.to_owned(), AttributeValue::S(phone.to_owned()))]);
        let request = GetItemRequest { table_name: self.keys.users_table(), key, ..GetItemRequest::default() };
        let found =
            self.app.dynamodb.run(move |database| database.get_item(request).map_err(EmulatorError::dynamodb)).await?;
        Ok(found.item.map(plain))
    }

    /// At most `limit` users, deleted ones or the others, who registered before the one with the id `before`.
    pub(crate) async fn users(
        &self,
        is_deleted: bool,
        before: Option<String>,
        limit: usize,
    ) -> Result<Page, EmulatorError> {
        let (table, first) = (self.keys.users_table(), if is_deleted { OF_DELETED } else { 0 });
        let shards = first..first + self.number("", "user_shards").max(1);
        // One more shows whether there is a next page.
        let of_shard =
            move |database: &Database, shard: i64| query(database, &table, shard, before.as_deref(), limit + 1);
        let pages = self
            .app
            .dynamodb
            .run(move |database| shards.map(|shard| of_shard(database, shard)).collect::<Result<Vec<_>, _>>());
        let mut users: Vec<User> = pages.await?.into_iter().flatten().collect();
        users.sort_by(|one, other| id(other).cmp(id(one)));
        let has_more = users.len() > limit;
        users.truncate(limit);
        let next = users.last().filter(|_| has_more).map(|user| id(user).to_owned());
        Ok(Page { users, next })
    }
}

fn query(
    database: &Database,
    table: &str,
    shard: i64,
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<User>, EmulatorError> {
    let mut values = HashMap::from([(":shard".to_owned(), AttributeValue::N(shard.to_string()))]);
    let mut names = HashMap::from([("#shard".to_owned(), SHARD.to_owned())]);
    let mut condition = "#shard = :shard".to_owned();
    if let Some(before) = before {
        values.insert(":before".to_owned(), AttributeValue::S(before.to_owned()));
        names.insert("#id".to_owned(), ID.to_owned());
        condition.push_str(" AND #id < :before");
    }
    let request = QueryRequest {
        table_name: table.to_owned(),
        index_name: Some(BY_ID.to_owned()),
        key_condition_expression: Some(condition),
        expression_attribute_names: Some(names),
        expression_attribute_values: Some(values),
        scan_index_forward: false,
        limit: Some(limit),
        ..QueryRequest::default()
    };
    let found = database.query(request).map_err(EmulatorError::dynamodb)?;
    Ok(found.items.unwrap_or_default().into_iter().map(plain).collect())
}

fn id(user: &User) -> &str {
    user.get(ID).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn plain(item: HashMap<String, AttributeValue>) -> User {
    item.into_iter().map(|(name, value)| (name, json(value))).collect()
}

/// Attributes are texts and numbers, and maps and lists of them.
fn json(value: AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => text.into(),
        AttributeValue::N(number) => serde_json::from_str(&number).unwrap_or_else(|_| number.into()),
        AttributeValue::BOOL(is_so) => is_so.into(),
        AttributeValue::M(members) => members.into_iter().map(|(name, value)| (name, json(value))).collect(),
        AttributeValue::L(values) => values.into_iter().map(json).collect(),
        _ => Value::Null,
    }
}
