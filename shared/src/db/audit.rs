//! The audit's table: partition key `id`, the user's; sort key `version`, the counter of the user's row. Events end by their
//! time-to-live, `expires_at` in seconds.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemOutput};
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::database::{Database, is_done, read, write};
use super::item::{Item, from_item, incomplete, n, s, to_item};
use super::users::Users;
use crate::config::Config;
use crate::error::{Cause, Error, StartError};
use crate::models::audit_event::AuditEvent;
use crate::models::changed_by::ChangedBy;
use crate::models::user::UserId;

/// A row that is not ours yet, or that an earlier delivery of the same record has written.
const IS_FREE: &str = "attribute_not_exists(id) OR record_id = :record";

/// What a page reads of an event, with placeholders for reserved words: not what says whose it is, and of which record.
const SHOWN: &str = "version, #at, changed_by, #fields, #values";

/// Digits behind the point of a sort key. A number of DynamoDB has 38 in all.
const DIGITS: usize = 30;

/// The table of events.
pub struct AuditEvents {
    database: Database,
    table: String,
    keep_secs: i64,
}

/// The place of an event among those of its user: the sort key as DynamoDB writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place(String);

impl Place {
    /// Reads a place that [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_number =
            |digits: &str, most| (1..=most).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        (is_number(whole, 8) && is_number(fraction, DIGITS)).then(|| Self(text.to_owned()))
    }

    /// The number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Serialize)]
struct EventItem<'a> {
    #[serde(flatten)]
    event: &'a AuditEvent,
    record_id: &'a str,
    expires_at: i64,
}

/// An event as a page reads it.
#[derive(Deserialize)]
struct ShownEvent {
    at: i64,
    changed_by: Option<ChangedBy>,
    fields: Vec<String>,
    #[serde(default)]
    values: BTreeMap<String, Value>,
}

impl AuditEvents {
    /// The audit's table of this stage.
    ///
    /// # Errors
    /// `AUDIT_TABLE`, when it is not set.
    pub fn new(database: &Database, config: &Config) -> Result<Self, StartError> {
        let table = config.audit_table().map_err(StartError::of)?.to_owned();
        Ok(Self { database: database.clone(), table, keep_secs: config.audit.keep_secs() })
    }

    /// The same, by the client that has the users' table.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn beside(users: &Users, config: &Config) -> Result<Self, StartError> {
        Self::new(&users.database, config)
    }

    /// Writes an event; one that is there already stays as it is. Two changes have the same counter only when somebody wrote
    /// by hand: the second one is placed behind the first by its number in the stream.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn put(&self, event: &AuditEvent, record_id: &str, sequence: &str) -> Result<(), Error> {
        let place = event.version.to_string();
        if self.put_at(event, record_id, &place).await? {
            return Ok(());
        }
        let last = sequence.get(sequence.len().saturating_sub(DIGITS)..).unwrap_or_default();
        let place = format!("{place}.{last:0>DIGITS$}");
        let is_put = self.put_at(event, record_id, &place).await?;
        if is_put { Ok(()) } else { Err(Error::Internal(Cause::new("two records of a stream have one number"))) }
    }

    /// `false`: another event is there.
    async fn put_at(&self, event: &AuditEvent, record_id: &str, place: &str) -> Result<bool, Error> {
        let expires_at = event.at / 1000 + self.keep_secs;
        let put = self.database.client.put_item().table_name(&self.table).return_consumed_capacity(Total);
        let put = put
            .set_item(Some(to_item(EventItem { event, record_id, expires_at })?))
            .item("version", n(place))
            .condition_expression(IS_FREE)
            .expression_attribute_values(":record", s(record_id));
        let outcome = write(put.send(), PutItemOutput::consumed_capacity).await;
        is_done(outcome, PutItemError::is_conditional_check_failed_exception)
    }

    /// At most `count` events of a user, newest first, older than the one at `before`; each with its place.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn newest(
        &self,
        user: UserId,
        before: Option<&Place>,
        count: usize,
    ) -> Result<Vec<(Place, AuditEvent)>, Error> {
        let query = self.database.client.query().table_name(&self.table).return_consumed_capacity(Total);
        let query = query
            .projection_expression(SHOWN)
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#fields", "fields")
            .expression_attribute_names("#values", "values")
            .expression_attribute_values(":id", s(user.to_string()))
            .scan_index_forward(false)
            .limit(count.try_into().unwrap_or(i32::MAX));
        let query = match before {
            Some(place) => query
                .key_condition_expression("id = :id AND version < :before")
                .expression_attribute_values(":before", n(place.as_str())),
            None => query.key_condition_expression("id = :id"),
        };
        let found = read(query.send(), QueryOutput::consumed_capacity).await?;
        found.items.unwrap_or_default().into_iter().map(|item| placed(user, item)).collect()
    }
}

/// An event of a user, and its place.
fn placed(id: UserId, mut item: Item) -> Result<(Place, AuditEvent), Error> {
    let Some(AttributeValue::N(place)) = item.remove("version") else { return Err(incomplete()) };
    let ShownEvent { at, changed_by, fields, values } = from_item(item)?;
    let version = place.split('.').next().and_then(|whole| whole.parse().ok()).ok_or_else(incomplete)?;
    Ok((Place(place), AuditEvent { id, version, at, changed_by, fields, values }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scripted::{Ending, Scripted};
    use super::super::user_item::samples::ID;
    use super::*;

    const RECORD: &str = "7de3041dd709b024af6f29e4fa13d34c";

    fn table(dynamodb: &Scripted) -> AuditEvents {
        let database = Database::new(dynamodb.config());
        AuditEvents { database, table: "audit".to_owned(), keep_secs: 180 * 86_400 }
    }

    fn event() -> AuditEvent {
        AuditEvent {
            id: ID.parse().unwrap(),
            version: 5,
            at: 1_795_276_800_999,
            changed_by: None,
            fields: vec!["role".to_owned()],
            values: BTreeMap::from([("role".to_owned(), "admin".into())]),
        }
    }

    fn item(version: &str) -> Value {
        json!({
            "id": { "S": ID }, "version": { "N": version }, "at": { "N": "1795276800999" }, "record_id": { "S": RECORD },
            "fields": { "L": [{ "S": "role" }] }, "values": { "M": { "role": { "S": "admin" } } },
            "expires_at": { "N": "1810828800" },
        })
    }

    #[test]
    fn an_event_is_written_once_and_a_duplicate_changes_nothing() {
        let dynamodb = Scripted::new(&[Ending::ok(&json!({}))]);
        dynamodb.run(table(&dynamodb).put(&event(), RECORD, "100")).unwrap();
        let expected = json!({
            "TableName": "audit", "Item": item("5"), "ConditionExpression": IS_FREE,
            "ExpressionAttributeValues": { ":record": { "S": RECORD } }, "ReturnConsumedCapacity": "TOTAL",
        });
        let seen = dynamodb.seen();
        assert_eq!((seen.len(), &seen[0].body), (1, &expected));
    }

    #[test]
    fn another_change_with_the_same_counter_is_placed_behind_it() {
        let dynamodb = Scripted::new(&[Ending::condition(&json!({})), Ending::ok(&json!({}))]);
        let sequence = "12345678901234567890123456789012345";
        dynamodb.run(table(&dynamodb).put(&event(), RECORD, sequence)).unwrap();
        assert_eq!(dynamodb.seen()[1].body["Item"]["version"], json!({ "N": format!("5.{}", &sequence[5..]) }));
        let dynamodb = Scripted::new(&[Ending::condition(&json!({})), Ending::ok(&json!({}))]);
        dynamodb.run(table(&dynamodb).put(&event(), RECORD, "100")).unwrap();
        let place = dynamodb.seen()[1].body["Item"]["version"]["N"].as_str().unwrap().to_owned();
        assert_eq!(place, format!("5.{}100", "0".repeat(27)));
        assert_eq!(Place::parse(&place).unwrap().as_str(), place);
    }

    #[test]
    fn a_page_is_one_query_and_reads_back() {
        let shown = |version: &str| {
            let mut item = item(version);
            item.as_object_mut().unwrap().retain(|name, _| !["id", "record_id", "expires_at"].contains(&name.as_str()));
            item
        };
        let page = json!({ "Items": [shown("5.25"), shown("5")] });
        let dynamodb = Scripted::new(&[Ending::ok(&page)]);
        let before = Place::parse("7").unwrap();
        let found = dynamodb.run(table(&dynamodb).newest(ID.parse().unwrap(), Some(&before), 2)).unwrap();
        let places: Vec<_> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!((places, &found[0].1, &found[1].1), (vec!["5.25", "5"], &event(), &event()));
        let expected = json!({
            "TableName": "audit", "KeyConditionExpression": "id = :id AND version < :before", "ScanIndexForward": false,
            "ProjectionExpression": "version, #at, changed_by, #fields, #values",
            "ExpressionAttributeNames": { "#at": "at", "#fields": "fields", "#values": "values" },
            "ExpressionAttributeValues": { ":id": { "S": ID }, ":before": { "N": "7" } }, "Limit": 2,
            "ReturnConsumedCapacity": "TOTAL",
        });
        assert_eq!(dynamodb.seen()[0].body, expected);
    }

    #[test]
    fn a_place_is_a_number_that_this_table_can_have() {
        for text in ["", ".", "1.", ".1", "-1", "1e5", "1.2.3", "123456789", "x", &format!("1.{}", "1".repeat(31))] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}
