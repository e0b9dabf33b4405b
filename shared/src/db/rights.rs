//! Changes of a user's rights: one conditional write each, which raises the user's epoch.

use aws_sdk_dynamodb::operation::update_item::UpdateItemOutput;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use aws_sdk_dynamodb::types::ReturnValue::AllNew;
use jiff::Timestamp;
use serde::Deserialize;

use super::database::{failed, write};
use super::item::{from_item, n, s};
use super::users::Users;
use crate::error::Error;
use crate::models::phone::Phone;
use crate::models::rights::RightsChange;
use crate::models::role::Role;
use crate::models::user::UserId;

/// What a change of rights left in the row.
#[derive(Deserialize)]
pub struct Changed {
    /// The user.
    pub id: UserId,
    /// The raised epoch.
    pub epoch: u64,
    #[serde(default)]
    is_disabled: u64,
}

impl Changed {
    /// Whether the account is disabled now.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.is_disabled != 0
    }
}

impl Users {
    /// Changes the rights of a phone's user. `None`: the phone has no user, or a deleted one, which can only be disabled and
    /// enabled.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn change_rights(
        &self,
        phone: &Phone,
        change: RightsChange,
        at: Timestamp,
    ) -> Result<Option<Changed>, Error> {
        let at = n(at.as_millisecond());
        let (changes, condition) = match change {
            RightsChange::Promote | RightsChange::Demote => (", #role = :role", LIVE),
            RightsChange::Disable | RightsChange::Enable => (", is_disabled = :is", "attribute_exists(phone)"),
            RightsChange::EndSessions => ("", LIVE),
            RightsChange::Delete => (", is_delete = :yes, delete_time = :at REMOVE #shard", LIVE),
        };
        let update = self.database.client.update_item().table_name(&self.table).return_consumed_capacity(Total);
        let mut update = update
            .key("phone", s(phone.e164()))
            .update_expression(format!("SET epoch = if_not_exists(epoch, :none) + :one, update_time = :at{changes}"))
            .condition_expression(condition)
            .expression_attribute_values(":none", n(0))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":at", at)
            .return_values(AllNew);
        // DynamoDB refuses names and values that no expression uses.
        update = match change {
            RightsChange::Promote => update.expression_attribute_values(":role", s(Role::Admin.as_str())),
            RightsChange::Demote => update.expression_attribute_values(":role", s(Role::User.as_str())),
            RightsChange::Disable => update.expression_attribute_values(":is", n(1)),
            RightsChange::Enable => update.expression_attribute_values(":is", n(0)),
            RightsChange::Delete => {
                update.expression_attribute_values(":yes", n(1)).expression_attribute_names("#shard", "shard")
            }
            RightsChange::EndSessions => update,
        };
        if matches!(change, RightsChange::Promote | RightsChange::Demote) {
            update = update.expression_attribute_names("#role", "role");
        }
        if condition == LIVE {
            update = update.expression_attribute_values(":no", n(0));
        }
        match write(update.send(), UpdateItemOutput::consumed_capacity).await {
            Ok(output) => output.attributes.map(from_item).transpose(),
            Err(error) => match error.as_service_error() {
                Some(refusal) if refusal.is_conditional_check_failed_exception() => Ok(None),
                _ => Err(failed(&error)),
            },
        }
    }
}

/// That the phone has a user who is not deleted.
const LIVE: &str = "attribute_exists(phone) AND is_delete = :no";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::database::Database;
    use super::super::scripted::{Ending, Scripted};
    use super::super::user_item::samples::{ID, user};
    use super::*;

    #[test]
    fn each_change_raises_the_epoch_under_a_condition() {
        for (change, changes, condition) in [
            (RightsChange::Promote, ", #role = :role", LIVE),
            (RightsChange::Demote, ", #role = :role", LIVE),
            (RightsChange::Disable, ", is_disabled = :is", "attribute_exists(phone)"),
            (RightsChange::Enable, ", is_disabled = :is", "attribute_exists(phone)"),
            (RightsChange::EndSessions, "", LIVE),
            (RightsChange::Delete, ", is_delete = :yes, delete_time = :at REMOVE #shard", LIVE),
        ] {
            let row = json!({ "Attributes": { "id": { "S": ID }, "epoch": { "N": "3" }, "role": { "S": "user" } } });
            let dynamodb = Scripted::new(&[Ending::ok(&row), Ending::condition(&json!({}))]);
            let users = Users { database: Database::new(dynamodb.config()), table: "users".to_owned(), shards: 1 };
            let (phone, at) = (user().phone, Timestamp::from_millisecond(7).unwrap());
            let changed = dynamodb.run(users.change_rights(&phone, change, at)).unwrap().unwrap();
            assert_eq!((changed.id.to_string().as_str(), changed.epoch, changed.is_disabled()), (ID, 3, false));
            assert!(dynamodb.run(users.change_rights(&phone, change, at)).unwrap().is_none(), "{change:?}");
            let body = &dynamodb.seen()[0].body;
            let expression = body["UpdateExpression"].as_str().unwrap();
            assert_eq!(
                expression,
                format!("SET epoch = if_not_exists(epoch, :none) + :one, update_time = :at{changes}")
            );
            assert_eq!(body["ConditionExpression"], condition);
            // DynamoDB refuses what no expression uses.
            let used = format!("{expression} {condition}");
            for map in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
                for name in body[map].as_object().into_iter().flat_map(|map| map.keys()) {
                    assert!(used.contains(name.as_str()), "{change:?}: {name}");
                }
            }
            for name in used.split([' ', ',', ')']).filter(|word| word.starts_with([':', '#'])) {
                let map = if name.starts_with(':') { "ExpressionAttributeValues" } else { "ExpressionAttributeNames" };
                assert!(!body[map][name].is_null(), "{change:?}: {name}");
            }
        }
    }
}
