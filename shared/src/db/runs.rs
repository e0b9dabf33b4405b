//! The table of runs: what makes a tick or a task that is delivered twice take effect once.
//!
//! An item with `lease_until` is a run under way, and whose it is; one without is a run that is done.

use aws_sdk_dynamodb::operation::delete_item::{DeleteItemError, DeleteItemOutput};
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemOutput;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use serde::{Deserialize, Serialize};

use super::database::{Database, failed, is_done, met, write};
use super::item::{from_item, n, s, to_item};
use crate::clock::{Now, wall_millis};
use crate::config::Config;
use crate::error::{Error, StartError};

/// How long a finished run is remembered, by the run's own time: longer than any duplicate can be late. Lambda drops an
/// asynchronous event after at most six hours, EventBridge Scheduler after 24 (their guides, "Asynchronous invocation"
/// and "Retry policies"), and a dead letter may be redriven for as long as a queue keeps one, which is 14 days.
const REMEMBERED_SECS: u64 = 30 * 86_400;

/// The table of runs.
pub struct Runs {
    database: Database,
    table: String,
}

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
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// Ours: nobody else has it, or the process that had it is gone.
    Ours,
    /// It was finished before.
    Finished,
    /// Another delivery holds the lease.
    Busy,
}

/// A run as the table has it.
#[derive(Serialize)]
struct RunItem<'a> {
    run: &'a str,
    holder: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_until: Option<u64>,
}

/// A run that is in the way.
#[derive(Deserialize)]
struct Held {
    #[serde(default)]
    holder: String,
    lease_until: Option<u64>,
}

impl Runs {
    /// The table of runs of this stage.
    ///
    /// # Errors
    /// `RUNS_TABLE`, when it is not set.
    pub fn new(database: &Database, config: &Config) -> Result<Self, StartError> {
        Ok(Self { database: database.clone(), table: config.runs_table().map_err(StartError::of)?.to_owned() })
    }

    /// Takes the run, for `lease_ms` of real time at the most.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn begin(&self, run: &Run, now: &Now, lease_ms: u64) -> Result<Begun, Error> {
        let put = self
            .put(&RunItem::new(run, now, Some(wall_millis() + lease_ms)))?
            .condition_expression("attribute_not_exists(run) OR lease_until < :now")
            .expression_attribute_values(":now", n(wall_millis()))
            .return_values_on_condition_check_failure(AllOld);
        let Err(error) = write(put.send(), PutItemOutput::consumed_capacity).await else { return Ok(Begun::Ours) };
        Ok(match met(&error)?.map(from_item::<Held>).transpose()? {
            // An attempt of ours whose response was lost, and that was made again.
            Some(held) if held.holder == run.holder => Begun::Ours,
            Some(Held { lease_until: Some(_), .. }) => Begun::Busy,
            _ => Begun::Finished,
        })
    }

    /// Holds the run for another `lease_ms` from now on.
    ///
    /// # Errors
    /// [`Error::Db`], also when the run has gone to somebody else.
    pub async fn renew(&self, run: &Run, lease_ms: u64) -> Result<(), Error> {
        let update = self.database.client.update_item().table_name(&self.table).return_consumed_capacity(Total);
        let update = update
            .key("run", s(&run.name))
            .update_expression("SET lease_until = :until")
            .condition_expression("holder = :me AND attribute_exists(lease_until)")
            .expression_attribute_values(":until", n(wall_millis() + lease_ms))
            .expression_attribute_values(":me", s(&run.holder));
        let outcome = write(update.send(), UpdateItemOutput::consumed_capacity).await;
        outcome.map(drop).map_err(|error| failed(&error))
    }

    /// Remembers that the run is done.
    ///
    /// # Errors
    /// [`Error::Db`], also when the run has gone to somebody else.
    pub async fn finish(&self, run: &Run, now: &Now) -> Result<(), Error> {
        let put = self
            .put(&RunItem::new(run, now, None))?
            .condition_expression("holder = :me")
            .expression_attribute_values(":me", s(&run.holder));
        let outcome = write(put.send(), PutItemOutput::consumed_capacity).await;
        outcome.map(drop).map_err(|error| failed(&error))
    }

    /// Gives the run back, so that the next delivery may have it. One that has gone to somebody else stays theirs.
    ///
    /// # Errors
    /// [`Error::Db`]; the lease then ends by itself.
    pub async fn abandon(&self, run: &Run) -> Result<(), Error> {
        let delete = self.database.client.delete_item().table_name(&self.table).return_consumed_capacity(Total);
        let delete = delete
            .key("run", s(&run.name))
            .condition_expression("holder = :me AND attribute_exists(lease_until)")
            .expression_attribute_values(":me", s(&run.holder));
        let outcome = write(delete.send(), DeleteItemOutput::consumed_capacity).await;
        is_done(outcome, DeleteItemError::is_conditional_check_failed_exception).map(drop)
    }

    fn put(&self, item: &RunItem<'_>) -> Result<PutItemFluentBuilder, Error> {
        let put = self.database.client.put_item().table_name(&self.table).return_consumed_capacity(Total);
        Ok(put.set_item(Some(to_item(item)?)))
    }
}

impl<'a> RunItem<'a> {
    fn new(run: &'a Run, now: &Now, lease_until: Option<u64>) -> Self {
        let remembered_until = || now.secs().max(wall_millis() / 1000) + REMEMBERED_SECS;
        Self { run: &run.name, holder: &run.holder, expires_at: (!run.for_ever).then(remembered_until), lease_until }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use serde_json::{Value, json};

    use super::super::scripted::{Ending, Scripted};
    use super::*;

    fn run(for_ever: bool) -> Run {
        Run { name: "daily#2026-11-22".to_owned(), holder: "me".to_owned(), for_ever }
    }

    fn now() -> Now {
        // Later than the machine's time, so that it counts.
        Now::new(Timestamp::from_second(10_000_000_000).unwrap(), TimeZone::UTC)
    }

    fn runs(dynamodb: &Scripted) -> Runs {
        Runs { database: Database::new(dynamodb.config()), table: "runs".to_owned() }
    }

    fn begin(ending: Ending) -> (Result<Begun, Error>, Value) {
        let dynamodb = Scripted::new(&[ending]);
        let begun = dynamodb.run(runs(&dynamodb).begin(&run(false), &now(), 5000));
        (begun, dynamodb.seen().remove(0).body)
    }

    #[test]
    fn a_run_is_taken_under_a_condition() {
        let before = wall_millis();
        let (begun, mut body) = begin(Ending::ok(&json!({})));
        assert_eq!(begun.unwrap(), Begun::Ours);
        let at = |value: Value| value["N"].as_str().unwrap().parse::<u64>().unwrap();
        assert!(at(body["Item"]["lease_until"].take()) >= before + 5000);
        assert!(at(body["ExpressionAttributeValues"][":now"].take()) >= before);
        let expected = json!({
            "TableName": "runs",
            "Item": {
                "run": { "S": "daily#2026-11-22" },
                "holder": { "S": "me" },
                "expires_at": { "N": "10002592000" },
                "lease_until": null,
            },
            "ConditionExpression": "attribute_not_exists(run) OR lease_until < :now",
            "ExpressionAttributeValues": { ":now": null },
            "ReturnConsumedCapacity": "TOTAL",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_finished_run_has_no_lease_and_one_that_is_for_ever_no_end() {
        let mut item = json!({ "run": { "S": "daily#2026-11-22" }, "holder": { "S": "me" } });
        for for_ever in [true, false] {
            if !for_ever {
                item["expires_at"] = json!({ "N": "10002592000" });
            }
            let dynamodb = Scripted::new(&[Ending::ok(&json!({}))]);
            dynamodb.run(runs(&dynamodb).finish(&run(for_ever), &now())).unwrap();
            assert_eq!(dynamodb.seen()[0].body["Item"], item);
        }
    }

    #[test]
    fn a_run_that_is_in_the_way_says_how_far_it_is() {
        for (item, expected) in [
            (json!({ "holder": { "S": "me" }, "lease_until": { "N": "1" } }), Begun::Ours),
            (json!({ "holder": { "S": "other" }, "lease_until": { "N": "1" } }), Begun::Busy),
            (json!({ "holder": { "S": "other" } }), Begun::Finished),
            (json!({ "run": { "S": "r" } }), Begun::Finished),
        ] {
            assert_eq!(begin(Ending::condition(&item)).0.unwrap(), expected, "{item}");
        }
    }

    #[test]
    fn a_run_that_has_gone_to_somebody_else_is_neither_renewed_nor_finished_nor_taken_from_them() {
        let dynamodb = Scripted::new(&[Ending::condition(&json!(null))]);
        let runs = runs(&dynamodb);
        assert!(matches!(dynamodb.run(runs.renew(&run(false), 5000)), Err(Error::Db(_))));
        assert!(matches!(dynamodb.run(runs.finish(&run(false), &now())), Err(Error::Db(_))));
        assert!(dynamodb.run(runs.abandon(&run(false))).is_ok());
        let conditions: Vec<_> =
            dynamodb.seen().into_iter().map(|seen| seen.body["ConditionExpression"].clone()).collect();
        let of_mine = "holder = :me AND attribute_exists(lease_until)";
        assert_eq!(conditions, [of_mine, "holder = :me", of_mine]);
    }
}
