//! Tasks: functions that others invoke asynchronously.

use std::future::Future;
use std::process::ExitCode;

use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;

use super::call_log::{CallLog, Start};
use super::runtime::{diagnostic, run};
use crate::aws::{Clients, Spawned, Task};
use crate::clock::{Now, wall_millis};
use crate::error::{Cause, Error, StartError, catch_panic};
use crate::models::call::Call;
use crate::models::language::Language;
use crate::models::network::Network;

/// Serves a background task. It may be delivered twice, so doing it twice must equal doing it once; the handler gets
/// the id that all deliveries of one task share.
pub fn task<T, S, C, H, F>(connect: C, handler: H) -> ExitCode
where
    T: Task,
    S: Sync + 'static,
    C: AsyncFnOnce(&Clients) -> Result<S, StartError> + 'static,
    H: Fn(&'static S, Call, String, T) -> F + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send,
{
    run(async |clients: &Clients| {
        let state: &'static S = Box::leak(Box::new(connect(clients).await?));
        let handler: &'static H = Box::leak(Box::new(handler));
        let zone = clients.config.zone.clone();
        Ok(move |start: Start, event: LambdaEvent<Box<RawValue>>| {
            let zone = zone.clone();
            async move {
                let (payload, context) = event.into_parts();
                let mut phone = None;
                let outcome = match read::<T>(payload.get()) {
                    Ok((spawned, at)) => {
                        phone = spawned.task.masked_phone();
                        let (now, network) = (Now::new(at, zone), Network::of(""));
                        let request_id = context.request_id.clone();
                        let call = Call {
                            now,
                            request_id,
                            network,
                            language: Language::default(),
                            client: String::new(),
                            devices: Vec::new(),
                        };
                        catch_panic(handler(state, call, spawned.task_id, spawned.task)).await.flatten()
                    }
                    Err(error) => Err(error),
                };
                let error = outcome.as_ref().err();
                let phone = phone.as_deref();
                CallLog { request_id: &context.request_id, phone, error, ..CallLog::default() }.write(start);
                outcome.map_err(|error| diagnostic(&error))
            }
        })
    })
}

/// A task and the time of its call: that of the request that spawned it, and how late this delivery is.
fn read<T: Task>(payload: &str) -> Result<(Spawned<T>, Timestamp), Error> {
    let spawned: Spawned<T> = serde_json::from_str(payload).map_err(|cause| {
        Error::Internal(Cause::new(&format!("not a task of this function: {:?}", cause.classify())))
    })?;
    let late_ms = wall_millis().saturating_sub(spawned.spawned_at_ms);
    let at = Timestamp::from_millisecond(spawned.time_epoch_ms.saturating_add_unsigned(late_ms)).unwrap_or_default();
    Ok((spawned, at))
}
