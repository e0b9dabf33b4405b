//! Notices that are stored in a user's row until they are sent.

use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;

use super::database::{is_done, write};
use super::item::s;
use super::users::Users;
use crate::error::Error;

impl Users {
    /// Removes the notice from the row of a phone (E.164), after it was sent. The row's version stays the same, because the user did
    /// not change. A row without a notice, or without a user, is not written.
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
