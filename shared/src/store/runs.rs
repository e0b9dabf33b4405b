//! The table of runs: what makes a task that is delivered twice take effect once.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::{Item, Store, failed};
use crate::clock::Now;
use crate::error::Error;

/// How long a finished run is remembered: Lambda drops an asynchronous event after at most six hours (AWS Lambda
/// Developer Guide, "Asynchronous invocation"), so a duplicate comes earlier than this.
const REMEMBERED_SECS: u64 = 86_400;

/// Whose the run is.
pub enum Begun {
    /// Ours: nobody else has it, or whoever had it is gone.
    Ours,
    /// It was finished before.
    Finished,
    /// Somebody else is at it right now.
    Busy,
}

impl Store {
    /// Takes the run called `name`, for `lease_ms` at the most.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn begin_run(&self, name: &str, now: &Now, lease_ms: u64) -> Result<Begun, Error> {
        let write = self
            .client
            .put_item()
            .table_name(self.runs_table()?)
            .set_item(Some(item(name, now, Some(now.millis() + lease_ms))))
            .condition_expression("attribute_not_exists(run) OR lease_until < :now")
            .expression_attribute_values(":now", AttributeValue::N(now.millis().to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send();
        match self.trip(write).await {
            Ok(_) => Ok(Begun::Ours),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    let is_leased = refused.item().is_some_and(|item| item.contains_key("lease_until"));
                    Ok(if is_leased { Begun::Busy } else { Begun::Finished })
                }
                _ => Err(failed(&error)),
            },
        }
    }

    /// Remembers that the run is done: it has no lease that could end.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn finish_run(&self, name: &str, now: &Now) -> Result<(), Error> {
        let write = self.client.put_item().table_name(self.runs_table()?).set_item(Some(item(name, now, None))).send();
        self.trip(write).await.map(drop).map_err(|error| failed(&error))
    }

    /// Gives the run back after a failure, so that the next delivery may try.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn abandon_run(&self, name: &str) -> Result<(), Error> {
        let delete = self
            .client
            .delete_item()
            .table_name(self.runs_table()?)
            .key("run", AttributeValue::S(name.to_owned()))
            .send();
        self.trip(delete).await.map(drop).map_err(|error| failed(&error))
    }
}

fn item(name: &str, now: &Now, lease_until: Option<u64>) -> Item {
    let mut item = Item::from([
        ("run".to_owned(), AttributeValue::S(name.to_owned())),
        ("expires_at".to_owned(), AttributeValue::N((now.secs() + REMEMBERED_SECS).to_string())),
    ]);
    if let Some(until) = lease_until {
        item.insert("lease_until".to_owned(), AttributeValue::N(until.to_string()));
    }
    item
}
