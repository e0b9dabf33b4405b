//! Background work: a task is invoked asynchronously, and Lambda retries it twice.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::ctx::Ctx;
use crate::error::{Cause, Error};
use crate::random;

/// The alias that everything goes through: it is what a rollback moves, and what the template's `EventInvokeConfig`
/// (retries, failed events) is of. A call without it would reach `$LATEST`, which has neither. Encoded for a path.
const ALIAS: &str = "%3Alive";

/// Work that another function does later.
pub trait Task: Serialize + DeserializeOwned {
    /// Name of the function's folder under `functions/tasks/`.
    const NAME: &'static str;
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

impl Ctx {
    /// Hands `task` over; it is done later, at least once.
    ///
    /// # Errors
    /// [`Error::Http`] when Lambda does not take it.
    pub async fn spawn<T: Task>(&self, task: &T) -> Result<(), Error> {
        let spawned = Spawned {
            task_id: random::unguessable()?,
            time_epoch_ms: i64::try_from(self.now().millis()).unwrap_or(i64::MAX),
            spawned_at_ms: clock::wall_millis(),
            task,
        };
        let body = serde_json::to_vec(&spawned).map_err(|cause| Error::Internal(Cause::of(&cause)))?;
        let prefix = self.config().function_prefix().map_err(|cause| Error::Internal(Cause::of(&cause)))?;
        self.invoke(&format!("{prefix}{}", T::NAME), body).await
    }

    /// Hands an event to a function, which takes it later.
    pub(crate) async fn invoke(&self, function: &str, event: Vec<u8>) -> Result<(), Error> {
        let path = format!("/2015-03-31/functions/{function}{ALIAS}/invocations");
        let headers = [("content-type", "application/json"), ("x-amz-invocation-type", "Event")];
        let answer = self.lambda()?.post(&path, &headers, event).await?;
        match answer.status {
            202 => Ok(()),
            status => Err(Error::Http(Cause::new(&format!("Lambda did not take {function}: status {status}")))),
        }
    }
}
