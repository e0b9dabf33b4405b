//! The stage as a process, and what the kernel says of it and of its children.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Failure, settings};

/// The thread of the stage in which its DynamoDB lives. It is counted by itself, like a process.
const DYNAMODB: &str = "dynamodb";

/// A stage that is up. Dropping it ends it.
pub(crate) struct Staged {
    child: Child,
    address: String,
    /// From the start of the process until it said that it is up.
    pub(crate) took: Duration,
}

/// A browser that shows the console of a stage. Dropping it closes it.
pub(crate) struct Viewer(Child);

impl Viewer {
    /// Opens that view of the stage at `address`, and waits until it is shown.
    pub(crate) fn open(view: &str, address: &str) -> Result<Self, Failure> {
        let mut command = Command::new("infra/dev/console.sh");
        command.args(["--open", view, address]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("infra/dev/console.sh: {error}"))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("the browser has no output")?).read_line(&mut line)?;
        let viewer = Self(child);
        if line.trim() == "open" { Ok(viewer) } else { Err("the console was not shown".into()) }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Processor time by the names of processes, in microseconds. Those of one name count together.
#[derive(Clone, Default)]
pub(crate) struct Usage(pub(crate) BTreeMap<String, f64>);

impl Staged {
    /// Starts the program `local` of that folder with the functions beside it, on a port that is free.
    pub(crate) fn start(bin_dir: &Path) -> Result<Self, Failure> {
        let program = bin_dir.join("local");
        let begun = Instant::now();
        let mut command = Command::new(&program);
        command.arg("--root").arg(settings::root(Path::new("."), bin_dir)?);
        command.args(["--port", "0", "--stage", "local"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("the stage has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let took = begun.elapsed();
        let url = line.split_whitespace().find_map(|word| word.strip_prefix("http://"));
        let address = url.ok_or_else(|| format!("the stage does not say where it is: {line}"))?.to_owned();
        Ok(Self { child, address, took })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Processor time of the stage and of all processes that it has started and that still run.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let mut usage = BTreeMap::new();
        for process in self.processes()? {
            let name = name(&process)?;
            for thread in fs::read_dir(process.join("task"))? {
                // It may have ended since the folder was read.
                let thread = thread?.path();
                let Ok(spent) = fs::read_to_string(thread.join("schedstat")) else { continue };
                let name = match self::name(&thread) {
                    Ok(thread) if thread == DYNAMODB => thread,
                    _ => name.clone(),
                };
                *usage.entry(name).or_default() += spent_us(&spent)?;
            }
        }
        Ok(Usage(usage))
    }

    /// Names and resident memory of the same processes, in MiB.
    pub(crate) fn memory(&self) -> io::Result<BTreeMap<String, Vec<f64>>> {
        let mut memory = BTreeMap::<_, Vec<_>>::new();
        for process in self.processes()? {
            let status = fs::read_to_string(process.join("status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kib: Option<f64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            memory.entry(name(&process)?).or_default().push(kib.unwrap_or_default() / 1024.0);
        }
        Ok(memory)
    }

    /// Folders of the stage and its children in `/proc`.
    fn processes(&self) -> io::Result<Vec<PathBuf>> {
        let own = self.child.id();
        let mut processes = vec![PathBuf::from(format!("/proc/{own}"))];
        for entry in fs::read_dir("/proc")? {
            let folder = entry?.path();
            let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
            // Behind the name, which may have anything in it, come the state and the parent.
            let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
            if parent.is_some_and(|parent| parent.parse() == Ok(own)) {
                processes.push(folder);
            }
        }
        Ok(processes)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // An error means that it has already ended. What it has started ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Usage {
    /// What was used since then.
    pub(crate) fn since(mut self, before: &Self) -> Self {
        for (name, spent) in &mut self.0 {
            *spent -= before.0.get(name).copied().unwrap_or_default();
        }
        self
    }
}

/// Microseconds that a `schedstat` tells as spent on a processor.
#[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
pub(crate) fn spent_us(schedstat: &str) -> io::Result<f64> {
    let nanos: u64 = schedstat.split(' ').next().unwrap_or_default().parse().map_err(io::Error::other)?;
    Ok(nanos as f64 / 1000.0)
}

/// The name of a process or a thread, cut by the kernel after 15 characters.
fn name(folder: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(folder.join("comm"))?.trim_end().to_owned())
}
