//! Jobs: functions that a schedule starts.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use aws_lambda_events::cloudwatch_events::CloudWatchEvent;
use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use serde_json::Value;
use serde_json::value::RawValue;

use super::call_log::{CallLog, Start};
use super::runtime::{diagnostic, run};
use crate::aws::Clients;
use crate::clock::wall_millis;
use crate::error::{Cause, Error, StartError, catch_panic};
use crate::models::report::Report;
use crate::models::tick::Tick;

/// Fallback when the deadline has already passed: `cargo lambda watch` says 1970.
const DEFAULT_TIME_LEFT: Duration = Duration::from_mins(1);

/// Serves a job. An event can be delivered twice, and two of them at once; see `jobs::run_once`.
pub fn job<S, C, H, F>(connect: C, handler: H) -> ExitCode
where
    S: Sync + 'static,
    C: AsyncFnOnce(&Clients) -> Result<S, StartError> + 'static,
    H: Fn(&'static S, Tick) -> F + Sync + 'static,
    F: Future<Output = Result<Report, Error>> + Send,
{
    run(async |clients: &Clients| {
        let state: &'static S = Box::leak(Box::new(connect(clients).await?));
        let handler: &'static H = Box::leak(Box::new(handler));
        Ok(move |start: Start, event: LambdaEvent<Box<RawValue>>| async move {
            let (payload, context) = event.into_parts();
            let request_id = &context.request_id;
            let (at, outcome) = match scheduled_time(payload.get()) {
                Ok(at) => {
                    let tick = Tick::new(at, time_left(context.deadline), Box::<str>::from(payload).into());
                    (Some(at), catch_panic(handler(state, tick)).await.flatten())
                }
                Err(error) => (None, Err(error)),
            };
            let scheduled = at.map(|at| at.to_string());
            let log = CallLog { request_id, scheduled: scheduled.as_deref(), ..CallLog::default() };
            match outcome {
                Ok(report) => {
                    log.with_report(report, at.unwrap_or_default()).write(start);
                    Ok(())
                }
                Err(error) => {
                    CallLog { error: Some(&error), ..log }.write(start);
                    Err(diagnostic(&error))
                }
            }
        })
    })
}

/// The time of a schedule's event: one of EventBridge Scheduler's, or of an EventBridge rule.
pub(crate) fn scheduled_time(event: &str) -> Result<Timestamp, Error> {
    let event: CloudWatchEvent<Value> = serde_json::from_str(event)
        .map_err(|cause| Error::Internal(Cause::new(&format!("not an event of a schedule: {:?}", cause.classify()))))?;
    let nanos = i32::try_from(event.time.timestamp_subsec_nanos()).unwrap_or(0);
    Timestamp::new(event.time.timestamp(), nanos).map_err(|cause| Error::Internal(Cause::of(&cause)))
}

/// What a call has until its deadline, which is in milliseconds since the Unix epoch.
fn time_left(deadline_ms: u64) -> Duration {
    deadline_ms.checked_sub(wall_millis()).map_or(DEFAULT_TIME_LEFT, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_has_passed_before_the_call_is_none() {
        assert_eq!(time_left(600_000), DEFAULT_TIME_LEFT);
        assert!(time_left(wall_millis() + 900_000) > DEFAULT_TIME_LEFT);
    }

    #[test]
    fn the_time_is_that_of_the_schedule() {
        // EventBridge Scheduler writes `detail` as a string unless the schedule has an input of its own.
        let event =
            |time: &str| format!(r#"{{"source":"aws.scheduler","time":"{time}","resources":[],"detail":"{{}}"}}"#);
        for (written, time) in [
            ("2026-11-24T16:00:00Z", "2026-11-24T16:00:00Z"),
            ("2026-11-24T16:00:00.5Z", "2026-11-24T16:00:00.5Z"),
            ("2026-11-25T00:00:00+08:00", "2026-11-24T16:00:00Z"),
        ] {
            assert_eq!(scheduled_time(&event(written)).unwrap().to_string(), time);
        }
        let event: &str = include_str!("../../../infra/local/events/daily.json");
        assert_eq!(scheduled_time(event).unwrap().to_string(), "2026-11-24T16:00:00Z");
        for bad in ["{}", "[]", "1", r#"{"time":"now","resources":[]}"#] {
            assert!(matches!(scheduled_time(bad), Err(Error::Internal(_))), "{bad}");
        }
    }
}
