//! The table of runs: what makes a tick or a task that is delivered twice take effect once.
//!
//! An item with `lease_until` is a run under way, and whose it is; one without is a run that is done.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::dynamodb::Failure;
use super::item::{ALL_OLD, Ask, N, Named, Operation, S, natural, s};
use super::{Store, is_done};
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

/// A run as the table has it.
#[derive(Serialize)]
struct RunItem<'a> {
    run: S<&'a str>,
    holder: S<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<N>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_until: Option<N>,
}

/// A run that is in the way.
#[derive(Deserialize)]
struct Held {
    #[serde(default)]
    holder: S<String>,
    lease_until: Option<N>,
}

impl Store {
    /// Takes the run, for `lease_ms` of real time at the most.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn begin_run(&self, run: &Run, now: &Now, lease_ms: u64) -> Result<Begun, Error> {
        let write = Ask {
            item: Some(item(run, now, Some(wall_millis() + lease_ms))),
            condition_expression: Some("attribute_not_exists(run) OR lease_until < :now"),
            expression_attribute_values: Some(Named(&[(":now", natural(wall_millis()).into())])),
            return_values_on_condition_check_failure: ALL_OLD,
            ..Ask::of(self.runs_table()?)
        };
        match self.ask::<IgnoredAny>(Operation::PutItem, write).await {
            Ok(_) => Ok(Begun::Ours),
            Err(Failure::Condition(refusal)) => Ok(match refusal.item::<Held>()? {
                // An attempt of ours whose answer was lost, and that was made again.
                Some(held) if held.holder.text == run.holder => Begun::Ours,
                Some(Held { lease_until: Some(_), .. }) => Begun::Busy,
                _ => Begun::Finished,
            }),
            Err(Failure::Failed(error)) => Err(error),
        }
    }

    /// Holds the run for another `lease_ms` from now on.
    ///
    /// # Errors
    /// [`Error::Db`], also when the run has gone to somebody else.
    pub async fn renew_run(&self, run: &Run, lease_ms: u64) -> Result<(), Error> {
        let values = [(":until", natural(wall_millis() + lease_ms).into()), (":me", run.holder.as_str().into())];
        let update = Ask::<()> {
            key: Some(Named(&[("run", run.name.as_str().into())])),
            update_expression: Some("SET lease_until = :until"),
            condition_expression: Some("holder = :me AND attribute_exists(lease_until)"),
            expression_attribute_values: Some(Named(&values)),
            ..Ask::of(self.runs_table()?)
        };
        self.ask::<IgnoredAny>(Operation::UpdateItem, update).await?;
        Ok(())
    }

    /// Remembers that the run is done.
    ///
    /// # Errors
    /// [`Error::Db`], also when the run has gone to somebody else.
    pub async fn finish_run(&self, run: &Run, now: &Now) -> Result<(), Error> {
        let write = Ask {
            item: Some(item(run, now, None)),
            condition_expression: Some("holder = :me"),
            expression_attribute_values: Some(Named(&[(":me", run.holder.as_str().into())])),
            ..Ask::of(self.runs_table()?)
        };
        self.ask::<IgnoredAny>(Operation::PutItem, write).await?;
        Ok(())
    }

    /// Gives the run back, so that the next delivery may have it. One that has gone to somebody else stays theirs.
    ///
    /// # Errors
    /// [`Error::Db`]; the lease then ends by itself.
    pub async fn abandon_run(&self, run: &Run) -> Result<(), Error> {
        let delete = Ask::<()> {
            key: Some(Named(&[("run", run.name.as_str().into())])),
            condition_expression: Some("holder = :me AND attribute_exists(lease_until)"),
            expression_attribute_values: Some(Named(&[(":me", run.holder.as_str().into())])),
            ..Ask::of(self.runs_table()?)
        };
        is_done(self.ask::<IgnoredAny>(Operation::DeleteItem, delete).await).map(drop)
    }
}

fn item<'a>(run: &'a Run, now: &Now, lease_until: Option<u64>) -> RunItem<'a> {
    let remembered_until = || natural(now.secs().max(wall_millis() / 1000) + REMEMBERED_SECS);
    RunItem {
        run: s(&run.name),
        holder: s(&run.holder),
        expires_at: (!run.for_ever).then(remembered_until),
        lease_until: lease_until.map(natural),
    }
}
