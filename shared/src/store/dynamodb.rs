//! DynamoDB's protocol: an operation is a signed POST with JSON in it, and so is its answer.
//!
//! Why not its SDK: `docs/decisions/0010-dynamodb-without-its-sdk.md`. Source: Amazon DynamoDB Developer Guide,
//! "DynamoDB low-level API" and "Error handling with DynamoDB".

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::aws::{Caller, NO_ANSWER, UNREADABLE};
use crate::error::{Cause, Error};
use crate::http::{Answer, CALL};
use crate::random;
use crate::telemetry::{Backend, Tally};

/// How long one of at most two attempts may take; both together have [`CALL`].
const ATTEMPT: Duration = Duration::from_millis(800);

/// The longest wait before the second attempt. How long it is is drawn, so that clients who were refused together do not
/// come back together.
const BACKOFF_MS: u8 = 25;

/// The client of a stage's tables.
pub(super) struct DynamoDb {
    caller: Caller,
    tally: Tally,
}

/// Why an operation was not carried out.
pub(super) enum Failure {
    /// Its condition does not hold; with the item as it is, if that was asked for.
    Condition(Refusal),
    /// Anything else.
    Failed(Error),
}

/// What DynamoDB says when it refuses.
#[derive(Deserialize)]
pub(super) struct Refusal {
    /// The error's name behind the name of its namespace.
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
    #[serde(skip)]
    body: Bytes,
}

/// How one attempt ended that brought nothing.
enum Ended {
    /// Another may bring something.
    MayPass(Error),
    Final(Failure),
}

impl DynamoDb {
    pub(super) fn new(caller: Caller, tally: Tally) -> Self {
        Self { caller, tally }
    }

    /// Opens the connection. The endpoint says that it is healthy to anyone who asks, for no capacity unit.
    pub(super) async fn warm(&self) -> Result<(), Error> {
        self.caller.warm().await.map_err(Error::Db)
    }

    /// Carries one operation out, in one counted round trip. A write whose answer was lost is sent again, so whoever
    /// writes under a condition may meet its own write.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<T, Failure> {
        let target = format!("DynamoDB_20120810.{operation}");
        let body = serde_json::to_vec(input).map_err(|cause| Error::Internal(Cause::of(&cause)))?.into();
        let _trip = self.tally.trip(Backend::DynamoDb);
        let answer = match timeout(CALL, self.attempts(&target, body)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Ended::MayPass(error))) => return Err(Failure::Failed(error)),
            Ok(Err(Ended::Final(failure))) => return Err(failure),
            Err(_) => return Err(Failure::Failed(Error::Db(Cause::new(NO_ANSWER)))),
        };
        // What is wrong with it is not told, because that would quote the item.
        serde_json::from_slice(&answer).map_err(|cause| Failure::Failed(unreadable(&cause)))
    }

    async fn attempts(&self, target: &str, body: Bytes) -> Result<Bytes, Ended> {
        match self.attempt(target, body.clone()).await {
            Err(Ended::MayPass(_)) => {}
            outcome => return outcome,
        }
        let [drawn] = random::bytes().map_err(|error| Ended::Final(error.into()))?;
        sleep(Duration::from_millis((drawn % (BACKOFF_MS + 1)).into())).await;
        self.attempt(target, body).await
    }

    async fn attempt(&self, target: &str, body: Bytes) -> Result<Bytes, Ended> {
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", target)];
        let request = self.caller.signed("/", &headers, body);
        let request = request.map_err(|cause| Ended::Final(Error::Internal(Cause::of(&cause)).into()))?;
        match timeout(ATTEMPT, self.caller.http.exchange(request)).await {
            Ok(Ok(Answer { status: 200, body })) => Ok(body),
            Ok(Ok(answer)) => Err(refused(answer)),
            Ok(Err(cause)) => Err(Ended::MayPass(Error::Db(Cause::of(&*cause)))),
            Err(_) => Err(Ended::MayPass(Error::Db(Cause::new(NO_ANSWER)))),
        }
    }
}

fn refused(answer: Answer) -> Ended {
    let Answer { status, body } = answer;
    let refusal: Refusal = match serde_json::from_slice(&body) {
        Ok(refusal) => refusal,
        // Something between us and DynamoDB.
        Err(_) => return Ended::MayPass(Error::Db(Cause::new(&format!("status {status} with {UNREADABLE}")))),
    };
    let may_pass = status >= 500
        || matches!(
            refusal.name(),
            "ProvisionedThroughputExceededException" | "RequestLimitExceeded" | "ThrottlingException"
        );
    if may_pass { Ended::MayPass(refusal.error()) } else { Ended::Final(Refusal { body, ..refusal }.into()) }
}

fn unreadable(cause: &serde_json::Error) -> Error {
    if cause.is_data() {
        Error::Internal(Cause::new("an item without what this service always writes"))
    } else {
        Error::Db(Cause::new(UNREADABLE))
    }
}

impl Refusal {
    /// `ConditionalCheckFailedException` and the like.
    fn name(&self) -> &str {
        self.kind.rsplit('#').next().unwrap_or_default()
    }

    fn error(&self) -> Error {
        Error::Db(Cause::new(&format!("{}: {}", self.name(), self.message)))
    }

    /// The item that is in the way, if it was asked for.
    pub(super) fn item<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        #[derive(Deserialize)]
        struct Found<T> {
            #[serde(rename = "Item")]
            item: Option<T>,
        }
        let found: Found<T> = serde_json::from_slice(&self.body).map_err(|cause| unreadable(&cause))?;
        Ok(found.item)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal.name() {
            "ConditionalCheckFailedException" => Self::Condition(refusal),
            _ => Self::Failed(refusal.error()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Condition(refusal) => refusal.error(),
            Failure::Failed(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: u16, body: &str) -> Ended {
        refused(Answer { status, body: Bytes::copy_from_slice(body.as_bytes()) })
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for (status, body) in [
            (500, r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"m"}"#),
            (503, "<html>"),
            (400, r#"{"__type":"com.amazon.coral.availability#ThrottlingException","Message":"Rate exceeded"}"#),
            (400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}"#),
            (400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#RequestLimitExceeded","message":"m"}"#),
        ] {
            assert!(matches!(ended(status, body), Ended::MayPass(Error::Db(_))), "{body}");
        }
    }

    #[test]
    fn what_will_not_pass_is_told_by_its_name() {
        for body in [
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no table"}"#,
            r#"{"__type":"ResourceNotFoundException","Message":"no table"}"#,
        ] {
            let Ended::Final(failure) = ended(400, body) else { panic!("{body}") };
            assert_eq!(Error::from(failure).to_string(), "dynamodb: ResourceNotFoundException: no table");
        }
    }

    #[test]
    fn a_condition_brings_the_item_that_is_in_the_way() {
        let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "message":"The conditional request failed","Item":{"run":{"S":"r"}}}"#;
        let Ended::Final(Failure::Condition(refusal)) = ended(400, body) else { panic!() };
        let item: Option<serde_json::Value> = refusal.item().unwrap();
        assert_eq!(item.unwrap()["run"]["S"], "r");
    }
}
