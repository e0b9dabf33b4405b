//! Instructions of a program, counted by valgrind: the one figure that a busy machine does not change.
//!
//! `perf stat` would count without slowing a program down, but virtual machines seldom lend it the counters. Three runs are
//! counted from their start to their end: without a request, with a few and with more. Their differences are what init and
//! a warm request execute in user space, the dynamic linker included.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;
use crate::sandbox::{Environment, Output, Sandbox};

/// The tool that counts, without simulating caches.
const UNDER: [&str; 5] =
    ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--log-fd=1"];

/// Requests of the second and of the third run.
const FEW: usize = 3;
const MORE: usize = 13;

/// Events that [`count`] takes.
pub(crate) const EVENTS: usize = FEW + MORE;

/// Instructions of a program in user space.
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    /// From its start until it asks for an event.
    pub(crate) init: f64,
    /// Of a warm request.
    pub(crate) warm: f64,
}

/// Whether there is a tool that counts.
pub(crate) fn can_count() -> bool {
    let version = Command::new(UNDER[0]).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Counts, with events that `next` gives; what a request answered is judged by `check`.
#[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
pub(crate) fn count(
    program: &Path,
    environment: &Environment,
    mut serve: impl FnMut(&mut Sandbox) -> Result<(), Failure>,
) -> Result<Counted, Failure> {
    let mut run = |requests: usize| -> Result<f64, Failure> {
        let mut sandbox = Sandbox::start_under(&UNDER, program, environment, Output::Lines)?;
        sandbox.ready()?;
        (0..requests).try_for_each(|_| serve(&mut sandbox))?;
        let said = sandbox.end()?;
        total(&said).ok_or_else(|| "valgrind tells no count".into())
    };
    let (none, few, more) = (run(0)?, run(FEW)?, run(MORE)?);
    Ok(Counted { init: none, warm: (more - few) / (MORE - FEW) as f64 })
}

/// `==1234== I refs:      1,177,847,680`
fn total(said: &[String]) -> Option<f64> {
    let line = said.iter().rev().find(|line| line.contains("I refs:") || line.contains("I   refs:"))?;
    line.rsplit(':').next()?.trim().replace(',', "").parse().ok()
}
