//! The table of runs: what makes a tick or a task that is delivered twice take effect once.
//!
//! An item with `lease_until` is a run under way, and whose it is; one without is a run that is done.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::{Item, Store, failed, if_still_so};
use crate::clock::{Now, wall_millis};
use crate::error::Error;

/// How long a finished run is remembered, by the run's own time: longer than any duplicate can be late. Lambda drops an
/// asynchronous event after at most six hours, EventBridge Scheduler after 24 (their guides, "Asynchronous invocation"
/// and "Retry policies"), and a dead letter may be driven again for as long as a queue keeps one, which is 14 days.
const REMEMBERED_SECS: u64 = 30 * 86_400;

/// One holder of one run.
pub struct Run {
    /// Unique to what must happen once.
    pub name: String,
    /// Unique to who tries.
    pub holder: String,
    /// Whether it is remembered for ever, and not only for as long as a duplicate can be late.
    pub for_ever: bool,
}

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
    /// Takes the run, for `lease_ms` of real time at the most.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn begin_run(&self, run: &Run, now: &Now, lease_ms: u64) -> Result<Begun, Error> {
        let write = self
            .client
            .put_item()
            .table_name(self.runs_table()?)
            .set_item(Some(item(run, now, Some(wall_millis() + lease_ms))))
            .condition_expression("attribute_not_exists(run) OR lease_until < :now")
            .expression_attribute_values(":now", number(wall_millis()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send();
        match self.trip(write).await {
            Ok(_) => Ok(Begun::Ours),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    let old = refused.item();
                    // An attempt of ours whose answer was lost, and that the SDK repeated.
                    if old.and_then(|item| item.get("holder")) == Some(&AttributeValue::S(run.holder.clone())) {
                        return Ok(Begun::Ours);
                    }
                    let is_leased = old.is_some_and(|item| item.contains_key("lease_until"));
                    Ok(if is_leased { Begun::Busy } else { Begun::Finished })
                }
                _ => Err(failed(&error)),
            },
        }
    }

    /// Holds the run for another `lease_ms` from now on.
    ///
    /// # Errors
    /// [`Error::Db`], also when the run has gone to somebody else.
    pub async fn renew_run(&self, run: &Run, lease_ms: u64) -> Result<(), Error> {
        let update = self
            .client
            .update_item()
            .table_name(self.runs_table()?)
            .key("run", AttributeValue::S(run.name.clone()))
            .update_expression("SET lease_until = :until")
            .condition_expression("holder = :me AND attribute_exists(lease_until)")
            .expression_attribute_values(":until", number(wall_millis() + lease_ms))
            .expression_attribute_values(":me", AttributeValue::S(run.holder.clone()))
            .send();
        self.trip(update).await.map(drop).map_err(|error| failed(&error))
    }

    /// Remembers that the run is done.
    ///
    /// # Errors
    /// [`Error::Db`], also when the run has gone to somebody else.
    pub async fn finish_run(&self, run: &Run, now: &Now) -> Result<(), Error> {
        let write = self
            .client
            .put_item()
            .table_name(self.runs_table()?)
            .set_item(Some(item(run, now, None)))
            .condition_expression("holder = :me")
            .expression_attribute_values(":me", AttributeValue::S(run.holder.clone()))
            .send();
        self.trip(write).await.map(drop).map_err(|error| failed(&error))
    }

    /// Gives the run back, so that the next delivery may have it. One that has gone to somebody else stays theirs.
    ///
    /// # Errors
    /// [`Error::Db`]; the lease then ends by itself.
    pub async fn abandon_run(&self, run: &Run) -> Result<(), Error> {
        let delete = self
            .client
            .delete_item()
            .table_name(self.runs_table()?)
            .key("run", AttributeValue::S(run.name.clone()))
            .condition_expression("holder = :me AND attribute_exists(lease_until)")
            .expression_attribute_values(":me", AttributeValue::S(run.holder.clone()))
            .send();
        if_still_so(self.trip(delete).await).map(drop)
    }
}

fn item(run: &Run, now: &Now, lease_until: Option<u64>) -> Item {
    let mut item = Item::from([
        ("run".to_owned(), AttributeValue::S(run.name.clone())),
        ("holder".to_owned(), AttributeValue::S(run.holder.clone())),
    ]);
    if !run.for_ever {
        let expiry = now.secs().max(wall_millis() / 1000) + REMEMBERED_SECS;
        item.insert("expires_at".to_owned(), number(expiry));
    }
    if let Some(until) = lease_until {
        item.insert("lease_until".to_owned(), number(until));
    }
    item
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
