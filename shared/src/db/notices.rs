//! Notices that lie in a user's row until they are sent.

use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;

use super::database::{is_done, write};
use super::item::s;
use super::users::Users;
use crate::error::Error;

impl Users {
    /// Takes the notice out of the row of a phone (E.164), because it was sent. That is no change of the user: the row's version
    /// stays. A row that has none, or is gone, is left alone.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn remove_notice(&self, phone: &str) -> Result<(), Error> {
        let update = self.database.client.update_item().table_name(&self.table).return_consumed_capacity(Total);
        let update = update
            .key("phone", s(phone))
            .update_expression("REMOVE notice")
            .condition_expression("attribute_exists(notice)");
        let outcome = write(update.send(), UpdateItemOutput::consumed_capacity).await;
        is_done(outcome, UpdateItemError::is_conditional_check_failed_exception).map(drop)
    }
}
