//! Who runs where. A sandbox has a core of its own in Lambda, and backends are elsewhere. So it is here: the last core is for
//! sandboxes, and for the bare sockets that stand for them; this program, and the stores in it and beside it, have the others.

use std::io::{self, Write};
use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Failure;

/// The sandboxes' core; nothing while everybody runs everywhere.
static LEFT: OnceLock<CpuSet> = OnceLock::new();

/// Leaves a core to sandboxes. To be called while there is no other thread or process, because it is theirs that inherit.
/// Where there is one core alone, it stays everybody's, and it says so.
pub(crate) fn leave_one() -> Result<(), Failure> {
    let mut ours = sched_getaffinity(None)?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|&core| ours.is_set(core));
    let Some(last) = last.filter(|_| ours.count() > 1) else {
        writeln!(io::stderr(), "There is one core: sandboxes share it with their backends")?;
        return Ok(());
    };
    ours.unset(last);
    sched_setaffinity(None, &ours)?;
    let mut theirs = CpuSet::new();
    theirs.set(last);
    LEFT.set(theirs).map_err(|_| "a core was left already".into())
}

/// Does some work on the sandboxes' core. A process that it starts stays there.
pub(crate) fn on_theirs<T>(work: impl FnOnce() -> T) -> Result<T, Failure> {
    let Some(theirs) = LEFT.get() else { return Ok(work()) };
    let ours = sched_getaffinity(None)?;
    sched_setaffinity(None, theirs)?;
    let done = work();
    sched_setaffinity(None, &ours)?;
    Ok(done)
}
