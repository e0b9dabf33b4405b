//! One sandbox: its cold start, its calls one after another, and the line that each of them leaves in the log.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::FutureExt;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;

use super::Fatal;
use crate::config::{self, Config};
use crate::ctx::{Kept, Need};
use crate::error::{Cause, Error};
use crate::telemetry::{self, Level, Line, Source};

/// One process, between its cold start and its end. It serves one call at a time.
pub(super) struct Sandbox {
    pub(super) kept: Arc<Kept>,
    source: Source,
    is_cold: AtomicBool,
}

/// When a call began, and whether it was the sandbox's first.
pub(super) struct Start {
    at: Instant,
    cold: bool,
}

impl Sandbox {
    pub(super) fn begin(&self) -> Start {
        Start { at: Instant::now(), cold: self.is_cold.swap(false, Ordering::Relaxed) }
    }

    pub(super) fn log(&self, start: &Start, line: Line<'_>, error: Option<&Error>) {
        // What clients do wrong is in the code; what we do wrong has a cause.
        let cause = error.filter(|error| is_ours(error));
        let level = if cause.is_some() || !line.findings.is_empty() { Level::Error } else { Level::Info };
        let (spent, calls) = self.kept.tally.take(start.at);
        let line = Line {
            cold: start.cold,
            duration_ms: telemetry::millis(start.at.elapsed()),
            spent,
            calls,
            error: cause.map(ToString::to_string),
            ..line
        };
        self.source.write(level, line);
    }
}

pub(super) fn is_ours(error: &Error) -> bool {
    matches!(
        error,
        Error::Internal(_) | Error::Http(_) | Error::Db(_) | Error::Redis(_) | Error::Panic(_) | Error::BadEvent(_)
    )
}

/// Cold start, then calls until the process is ended. `rehearsal` is an event that the handler refuses before it does
/// anything.
pub(super) fn run<H, R>(needs: &[Need], rehearsal: Option<&str>, handler: &H) -> Result<(), Fatal>
where
    H: AsyncFn(&Sandbox, LambdaEvent<Box<RawValue>>) -> Result<R, Diagnostic>,
    R: serde::Serialize,
{
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
        LAST_PANIC.with_borrow_mut(|last| *last = at);
    }));
    let config = Config::load().map_err(Fatal::of)?;
    let source = Source { stage: config.stage.clone(), function: config::function_name(), is_silent: false };
    // One call at a time needs one thread; measured, a second one costs and gains nothing.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Fatal::of)?;
    runtime.block_on(async {
        let kept = Arc::new(Kept::build(config, needs)?);
        let sandbox = Sandbox { kept, source, is_cold: AtomicBool::new(true) };
        // The rehearsal comes second: it has the time in which connections are being opened.
        let (warmed, ()) = tokio::join!(sandbox.kept.warm(needs), rehearse(&sandbox, rehearsal, handler));
        for error in warmed? {
            sandbox.source.note(Level::Warn, &format!("init goes on without {error}"));
        }
        let service = service_fn(|event| handler(&sandbox, event));
        Runtime::new(service).run().await.map_err(Fatal::of)
    })
}

/// Answers an event that nobody sent, without a line. What a call does for the first time (touching code and memory that
/// are not there yet, above all) is done in init then, which has a whole core, where a small function's calls have a
/// part of one.
async fn rehearse<H, R>(sandbox: &Sandbox, event: Option<&str>, handler: &H)
where
    H: AsyncFn(&Sandbox, LambdaEvent<Box<RawValue>>) -> Result<R, Diagnostic>,
    R: serde::Serialize,
{
    let Some(event) = event.and_then(|event| RawValue::from_string(event.to_owned()).ok()) else { return };
    let source = Source { is_silent: true, ..sandbox.source.clone() };
    let rehearsing = Sandbox { kept: Arc::clone(&sandbox.kept), source, is_cold: AtomicBool::new(true) };
    let answer = handler(&rehearsing, LambdaEvent::new(event, Context::default())).await;
    // Whatever it says, nobody waits for it.
    drop(answer.map(|answer| serde_json::to_vec(&answer)));
}

thread_local! {
    /// Where the last panic was; the hook knows it, the catcher does not.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The outcome of `call`, or where it panicked.
pub(super) async fn caught<T>(call: impl Future<Output = T>) -> Result<T, Error> {
    AssertUnwindSafe(call).catch_unwind().await.map_err(|_: Box<dyn Any + Send>| {
        let at = LAST_PANIC.with_borrow_mut(Option::take);
        Error::Panic(Cause::new(at.as_deref().unwrap_or("an unknown place")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_caught_and_said_to_be_ours() {
        let outcome = caught::<()>(async { panic!("with a secret in it") }).await;
        let error = outcome.unwrap_err();
        assert_eq!(crate::envelope::code(&error), 50000);
        assert!(is_ours(&error) && !error.to_string().contains("secret"));
    }
}
