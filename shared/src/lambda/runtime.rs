//! One sandbox: its cold start, and its calls one after another.

use std::future::Future;
use std::process::ExitCode;
use std::time::Instant;

use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::LocalOptions;
use tracing::{Instrument, error, info_span};

use super::call_log::Start;
use crate::aws::Clients;
use crate::config::{self, Config};
use crate::error::{self, Cause, Error, StartError};
use crate::http;
use crate::telemetry::{self, INVOCATION};

const NOT_STARTED: &str = "the cold start failed";
const STOPPED: &str = "the Lambda runtime stopped";

/// What ended the process: a message, and the cause.
type Stopped = (&'static str, String);

/// Serves calls with the handler that `connect` makes, until the process is ended. Whatever else ends it is in the log.
pub(super) fn run<C, H, P, R, F>(connect: C) -> ExitCode
where
    C: AsyncFnOnce(&Clients) -> Result<H, StartError> + 'static,
    H: FnMut(Start, LambdaEvent<P>) -> F + 'static,
    P: DeserializeOwned + 'static,
    R: Serialize + 'static,
    F: Future<Output = Result<R, Diagnostic>> + 'static,
{
    let (level, format) = config::log_settings();
    telemetry::init(&config::stage_name(), &config::function_name(), level.as_deref(), format.as_deref());
    error::remember_panics();
    let Err((message, cause)) = block_on(start_and_serve(connect)) else { return ExitCode::SUCCESS };
    error!(error = cause, "{message}");
    ExitCode::FAILURE
}

fn block_on(sandbox: impl Future<Output = Result<(), Stopped>> + 'static) -> Result<(), Stopped> {
    // Calls come one at a time, which needs one thread; measured, a second one costs and gains nothing.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let runtime = runtime.map_err(|error| (NOT_STARTED, error.to_string()))?;
    // As a task, because each wake of the future that blocks the thread would be two system calls.
    let sandbox = runtime.spawn_local(sandbox);
    runtime.block_on(sandbox).unwrap_or_else(|error| Err((STOPPED, error.to_string())))
}

async fn start_and_serve<C, H, P, R, F>(connect: C) -> Result<(), Stopped>
where
    C: AsyncFnOnce(&Clients) -> Result<H, StartError>,
    H: FnMut(Start, LambdaEvent<P>) -> F,
    P: DeserializeOwned,
    R: Serialize,
    F: Future<Output = Result<R, Diagnostic>>,
{
    let handler = error::catch_panic(start(connect)).await.map_err(StartError::of).flatten();
    let handler = handler.map_err(|error| (NOT_STARTED, error.to_string()))?;
    // `lambda_runtime` panics at variables and headers that it misses.
    match error::catch_panic(serve(handler)).await {
        Ok(outcome) => outcome.map_err(|error| (STOPPED, Cause::of(&*error).to_string())),
        Err(panic) => Err((STOPPED, panic.to_string())),
    }
}

async fn start<H>(connect: impl AsyncFnOnce(&Clients) -> Result<H, StartError>) -> Result<H, StartError> {
    let config = Config::load().map_err(StartError::of)?;
    connect(&Clients::new(config)?).await
}

async fn serve<H, P, R, F>(mut handler: H) -> Result<(), lambda_runtime::Error>
where
    H: FnMut(Start, LambdaEvent<P>) -> F,
    P: DeserializeOwned,
    R: Serialize,
    F: Future<Output = Result<R, Diagnostic>>,
{
    let mut is_cold = true;
    let service = service_fn(move |event| {
        let start = Start { at: Instant::now(), is_cold: std::mem::take(&mut is_cold) };
        let span = info_span!(target: INVOCATION, "invocation");
        let future = span.in_scope(|| handler(start, event));
        future.instrument(span)
    });
    Runtime::new(service).run().await
}

/// How Lambda learns that a call failed, and is to be tried again.
pub(super) fn diagnostic(error: &Error) -> Diagnostic {
    Diagnostic { error_type: http::code(error).to_string(), error_message: error.to_string() }
}
