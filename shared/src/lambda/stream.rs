//! Streams: functions that are given the changes of a table, in batches.

use std::future::Future;
use std::process::ExitCode;

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures_util::{StreamExt, stream};
use lambda_runtime::LambdaEvent;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::call_log::{CallLog, Start};
use super::runtime::{diagnostic, run};
use crate::aws::Clients;
use crate::clock::wall_timestamp;
use crate::error::{Cause, Error, StartError, catch_panic};
use crate::models::row_change::{Row, RowChange};
use crate::telemetry::raw;

/// Changes of a batch that are handled at the same time.
const PARALLEL: usize = 16;

/// How far a batch was handled.
struct Handled {
    records: usize,
    /// Records before the first one that failed.
    done: usize,
    /// The number of that one, and why.
    failure: Option<(String, Error)>,
}

/// Serves a stream. A change may be delivered twice, several are handled at the same time, and those behind a failed one come
/// again with it: handling one twice must equal handling it once, whatever the order.
///
/// Lambda retries from the record on that the response names. When that is the first one, nothing has been done and the call
/// fails as a whole, so that `BisectBatchOnFunctionError` separates it from the others.
pub fn stream<S, C, H, F>(connect: C, handler: H) -> ExitCode
where
    S: Sync + 'static,
    C: AsyncFnOnce(&Clients) -> Result<S, StartError> + 'static,
    H: Fn(&'static S, RowChange) -> F + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send,
{
    run(async |clients: &Clients| {
        let state: &'static S = Box::leak(Box::new(connect(clients).await?));
        let handler: &'static H = Box::leak(Box::new(handler));
        Ok(move |start: Start, event: LambdaEvent<Box<RawValue>>| async move {
            let (payload, context) = event.into_parts();
            let request_id = &context.request_id;
            let log = CallLog { request_id, ..CallLog::default() };
            match read(payload.get()) {
                Ok(records) => {
                    let batch = handle(records, |change| handler(state, change)).await;
                    let report = Some(raw(&json!({ "records": batch.records, "done": batch.done })));
                    let error = batch.failure.as_ref().map(|(_, error)| error);
                    CallLog { report, error, ..log }.write(start);
                    answer(batch).map_err(|error| diagnostic(&error))
                }
                Err(error) => {
                    CallLog { error: Some(&error), ..log }.write(start);
                    Err(diagnostic(&error))
                }
            }
        })
    })
}

fn read(event: &str) -> Result<Vec<EventRecord>, Error> {
    let event = serde_json::from_str::<Event>(event);
    let event = event.map_err(|cause| Cause::new(&format!("not an event of a stream: {:?}", cause.classify())));
    event.map(|event| event.records).map_err(Error::Internal)
}

/// Handles the changes until one fails.
async fn handle<F>(records: Vec<EventRecord>, handler: impl Fn(RowChange) -> F) -> Handled
where
    F: Future<Output = Result<(), Error>>,
{
    let (count, mut done) = (records.len(), 0);
    let attempts = records.into_iter().map(|record| {
        let number = record.change.sequence_number.clone().unwrap_or_default();
        let attempt = change_of(record).map(&handler);
        async move {
            let outcome = match attempt {
                Ok(attempt) => catch_panic(attempt).await.flatten(),
                Err(error) => Err(error),
            };
            outcome.map_err(|error| (number, error))
        }
    });
    let mut outcomes = std::pin::pin!(stream::iter(attempts).buffered(PARALLEL));
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(()) => done += 1,
            Err(failure) => return Handled { records: count, done, failure: Some(failure) },
        }
    }
    Handled { records: count, done, failure: None }
}

/// The response to Lambda about a batch.
fn answer(handled: Handled) -> Result<DynamoDbEventResponse, Error> {
    let mut response = DynamoDbEventResponse::default();
    match handled.failure {
        None => {}
        Some((_, error)) if handled.done == 0 => return Err(error),
        Some((number, _)) => {
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = Some(number);
            response.batch_item_failures.push(failure);
        }
    }
    Ok(response)
}

/// A record as decisions know it: its rows in the JSON of DynamoDB.
fn change_of(record: EventRecord) -> Result<RowChange, Error> {
    let change = record.change;
    let sequence = change.sequence_number.unwrap_or_default();
    let at_ms = change.approximate_creation_date_time.timestamp_millis();
    let (old, new) = (row(&change.old_image)?, row(&change.new_image)?);
    let delivered_at_ms = wall_timestamp().as_millisecond();
    Ok(RowChange { record_id: record.event_id, sequence, at_ms, delivered_at_ms, old, new })
}

/// `None` for an image that the record does not have.
fn row(image: &impl Serialize) -> Result<Option<Row>, Error> {
    let unreadable = || Error::Internal(Cause::new("a row that is no object"));
    let row: Row = serde_json::to_value(image).ok().and_then(|row| row.as_object().cloned()).ok_or_else(unreadable)?;
    Ok((!row.is_empty()).then_some(row))
}

/// The changes of an event, one by one, as a batch's are read.
#[cfg(feature = "fuzz")]
pub(crate) fn changes_of(event: &str) -> Result<Vec<Result<RowChange, Error>>, Error> {
    read(event).map(|records| records.into_iter().map(change_of).collect())
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use serde_json::Value;

    use super::*;

    fn event(count: usize) -> String {
        let mut event: Value = serde_json::from_str(include_str!("../../../infra/local/events/audit.json")).unwrap();
        let record = event["Records"][0].clone();
        let numbered = |number: usize| {
            let mut record = record.clone();
            record["dynamodb"]["SequenceNumber"] = number.to_string().into();
            record
        };
        event["Records"] = (0..count).map(numbered).collect();
        event.to_string()
    }

    #[test]
    fn a_record_brings_both_rows() {
        let event: &str = include_str!("../../../infra/local/events/audit.json");
        let change = change_of(read(event).unwrap().remove(0)).unwrap();
        assert_eq!(change.at_ms, 1_764_000_000_000);
        let (old, new) = (change.old.unwrap(), change.new.unwrap());
        assert_eq!((&old["role"], &new["role"]), (&json!({ "S": "user" }), &json!({ "S": "admin" })));
        assert_eq!(new["changed_by"]["M"]["request_id"], json!({ "S": "an-event-of-a-file" }));
        for bad in ["{}", "[]", "1"] {
            assert!(matches!(read(bad), Err(Error::Internal(_))), "{bad}");
        }
    }

    /// How a batch of five ends when these fail.
    async fn response(failing: &[&str]) -> Result<Value, Error> {
        let handled = handle(read(&event(5)).unwrap(), |change| {
            let fails = failing.contains(&change.sequence.as_str());
            ready(if fails { Err(Error::Db(Cause::new("as a test"))) } else { Ok(()) })
        });
        answer(handled.await).map(|response| serde_json::to_value(response).unwrap())
    }

    #[tokio::test]
    async fn the_first_record_that_fails_is_named() {
        let failures = |numbers: &[&str]| {
            let failures: Value = numbers.iter().map(|number| json!({ "itemIdentifier": number })).collect();
            json!({ "batchItemFailures": failures })
        };
        assert_eq!(response(&[]).await.unwrap(), failures(&[]));
        assert_eq!(response(&["3", "4"]).await.unwrap(), failures(&["3"]));
        assert!(matches!(response(&["0", "3"]).await, Err(Error::Db(_))));
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_of_its_record() {
        let handled = handle(read(&event(3)).unwrap(), async |change| {
            assert_ne!(change.sequence, "1", "as a test");
            Ok(())
        });
        let handled = handled.await;
        assert_eq!((handled.done, handled.failure.unwrap().0.as_str()), (1, "1"));
    }
}
