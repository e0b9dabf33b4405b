//! DynamoDB: one file per table under `store/` knows the shape of its keys and items.

pub mod deployment;
pub mod figures;
pub mod retention;
pub mod runs;
pub mod users;

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity};

use crate::aws::{self, Aws};
use crate::config::{Config, SettingError};
use crate::error::{Cause, Error};
use crate::http::{CALL, CONNECT, Http};
use crate::telemetry::{Backend, Tally};

/// How long one of at most two attempts may take.
const ATTEMPT: Duration = Duration::from_millis(800);

type Item = HashMap<String, AttributeValue>;

/// The tables of a stage.
pub struct Store {
    client: Client,
    http: Http,
    endpoint: String,
    users_table: Option<String>,
    runs_table: Option<String>,
    tally: Tally,
}

impl Store {
    /// A client whose connection is not open yet.
    pub(crate) fn new(aws: &Aws, http: Http, config: &Config, tally: Tally) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(CALL)
            .build();
        let retries = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(25));
        let endpoint = aws
            .env
            .endpoint_url("AWS_ENDPOINT_URL_DYNAMODB")
            .unwrap_or_else(|| format!("https://dynamodb.{}.amazonaws.com", aws.env.region));
        let sdk = aws.sdk(&http).timeout_config(timeouts).retry_config(retries).endpoint_url(&endpoint).build();
        Self {
            client: Client::new(&sdk),
            http,
            endpoint,
            users_table: config.users_table().ok().map(str::to_owned),
            runs_table: config.runs_table().ok().map(str::to_owned),
            tally,
        }
    }

    /// Opens the connection, so that the first request finds it open. The endpoint says that it is healthy to
    /// anyone who asks; this costs no capacity unit and needs no right.
    pub(crate) async fn warm(&self) -> Result<(), Error> {
        let request = http::Request::get(&self.endpoint).body(Vec::new());
        let request = request.map_err(|cause| Error::Db(Cause::of(&cause)))?;
        // No longer than a connection may take: a call that comes with the cold start has its own time after this.
        match tokio::time::timeout(CONNECT, self.http.send(request)).await {
            Ok(answer) => answer.map(drop),
            Err(_) => Err(Error::Db(Cause::new("no answer in time"))),
        }
    }

    fn users_table(&self) -> Result<&str, Error> {
        needed(self.users_table.as_deref(), "USERS_TABLE")
    }

    fn runs_table(&self) -> Result<&str, Error> {
        needed(self.runs_table.as_deref(), "RUNS_TABLE")
    }

    /// Runs one operation as one counted round trip. The SDK's futures have ten kilobytes and more, so they are put on
    /// the heap before anything copies them about.
    fn trip<'a, T>(&'a self, operation: impl Future<Output = T> + 'a) -> impl Future<Output = T> + 'a {
        let operation = Box::pin(operation);
        async move {
            let _trip = self.tally.trip(Backend::DynamoDb);
            operation.await
        }
    }

    fn charge(&self, consumed: Option<&ConsumedCapacity>, kind: Kind) {
        let units = consumed.and_then(ConsumedCapacity::capacity_units).unwrap_or(0.0);
        match kind {
            Kind::Read => self.tally.charge(units, 0.0),
            Kind::Write => self.tally.charge(0.0, units),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Read,
    Write,
}

fn needed<'a>(table: Option<&'a str>, variable: &'static str) -> Result<&'a str, Error> {
    table.ok_or_else(|| Error::Internal(Cause::of(&SettingError::Unset(variable))))
}

fn failed<E, R>(error: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata,
{
    Error::Db(aws::cause(error))
}

/// The outcome of a conditional write that has nothing to do when its condition does not hold: `None` then.
fn if_still_so<T, E, R>(outcome: Result<T, SdkError<E, R>>) -> Result<Option<T>, Error>
where
    E: ProvideErrorMetadata,
{
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

/// An item that lacks what this service always writes.
fn broken(item_of: &str, name: &str) -> Error {
    Error::Internal(Cause::new(&format!("{item_of} without a proper {name}")))
}
