//! `bench stage`: the whole local stage under load, as `make run` brings it up: what it answers in a second, how long a
//! client waits, and which process spends the processor's time.
//!
//! Stage and load share the machine, as the service that this bundle replaces did when it was measured. With a base,
//! the stages of two commits take turns, block by block, and are compared pair by pair. With a view of the console, a
//! browser shows it of the one stage, and the other is the same without.

mod client;
mod process;
mod report;
mod state;

use std::io::{self, Write};
use std::path::PathBuf;
use std::{env, fs};

use crate::Failure;
use crate::figures::Samples;
use crate::load::client::Client;
use crate::load::process::{Staged, Usage, Viewer};
use crate::load::report::{Cell, Memory, Report};
use crate::load::state::Kind;

const USAGE: &str =
    "usage: bench stage --bin-dir DIR [--base DIR] [--console VIEW] [--requests N] [--rounds N] [--starts N] [KIND...]";

/// Clients that wait for an answer at the same time.
const LEVELS: [usize; 3] = [4, 8, 16];

/// Requests of each client before a block that are not measured: they find the sandboxes started.
const SETTLING: usize = 20;

struct Options {
    /// Where the stage and its functions are.
    bin_dir: PathBuf,
    /// The same of another commit.
    base: Option<PathBuf>,
    /// The view of the console that a browser has open at the first stage. The base is without.
    console: Option<String>,
    /// Of one block.
    requests: usize,
    /// Blocks of each kind and level.
    rounds: usize,
    /// Starts of a stage.
    starts: usize,
    kinds: Vec<Kind>,
}

/// One of the stages that take turns.
struct Turn {
    stage: Staged,
    /// Prepared, the next one last.
    requests: Vec<client::Request>,
    /// By level.
    cells: Vec<Cell>,
}

/// Measures what the arguments after `stage` ask for, and prints one table.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let options = options(arguments)?;
    let root = env::current_dir()?;
    let same = options.console.as_ref().map(|_| &options.bin_dir);
    let folders: Vec<_> = [Some(&options.bin_dir), options.base.as_ref().or(same)].into_iter().flatten().collect();
    let mut start_ms = vec![Samples::default(); folders.len()];
    for _ in 0..options.starts {
        for (folder, samples) in folders.iter().zip(&mut start_ms) {
            samples.push(Staged::start(folder)?.took.as_secs_f64() * 1e3);
        }
    }
    let mut turns = Vec::new();
    for folder in &folders {
        turns.push(Turn { stage: Staged::start(folder)?, requests: Vec::new(), cells: Vec::new() });
    }
    let viewer = options.console.as_ref().map(|view| Viewer::open(view, turns[0].stage.address())).transpose()?;
    let mut reports: Vec<_> = start_ms.iter().map(|samples| Report::new(samples.median())).collect();
    for kind in options.kinds.iter().copied() {
        writeln!(io::stderr(), "{}", kind.name())?;
        measure(kind, &mut turns, &options)?;
        for (turn, report) in turns.iter_mut().zip(&mut reports) {
            report.cells.append(&mut turn.cells);
        }
    }
    drop(viewer);
    for (turn, report) in turns.iter().zip(&mut reports) {
        report.memory = turn.stage.memory()?.into_iter().map(Memory::from).collect();
    }
    let text = report::text(&reports[0], reports.get(1));
    io::stdout().write_all(text.as_bytes())?;
    let folder = root.join("logs");
    fs::create_dir_all(&folder)?;
    let file = folder.join("bench_stage.json");
    fs::write(&file, serde_json::to_vec_pretty(&reports)?)?;
    writeln!(io::stderr(), "The same as JSON: {}", file.display())?;
    Ok(())
}

/// All blocks of one kind of request, for all stages in turn.
fn measure(kind: Kind, turns: &mut [Turn], options: &Options) -> Result<(), Failure> {
    let settling: usize = LEVELS.iter().map(|level| level * SETTLING).sum();
    let count = options.rounds * (LEVELS.len() * options.requests + settling);
    for turn in &mut *turns {
        turn.requests = state::prepare(&turn.stage, kind, count)?;
        turn.cells = LEVELS.iter().map(|&level| Cell::new(kind, level)).collect();
    }
    for _ in 0..options.rounds {
        for (index, level) in LEVELS.iter().copied().enumerate() {
            for turn in &mut *turns {
                block(turn, kind, level, index, options.requests)?;
            }
        }
    }
    Ok(())
}

fn block(turn: &mut Turn, kind: Kind, level: usize, index: usize, count: usize) -> Result<(), Failure> {
    let mut clients = Client::several(turn.stage.address(), level)?;
    client::drive(&mut clients, &take(&mut turn.requests, level * SETTLING)?, kind.answer())?;
    state::settle(&turn.stage, kind)?;
    let requests = take(&mut turn.requests, count)?;
    let before = turn.stage.usage()?;
    let driven = client::drive(&mut clients, &requests, kind.answer())?;
    state::settle(&turn.stage, kind)?;
    let used: Usage = turn.stage.usage()?.since(&before);
    turn.cells[index].add(count, &driven, &used);
    Ok(())
}

fn take(requests: &mut Vec<client::Request>, count: usize) -> Result<Vec<client::Request>, Failure> {
    let rest = requests.len().checked_sub(count).ok_or("too few requests")?;
    Ok(requests.split_off(rest))
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let (mut bin_dir, mut base, mut console, mut kinds) = (None, None, None, Vec::new());
    let (mut requests, mut rounds, mut starts) = (1_000, 3, 11);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value; {USAGE}"));
        match argument.as_str() {
            "--bin-dir" => bin_dir = Some(PathBuf::from(value()?)),
            "--base" => base = Some(PathBuf::from(value()?)),
            "--console" => console = Some(value()?),
            "--requests" => requests = value()?.parse()?,
            "--rounds" => rounds = value()?.parse()?,
            "--starts" => starts = value()?.parse()?,
            _ => kinds.push(Kind::named(&argument).ok_or_else(|| format!("unknown: {argument}; {USAGE}"))?),
        }
    }
    if kinds.is_empty() {
        kinds = Kind::ALL.to_vec();
    }
    if requests == 0 || rounds == 0 {
        return Err("at least one round of one request".into());
    }
    Ok(Options { bin_dir: bin_dir.ok_or(USAGE)?, base, console, requests, rounds, starts, kinds })
}
