//! Jobs: functions that a schedule starts.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Fatal;
use super::sandbox::{Sandbox, caught, run};
use crate::clock::wall_millis;
use crate::config;
use crate::ctx::{Ctx, Need};
use crate::envelope;
use crate::error::{Cause, Error};
use crate::runs::{self, Progress, Tick};
pub use crate::telemetry::Report;
use crate::telemetry::{Embedded, Line};

/// The time of a call that begins after its deadline, which is no deadline: `cargo lambda watch` says 1970.
const UNTOLD: Duration = Duration::from_mins(1);

/// The part of an EventBridge event that counts (EventBridge User Guide, "Event structure").
#[derive(Deserialize)]
pub(crate) struct Event {
    pub(crate) time: Timestamp,
}

/// Serves a job. For each scheduled time the handler takes effect once, however often the event is delivered, and two
/// runs of one job never overlap; a run that says [`Progress::More`] is invoked again at once.
///
/// # Errors
/// What stopped the start.
pub fn job<H, F>(needs: &[Need], handler: H) -> Result<(), Fatal>
where
    H: Fn(Ctx, Tick) -> F,
    F: Future<Output = Result<Progress<Report>, Error>>,
{
    run(needs, None, &async |sandbox: &Sandbox, event: LambdaEvent<Box<RawValue>>| {
        let start = sandbox.begin();
        let (payload, context) = event.into_parts();
        let scheduled = serde_json::from_str::<Event>(payload.get()).map(|event| event.time);
        let outcome = match &scheduled {
            Ok(at) => {
                let tick = Tick::new(*at, time_left(context.deadline));
                let ctx = Ctx::new(sandbox.kept.clone(), *at);
                tick_once(&ctx, tick, payload.get(), &handler).await
            }
            Err(cause) => {
                Err(Error::Internal(Cause::new(&format!("not an event of a schedule: {:?}", cause.classify()))))
            }
        };
        let code = outcome.as_ref().err().map_or(0, envelope::code);
        let line = Line {
            request_id: &context.request_id,
            code,
            scheduled: scheduled.as_ref().ok().map(Timestamp::to_string),
            ..Line::default()
        };
        match outcome {
            Ok(Report { told, findings, metrics }) => {
                let time_epoch_ms = scheduled.map_or(0, Timestamp::as_millisecond);
                let metrics = Embedded { time_epoch_ms, metrics };
                sandbox.log(&start, Line { report: Some(told), findings, metrics, ..line }, None);
                Ok(())
            }
            Err(error) => {
                sandbox.log(&start, line, Some(&error));
                Err(Diagnostic { error_type: format!("{code}"), error_message: error.to_string() })
            }
        }
    })
}

/// What a call has until its deadline, which is in milliseconds since the Unix epoch.
fn time_left(deadline_ms: u64) -> Duration {
    deadline_ms.checked_sub(wall_millis()).map_or(UNTOLD, Duration::from_millis)
}

async fn tick_once<H, F>(ctx: &Ctx, tick: Tick, event: &str, handler: &H) -> Result<Report, Error>
where
    H: Fn(Ctx, Tick) -> F,
    F: Future<Output = Result<Progress<Report>, Error>>,
{
    let function = config::function_name();
    let name = format!("{function}#{}", tick.at);
    // Caught inside, so that a panic gives its run back.
    let work = async { caught(handler(ctx.clone(), tick)).await.and_then(|done| done) };
    let once = runs::once(ctx, &name, work);
    match runs::alone(ctx, &function, once).await? {
        None => Ok(Report { told: "done before".into(), ..Report::default() }),
        Some(Progress::Done(report)) => Ok(report),
        Some(Progress::More(report)) => {
            ctx.invoke(&function, event.as_bytes().to_vec()).await?;
            // The last part of the run has the metrics, so that CloudWatch gets them once.
            Ok(Report { metrics: Vec::new(), ..report })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_has_passed_before_the_call_is_none() {
        assert_eq!(time_left(600_000), UNTOLD);
        assert!(time_left(wall_millis() + 900_000) > UNTOLD);
    }
}
