//! Users of the service that this one replaced: how `make import` writes them.

use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;

use super::database::{met, write};
use super::item::{n, to_item};
use super::user_item::UserItem;
use super::users::Users;
use crate::error::Error;
use crate::models::user::User;

/// The outcome of importing a user.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Imported {
    /// The user is in the table.
    New {
        /// Write units, those of indexes among them.
        units: f64,
    },
    /// It was before: an earlier import, or an earlier try of this one, has written it.
    Before,
    /// The phone has another user, or had one who is deleted.
    PhoneTaken,
}

impl Users {
    /// Writes a user, unless its phone has a row. A row with the same legacy id is the user's own.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn import(&self, user: &User) -> Result<Imported, Error> {
        let put = self.database.client.put_item().table_name(&self.table).return_consumed_capacity(Total);
        let put = put
            .set_item(Some(to_item(UserItem::from(user))?))
            .condition_expression("attribute_not_exists(phone)")
            .return_values_on_condition_check_failure(AllOld);
        let error = match write(put.send(), PutItemOutput::consumed_capacity).await {
            Ok(output) => {
                let units = output.consumed_capacity.and_then(|consumed| consumed.capacity_units).unwrap_or_default();
                return Ok(Imported::New { units });
            }
            Err(error) => error,
        };
        let row = met(&error)?.unwrap_or_default();
        let is_same = user.legacy_id.is_some_and(|id| row.get("legacy_id") == Some(&n(id)));
        Ok(if is_same { Imported::Before } else { Imported::PhoneTaken })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::changes::tests::users;
    use super::super::scripted::{Ending, Scripted};
    use super::super::user_item::samples::{row, user};
    use super::*;

    fn imported_user() -> User {
        User { legacy_id: Some(345), ..user() }
    }

    #[test]
    fn a_user_is_written_with_its_old_id_where_no_row_is() {
        let dynamodb = Scripted::new(&[Ending::ok(&json!({ "ConsumedCapacity": { "CapacityUnits": 2.0 } }))]);
        let imported = dynamodb.run(users(&dynamodb).import(&imported_user())).unwrap();
        assert_eq!(imported, Imported::New { units: 2.0 });
        let body = &dynamodb.seen()[0].body;
        let mut expected = row();
        expected["legacy_id"] = json!({ "N": "345" });
        assert_eq!((&body["Item"], &body["ConditionExpression"]), (&expected, &json!("attribute_not_exists(phone)")));
    }

    #[test]
    fn a_row_that_is_met_is_of_an_earlier_import_or_of_another_user() {
        for (row, expected) in [
            (json!({ "legacy_id": { "N": "345" } }), Imported::Before),
            (json!({ "legacy_id": { "N": "3450" } }), Imported::PhoneTaken),
            (row(), Imported::PhoneTaken),
        ] {
            let dynamodb = Scripted::new(&[Ending::condition(&row)]);
            assert_eq!(dynamodb.run(users(&dynamodb).import(&imported_user())).unwrap(), expected, "{row}");
        }
    }
}
