//! `make run FN=login DEBUG=1`: the function's first event waits until a debugger has attached to its process, and no
//! timeout applies.

use std::fs;
use std::io::{self, Write};
use std::time::Duration;

use tokio::time::sleep;

use crate::template::FunctionSpec;

/// Timeout of the function and of its callers.
const TIMEOUT: Duration = Duration::from_hours(24);

/// Short enough not to be noticed.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Makes a function wait for a debugger, in a single process without a timeout.
pub(crate) fn prepare_debugging(spec: &mut FunctionSpec) {
    spec.waits_for_debugger = true;
    spec.timeout = TIMEOUT;
    spec.concurrency = Some(1);
}

/// Waits until a debugger has attached to the process. Only Linux shows that; elsewhere this does not wait.
pub(crate) async fn wait_until_attached(binary: &str, process: u32) {
    let text = match is_traced(process) {
        Some(true) => return,
        Some(false) => format!("{binary}: process {process} waits for a debugger, for instance: gdb -p {process}"),
        None => format!("{binary}: process {process}; this system does not show debuggers, so the event does not wait"),
    };
    // There is nowhere to report a failure.
    let _ = writeln!(io::stderr(), "{text}");
    while is_traced(process) == Some(false) {
        sleep(POLL_INTERVAL).await;
    }
}

/// Source: proc(5), `TracerPid` of `/proc/<pid>/status`. `None` without such a file.
fn is_traced(process: u32) -> Option<bool> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    Some(tracer.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::is_traced;

    #[test]
    fn a_test_is_not_traced_and_a_missing_process_has_no_answer() {
        assert_ne!(is_traced(std::process::id()), Some(true));
        assert_eq!(is_traced(u32::MAX), None);
    }
}
