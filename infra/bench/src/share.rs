//! A part of a core for one process, as Lambda gives it with the memory: a 128 MB function has a fourteenth.
//!
//! Where this process may make a control group it does, of either version; else the process is stopped and continued in turn,
//! which is coarser.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Lambda's period too, as functions see it in `/sys/fs/cgroup/cpu`.
const PERIOD_US: u32 = 20_000;

/// A process held back; it is let go when this is dropped.
pub(crate) struct Held {
    process: u32,
    by: By,
}

enum By {
    Group(PathBuf),
    Signals(Child),
}

impl Held {
    /// Gives the process one part in `share` of a core from now on.
    pub(crate) fn back(process: u32, share: u32) -> io::Result<Self> {
        let quota_us = PERIOD_US / share.max(1);
        let group = version_2(process, quota_us).or_else(|_| version_1(process, quota_us));
        let by = match group {
            Ok(folder) => By::Group(folder),
            Err(_) => By::Signals(duty_cycle(process, quota_us)?),
        };
        Ok(Self { process, by })
    }

    /// How, for people.
    pub(crate) fn how(&self) -> String {
        match &self.by {
            By::Group(folder) => {
                let above = folder.parent().unwrap_or(folder);
                format!("a control group in {}", above.display())
            }
            By::Signals(_) => "SIGSTOP and SIGCONT in turn".to_owned(),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        match &mut self.by {
            By::Group(folder) => {
                // A group can be removed when nobody is in it: its process goes back to the group above.
                let above = folder.parent().unwrap_or(Path::new("/"));
                let _ = fs::write(above.join("cgroup.procs"), self.process.to_string());
                let _ = fs::remove_dir(folder);
            }
            By::Signals(cycle) => {
                let _ = cycle.kill();
                let _ = cycle.wait();
                let _ = Command::new("kill").args(["-CONT", &self.process.to_string()]).status();
            }
        }
    }
}

/// Source: the kernel's "Control Group v2", "CPU Interface Files".
fn version_2(process: u32, quota_us: u32) -> io::Result<PathBuf> {
    let folder = mounted(|kind, _| kind == "cgroup2")?.join(format!("bench-{process}"));
    make(&folder, process, &[("cpu.max", format!("{quota_us} {PERIOD_US}"))])
}

/// Source: the kernel's "CFS Bandwidth Control".
fn version_1(process: u32, quota_us: u32) -> io::Result<PathBuf> {
    let is_cpu = |kind: &str, options: &str| kind == "cgroup" && options.split(',').any(|option| option == "cpu");
    let folder = mounted(is_cpu)?.join(format!("bench-{process}"));
    let settings = [("cpu.cfs_period_us", PERIOD_US.to_string()), ("cpu.cfs_quota_us", quota_us.to_string())];
    make(&folder, process, &settings)
}

fn make(folder: &Path, process: u32, settings: &[(&str, String)]) -> io::Result<PathBuf> {
    fs::create_dir(folder)?;
    let set = || {
        // A file that is not there must not be made: the controller is missing then.
        let write = |name: &str, value: &str| {
            use std::io::Write;
            fs::OpenOptions::new().write(true).open(folder.join(name))?.write_all(value.as_bytes())
        };
        settings.iter().try_for_each(|(name, value)| write(name, value))?;
        write("cgroup.procs", &process.to_string())
    };
    set().inspect_err(|_| drop(fs::remove_dir(folder)))?;
    Ok(folder.to_owned())
}

/// Where a file system is mounted whose kind and options are such.
fn mounted(is_wanted: impl Fn(&str, &str) -> bool) -> io::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let found = mounts.find(|mount| matches!(mount[..], [_, _, kind, options, ..] if is_wanted(kind, options)));
    found.map(|mount| PathBuf::from(mount[1])).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn duty_cycle(process: u32, quota_us: u32) -> io::Result<Child> {
    let seconds = |micros: u32| f64::from(micros) / 1e6;
    let (on, off) = (seconds(quota_us), seconds(PERIOD_US - quota_us));
    // It ends with the process.
    let cycle = format!("while kill -STOP {process}; do sleep {off}; kill -CONT {process}; sleep {on}; done");
    Command::new("sh").args(["-c", &cycle]).stdin(Stdio::null()).stderr(Stdio::null()).spawn()
}
