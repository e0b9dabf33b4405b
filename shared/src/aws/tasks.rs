//! Background work: a task is an asynchronous invocation of its function, and Lambda retries it twice.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::clients::Clients;
use super::hosts;
use super::signed::SignedService;
use crate::clock::{self, Now};
use crate::error::{Cause, Error, StartError};
use crate::random;

/// The alias that everything goes through: it is what a rollback moves, and what the template's `EventInvokeConfig`
/// (retries, failed events) is of. A call without it would reach `$LATEST`, which has neither. Encoded for a path.
const ALIAS: &str = "%3Alive";

/// Work that another function does later.
pub trait Task: Serialize + DeserializeOwned {
    /// Name of the function's folder under `functions/tasks/`.
    const NAME: &'static str;

    /// The phone that it is about, masked, for the log.
    fn masked_phone(&self) -> Option<String> {
        None
    }
}

/// What the task's function receives.
#[derive(Serialize, Deserialize)]
pub(crate) struct Spawned<T> {
    /// The same in every delivery.
    pub(crate) task_id: String,
    /// The spawning request's time.
    pub(crate) time_epoch_ms: i64,
    /// The machine's time when it was spawned: with it a late delivery knows how late it is.
    pub(crate) spawned_at_ms: u64,
    pub(crate) task: T,
}

/// AWS Lambda, which hands events to functions.
pub struct Tasks {
    lambda: SignedService,
    function_prefix: String,
}

impl Tasks {
    /// Opens a connection. Lambda that does not answer stops no start.
    ///
    /// # Errors
    /// A variable that is missing or cannot work.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let tasks = Self::new(clients)?;
        if let Err(error) = clients.warm(&tasks.lambda.address).await {
            warn!(%error, "the cold start goes on without a connection to Lambda");
        }
        Ok(tasks)
    }

    /// The same, without a connection: for those who seldom need one.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn new(clients: &Clients) -> Result<Self, StartError> {
        let address = clients.address("AWS_ENDPOINT_URL_LAMBDA", hosts::lambda);
        let function_prefix = clients.config.function_prefix().map_err(StartError::of)?.to_owned();
        Ok(Self { lambda: SignedService::new(clients, "lambda", &address)?, function_prefix })
    }

    /// Hands `task` over; it is done later, at least once.
    ///
    /// # Errors
    /// [`Error::Http`] when Lambda does not take it.
    pub async fn spawn<T: Task>(&self, now: &Now, task: &T) -> Result<(), Error> {
        self.spawn_as(now, random::unguessable()?, task).await
    }

    /// The same under an id of its own: a task that is handed over twice is done once.
    ///
    /// # Errors
    /// As [`Self::spawn`].
    pub async fn spawn_as<T: Task>(&self, now: &Now, task_id: String, task: &T) -> Result<(), Error> {
        let spawned = Spawned {
            task_id,
            time_epoch_ms: now.timestamp().as_millisecond(),
            spawned_at_ms: clock::wall_millis(),
            task,
        };
        let event = serde_json::to_vec(&spawned).map_err(|cause| Error::Internal(Cause::of(&cause)))?;
        self.invoke(&format!("{}{}", self.function_prefix, T::NAME), event).await
    }

    /// Hands an event to a function, which takes it later.
    ///
    /// # Errors
    /// As [`Self::spawn`].
    pub async fn invoke(&self, function: &str, event: Vec<u8>) -> Result<(), Error> {
        let path = format!("/2015-03-31/functions/{function}{ALIAS}/invocations");
        let headers = [("content-type", "application/json"), ("x-amz-invocation-type", "Event")];
        let response = self.lambda.post(&path, &headers, event).await?;
        match response.status {
            202 => Ok(()),
            status => Err(Error::Http(Cause::new(&format!("Lambda did not take {function}: status {status}")))),
        }
    }
}
