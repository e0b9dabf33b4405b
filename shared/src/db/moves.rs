//! A change of phone: one transaction takes the row from one key to another, so that either both phones are as before or the
//! user has moved.

use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput};
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, ConsumedCapacity, Delete, Put, TransactWriteItem};
use jiff::Timestamp;

use super::database::{failed, write};
use super::item::{Item, n, s, to_item};
use super::user_item::read_user;
use super::users::Users;
use crate::error::{Cause, Error};
use crate::models::changed_by::ChangedBy;
use crate::models::notice::Notice;
use crate::models::phone::Phone;
use crate::models::user::User;
use crate::random;

/// How often a transaction is tried while another one has its items.
const ATTEMPTS: u32 = 3;

/// The longest wait between two of them. It is jittered, so that those who race do not retry in step.
const BACKOFF: Duration = Duration::from_millis(40);

/// A row with all that it has, also attributes that this code does not know: a move must lose none.
pub struct StoredRow {
    /// Who it is of.
    pub user: User,
    item: Item,
}

/// A move of a user to another phone.
pub struct Move<'a> {
    /// The new phone.
    pub to: &'a Phone,
    /// The moment.
    pub at: Timestamp,
    /// Who wants it.
    pub by: &'a ChangedBy,
    /// The notice to the old phone.
    pub notice: &'a Notice,
    /// Proof of the request; see `accounts::phone_change`.
    pub receipt: &'a str,
}

/// The outcome of a move.
pub enum Moved {
    /// The user has moved, and is so now.
    Done(Box<User>),
    /// The new phone has a user, live or not.
    Met(Box<User>),
    /// The row has been changed since it was read.
    Outdated,
}

/// Why a transaction was not carried out.
enum Refusal {
    Met(Item),
    Outdated,
    Conflict,
}

impl Users {
    /// The row of a phone, whatever its state.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn stored_row(&self, phone: &Phone) -> Result<Option<StoredRow>, Error> {
        self.item(phone).await?.map(|item| Ok(StoredRow { user: read_user(item.clone())?, item })).transpose()
    }

    /// Moves a row to another phone, with a raised epoch.
    ///
    /// # Errors
    /// [`Error::Db`], also while other transactions do not leave the items alone.
    pub async fn move_row(&self, row: &StoredRow, request: &Move<'_>) -> Result<Moved, Error> {
        let arriving = arriving(row, request)?;
        let writes = [self.leave(row)?, self.arrive(arriving.clone())?];
        for _ in 0..ATTEMPTS {
            let transaction = self.database.client.transact_write_items().return_consumed_capacity(Total);
            let transaction = transaction.set_transact_items(Some(writes.to_vec()));
            let Err(error) = write(transaction.send(), charged).await else {
                return Ok(Moved::Done(Box::new(read_user(arriving)?)));
            };
            let refusal = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    refusal(cancelled.cancellation_reasons()).ok_or_else(|| failed(&error))?
                }
                _ => return Err(failed(&error)),
            };
            match refusal {
                Refusal::Met(item) => return Ok(Moved::Met(Box::new(read_user(item)?))),
                Refusal::Outdated => return Ok(Moved::Outdated),
                Refusal::Conflict => tokio::time::sleep(jittered()?).await,
            }
        }
        Err(Error::Db(Cause::new("other transactions have the items of a change of phone")))
    }

    /// The old phone loses the row that was read, and no other.
    fn leave(&self, row: &StoredRow) -> Result<TransactWriteItem, Error> {
        let version = row.user.version;
        let as_read = if version == 0 { "attribute_not_exists(version)" } else { "version = :version" };
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("phone", s(row.user.phone.e164()))
            .condition_expression(format!("id = :id AND is_delete = :live AND NOT is_disabled = :yes AND {as_read}"))
            .expression_attribute_values(":id", s(row.user.id.to_string()))
            .expression_attribute_values(":live", n(0))
            .expression_attribute_values(":yes", n(1));
        // DynamoDB refuses values that no expression uses.
        let delete = if version == 0 { delete } else { delete.expression_attribute_values(":version", n(version)) };
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(|cause| broken(&cause))?).build())
    }

    /// The new phone gets the row, unless it has one. A deleted user within its time keeps its phone, and one beyond it until
    /// the job `daily` has erased it.
    fn arrive(&self, item: Item) -> Result<TransactWriteItem, Error> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(phone)")
            .return_values_on_condition_check_failure(AllOld);
        Ok(TransactWriteItem::builder().put(put.build().map_err(|cause| broken(&cause))?).build())
    }
}

/// The row as the new phone has it.
fn arriving(row: &StoredRow, request: &Move<'_>) -> Result<Item, Error> {
    let mut item = row.item.clone();
    let changed = [
        ("phone", s(request.to.e164())),
        ("epoch", n(row.user.epoch + 1)),
        ("version", n(row.user.version + 1)),
        ("changed_by", AttributeValue::M(to_item(request.by)?)),
        ("notice", AttributeValue::M(to_item(request.notice)?)),
        ("update_time", n(request.at.as_millisecond())),
        ("receipt", s(request.receipt)),
    ];
    item.extend(changed.map(|(name, value)| (name.to_owned(), value)));
    Ok(item)
}

/// What the reasons of a cancellation say: that of the old phone and that of the new one, in this order. The new one counts
/// first, because a repetition finds both otherwise than it expects. `None`: a reason that is no answer, such as throttling.
fn refusal(reasons: &[CancellationReason]) -> Option<Refusal> {
    let [leave, arrive] = reasons else { return None };
    let fails = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
    let conflicts = |reason: &CancellationReason| reason.code() == Some("TransactionConflict");
    if fails(arrive) {
        arrive.item().cloned().map(Refusal::Met)
    } else if fails(leave) {
        Some(Refusal::Outdated)
    } else if conflicts(leave) || conflicts(arrive) {
        Some(Refusal::Conflict)
    } else {
        None
    }
}

fn charged(output: &TransactWriteItemsOutput) -> Option<&ConsumedCapacity> {
    output.consumed_capacity().first()
}

fn broken(cause: &(dyn std::error::Error + 'static)) -> Error {
    Error::Internal(Cause::of(cause))
}

fn jittered() -> Result<Duration, Error> {
    let [byte] = random::bytes::<1>()?;
    Ok(BACKOFF * u32::from(byte) / 255)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::database::Database;
    use super::super::scripted::{Ending, Scripted};
    use super::super::user_item::samples::{ID, row, user};
    use super::*;
    use crate::models::call::Call;
    use crate::models::message_kind::MessageKind;

    const NONE: &str = "None";

    fn users(dynamodb: &Scripted) -> Users {
        Users { database: Database::new(dynamodb.config()), table: "users".to_owned(), shards: 1 }
    }

    fn by() -> ChangedBy {
        serde_json::from_value(json!({ "role": "user", "credential": "session", "request_id": "r-1" })).unwrap()
    }

    fn notice() -> Notice {
        Notice::new(&Call::sample(), MessageKind::PhoneChanged, &user().phone)
    }

    fn cancelled(codes: [&str; 2], item: &Value) -> Ending {
        let reasons = codes.map(|code| json!({ "Code": code, "Message": "m", "Item": item }));
        let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        let body = json!({ "__type": kind, "Message": "cancelled", "CancellationReasons": reasons });
        Ending::Response(400, body.to_string().leak())
    }

    /// The outcome of a move of a row, and the transactions that were sent.
    fn moved(stored: &Value, endings: &[Ending]) -> (Result<Moved, Error>, Vec<Value>) {
        let found = Ending::ok(&json!({ "Item": stored }));
        let dynamodb = Scripted::new(&[&[found], endings].concat());
        let (users, to) = (users(&dynamodb), Phone::stored("+8613900139000".to_owned()));
        let at = Timestamp::from_millisecond(7).unwrap();
        let outcome = dynamodb.run(async {
            let row = users.stored_row(&user().phone).await?.unwrap();
            let (by, notice) = (by(), notice());
            users.move_row(&row, &Move { to: &to, at, by: &by, notice: &notice, receipt: "new" }).await
        });
        let sent = dynamodb.seen().into_iter().filter(|seen| seen.operation == "TransactWriteItems");
        (outcome, sent.map(|seen| seen.body).collect())
    }

    #[test]
    fn a_move_takes_all_that_the_row_has() {
        let mut stored = row();
        stored["legacy_id"] = json!({ "N": "7" });
        stored["version"] = json!({ "N": "4" });
        stored["epoch"] = json!({ "N": "2" });
        let (outcome, sent) = moved(&stored, &[Ending::ok(&json!({}))]);
        assert!(matches!(outcome, Ok(Moved::Done(user)) if user.epoch == 3));
        let [leave, arrive] = &sent[0]["TransactItems"].as_array().unwrap()[..] else { panic!("{sent:?}") };
        assert_eq!(leave["Delete"]["Key"], json!({ "phone": { "S": "+8613800138000" } }));
        assert_eq!(
            leave["Delete"]["ConditionExpression"],
            "id = :id AND is_delete = :live AND NOT is_disabled = :yes AND version = :version"
        );
        assert_eq!(leave["Delete"]["ExpressionAttributeValues"][":version"], json!({ "N": "4" }));
        assert_eq!(arrive["Put"]["ConditionExpression"], "attribute_not_exists(phone)");
        let mut expected = stored;
        for (name, value) in [
            ("phone", json!({ "S": "+8613900139000" })),
            ("epoch", json!({ "N": "3" })),
            ("version", json!({ "N": "5" })),
            ("update_time", json!({ "N": "7" })),
            ("receipt", json!({ "S": "new" })),
        ] {
            expected[name] = value;
        }
        let mut item = arrive["Put"]["Item"].clone();
        let mut taken = |name: &str| item.as_object_mut().unwrap().remove(name).unwrap();
        let (by, notice) = (taken("changed_by"), taken("notice"));
        assert_eq!((item, &by["M"]["request_id"]), (expected, &json!({ "S": "r-1" })));
        let phone = json!({ "S": "+8613800138000" });
        let notice_of_move = json!({ "kind": { "S": "phone_changed" }, "phone": phone, "language": { "S": "zh" } });
        assert_eq!(notice, json!({ "M": notice_of_move }));
    }

    #[test]
    fn a_row_of_an_earlier_release_has_no_version() {
        let (outcome, sent) = moved(&row(), &[Ending::ok(&json!({}))]);
        assert!(matches!(outcome, Ok(Moved::Done(user)) if user.epoch == 1));
        let delete = &sent[0]["TransactItems"][0]["Delete"];
        assert!(delete["ConditionExpression"].as_str().unwrap().ends_with("attribute_not_exists(version)"), "{delete}");
        assert!(delete["ExpressionAttributeValues"][":version"].is_null(), "{delete}");
    }

    #[test]
    fn each_reason_of_a_cancellation_has_its_outcome() {
        const FAILS: &str = "ConditionalCheckFailed";
        for codes in [[NONE, FAILS], [FAILS, FAILS]] {
            let (outcome, _) = moved(&row(), &[cancelled(codes, &row())]);
            let Ok(Moved::Met(met)) = outcome else { panic!("{codes:?}") };
            assert_eq!(met.id.to_string(), ID);
        }
        let (outcome, _) = moved(&row(), &[cancelled([FAILS, NONE], &json!({}))]);
        assert!(matches!(outcome, Ok(Moved::Outdated)));
        let (outcome, _) = moved(&row(), &[cancelled(["ThrottlingError", NONE], &json!({}))]);
        assert!(matches!(outcome, Err(Error::Db(_))));
    }
}
