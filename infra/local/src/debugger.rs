//! `make run FN=login DEBUG=1`: one function whose first event waits until somebody has a debugger on its process, and which
//! then may stand still for as long as they like.

use std::fs;
use std::io::{self, Write};
use std::time::Duration;

use tokio::time::sleep;

use crate::template::FunctionSpec;

/// For as long an event and its caller have patience.
const PATIENCE: Duration = Duration::from_hours(24);

/// Nobody sees how long it takes until the event goes on.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Makes a function one that waits: nothing ends it, and there is one process of it, so that it is clear which.
pub(crate) fn prepare(spec: &mut FunctionSpec) {
    spec.waits_for_debugger = true;
    spec.timeout = PATIENCE;
    spec.concurrency = Some(1);
}

/// Waits until a debugger is on the process. Only Linux says whether there is one; elsewhere nothing is held.
pub(crate) async fn attached(binary: &str, process: u32) {
    let text = match is_traced(process) {
        Some(true) => return,
        Some(false) => format!("{binary}: process {process} waits for a debugger, for instance: gdb -p {process}"),
        None => format!("{binary}: process {process}; this system does not tell of debuggers, so nothing waits"),
    };
    // Nobody to tell if that fails.
    let _ = writeln!(io::stderr(), "{text}");
    while is_traced(process) == Some(false) {
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Source: proc(5), `TracerPid` of `/proc/<pid>/status`. Nothing where there is no such file.
fn is_traced(process: u32) -> Option<bool> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    Some(tracer.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::is_traced;

    #[test]
    fn a_test_is_not_traced_and_a_process_that_there_is_not_says_nothing() {
        assert_ne!(is_traced(std::process::id()), Some(true));
        assert_eq!(is_traced(u32::MAX), None);
    }
}
