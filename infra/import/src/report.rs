//! What an operator reads: the report with each line that is not imported, beside the file, and sentences on the terminal.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::Failure;
use crate::check::Counts;
use crate::write::Written;

/// Lines that the terminal shows; the report has all.
const SHOWN: u64 = 10;

/// How often the terminal shows the progress, and how often a log of it does.
const PROGRESS: Duration = Duration::from_millis(500);
const LOGGED_PROGRESS: Duration = Duration::from_secs(10);

/// The report of one run.
pub(crate) struct Report {
    file: PathBuf,
    path: PathBuf,
    out: BufWriter<File>,
    problems: u64,
    started: Option<Instant>,
    shown: Option<Instant>,
}

impl Report {
    /// `<file>.report`, with a line for each problem: number of the line, id, problem. It replaces that of an earlier run.
    ///
    /// # Errors
    /// When it cannot be written there.
    pub(crate) fn create(file: &Path) -> Result<Self, Failure> {
        if !file.is_file() {
            return Err(format!("there is no file {}", file.display()).into());
        }
        let mut path = file.as_os_str().to_owned();
        path.push(".report");
        let path = PathBuf::from(path);
        let out = File::create(&path).map_err(|cause| format!("{}: {cause}", path.display()))?;
        let mut out = BufWriter::new(out);
        writeln!(out, "line,id,problem")?;
        Ok(Self { file: file.to_owned(), path, out, problems: 0, started: None, shown: None })
    }

    /// A line that is not imported.
    ///
    /// # Errors
    /// When the report cannot be written.
    pub(crate) fn problem(&mut self, line: u64, id: &str, problem: &str) -> io::Result<()> {
        self.problems += 1;
        writeln!(self.out, "{line},{id},\"{problem}\"")?;
        if self.problems <= SHOWN {
            let id = if id.is_empty() { String::new() } else { format!(" (id {id})") };
            say(&format!("  line {line}{id}: {problem}"));
        }
        Ok(())
    }

    /// What the file has.
    ///
    /// # Errors
    /// As [`Self::problem`].
    pub(crate) fn summarize(&mut self, counts: &Counts) -> io::Result<()> {
        self.out.flush()?;
        if self.problems > SHOWN {
            say(&format!("  and {} more", self.problems - SHOWN));
        }
        let Counts { good, deleted, bad, doubled } = counts;
        let rows = good + deleted + bad + doubled;
        say(&format!("{rows} rows: {good} good, {bad} bad, {doubled} doubled, {deleted} of deleted users"));
        if self.problems > 0 {
            say(&format!("Bad and doubled rows are not imported; each is named in {}", self.path.display()));
        }
        Ok(())
    }

    /// What to type next.
    ///
    /// # Errors
    /// When no row can be imported.
    pub(crate) fn invite(&self, stage: &str, counts: &Counts) -> Result<(), Failure> {
        if counts.good == 0 {
            return Err("no row can be imported".into());
        }
        let file = self.file.display();
        say(&format!(
            "Nothing was written. To import the good rows type: make import STAGE={stage} FILE={file} WRITE=1"
        ));
        Ok(())
    }

    /// Shows how far it is, now and then.
    pub(crate) fn progress(&mut self, done: u64, all: u64) {
        let now = Instant::now();
        let started = *self.started.get_or_insert(now);
        let is_terminal = io::stderr().is_terminal();
        let pause = if is_terminal { PROGRESS } else { LOGGED_PROGRESS };
        if self.shown.is_some_and(|shown| now < shown + pause) {
            return;
        }
        self.shown = Some(now);
        let millis = now.duration_since(started).as_millis().max(1);
        let per_sec = u128::from(done) * 1000 / millis;
        let left = u128::from(all.saturating_sub(done)).checked_div(per_sec).unwrap_or_default();
        let (end, begin) = if is_terminal { ("", "\r\x1b[K") } else { ("\n", "") };
        let text = format!("{begin}{done} of {all}, {per_sec} a second, {left} s left{end}");
        let _ = write!(io::stderr(), "{text}").and_then(|()| io::stderr().flush());
    }

    /// What was done.
    ///
    /// # Errors
    /// As [`Self::problem`].
    pub(crate) fn conclude(&mut self, written: &Written) -> Result<(), Failure> {
        self.out.flush()?;
        if io::stderr().is_terminal() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
        let Written { imported, write_units, there, taken } = written;
        say(&format!("{imported} imported, {there} were imported before, {taken} have a phone of another user"));
        say(&format!(
            "{write_units:.0} write units in {} s",
            self.started.map_or(0, |started| started.elapsed().as_secs())
        ));
        if *taken > 0 {
            say(&format!("Those are named in {}", self.path.display()));
        }
        Ok(())
    }
}

fn say(text: &str) {
    // There is nowhere to report a failure.
    let _ = writeln!(io::stderr(), "{text}");
}
