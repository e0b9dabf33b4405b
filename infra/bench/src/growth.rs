//! `make bench-growth`: whether a request costs the same however much is stored, and a sandbox however much it has served.
//!
//! There is a stage for each size, with so many users in its store and as many keys in its cache. Their sandboxes take turns,
//! block by block, and are compared with that of the smallest size. What fills a store is a user that registered there,
//! with other phones and times, so that it is what the service itself would have written.

mod endurance;
mod fill;

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use crate::Failure;
use crate::call_record::{self, CallRecord};
use crate::cores;
use crate::figures::{Figure, Samples};
use crate::options::{BLOCK, Tls};
use crate::report;
use crate::requests;
use crate::sandbox::{Output, Sandbox};
use crate::service::Service;
use crate::table::{self, Column};

const USAGE: &str = "usage: bench growth --bin-dir DIR [--sizes \"100 10000\"] [--warm N] [--requests N] [FUNCTION...]";

/// Requests after a start that do not count.
const SETTLING: usize = 20;

/// A function at one size.
#[derive(Serialize)]
struct Row {
    function: String,
    size: usize,
    p50_us: Figure,
    cpu_us: Figure,
    record: CallRecord,
}

/// What `logs/growth.json` has.
#[derive(Serialize)]
struct Report {
    date: String,
    warm: usize,
    rows: Vec<Row>,
    endurance: Option<endurance::Endurance>,
}

struct Options {
    bin_dir: PathBuf,
    sizes: Vec<usize>,
    blocks: usize,
    /// That one sandbox serves; 0 leaves that out.
    requests: usize,
    functions: Vec<String>,
}

pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let options = options(arguments)?;
    cores::leave_one()?;
    let root = env::current_dir()?;
    // Cargo puts the stage's functions beside this program.
    let stage_dir = env::current_exe()?.parent().map(PathBuf::from).ok_or("this program lies in no folder")?;
    let mut stages = Vec::new();
    for &size in &options.sizes {
        let mut service = Service::start(&root, &stage_dir, Tls::Nothing)?;
        let begin = Instant::now();
        fill::users(&mut service, size)?;
        let users = begin.elapsed().as_secs_f64();
        fill::keys(&service.cache_url(), size)?;
        let keys = begin.elapsed().as_secs_f64() - users;
        writeln!(io::stderr(), "{size} users in {users:.1} s, as many keys in {keys:.1} s")?;
        stages.push((size, service));
    }
    let mut rows = Vec::new();
    for function in &options.functions {
        writeln!(io::stderr(), "{function}")?;
        rows.extend(measure(&mut stages, function, &options, &stage_dir)?);
    }
    let mut out = io::stdout();
    writeln!(out, "{}× a warm request with the smallest number stored", table::markdown(&COLUMNS, &rows))?;
    let endurance = match stages.first_mut() {
        Some((_, service)) if options.requests > 0 => {
            Some(endurance::run(service, &options.bin_dir, &stage_dir, options.requests)?)
        }
        _ => None,
    };
    if let Some(endurance) = &endurance {
        writeln!(out, "{}", endurance.text())?;
    }
    for (_, service) in stages {
        service.stop();
    }
    let warm = options.blocks * usize::from(BLOCK);
    report::write_json(&root.join("logs/growth.json"), &Report { date: report::date(), warm, rows, endurance })
}

/// A function at one size, while it takes turns.
struct Turn {
    size: usize,
    sandbox: Sandbox,
    events: Vec<Vec<u8>>,
    record: CallRecord,
    /// The median of each block.
    block_us: Samples,
    /// Of a request, by block.
    cpu_us: Samples,
}

/// One function at every size, in turn.
fn measure(
    stages: &mut [(usize, Service)],
    function: &str,
    options: &Options,
    stage_dir: &Path,
) -> Result<Vec<Row>, Failure> {
    let count = SETTLING + options.blocks * usize::from(BLOCK);
    let mut turns = Vec::new();
    for (size, service) in stages {
        let mut events = requests::more(service, function, count, stage_dir)?;
        let environment = service.environment(function)?;
        let program = options.bin_dir.join(function);
        let mut sandbox = Sandbox::start_under(&[], &program, &environment, Output::Lines)?;
        let mut record = CallRecord::default();
        for event in events.drain(..SETTLING) {
            record = call_record::serve(&mut sandbox, function, event)?;
        }
        let (block_us, cpu_us) = (Samples::default(), Samples::default());
        turns.push(Turn { size: *size, sandbox, events, record, block_us, cpu_us });
    }
    for _ in 0..options.blocks {
        for turn in &mut turns {
            turn.block(function)?;
        }
    }
    let Some(smallest) = turns.first() else { return Ok(Vec::new()) };
    let row = |turn: &Turn| Row {
        function: function.to_owned(),
        size: turn.size,
        p50_us: Figure { value: turn.block_us.median(), ratio: turn.block_us.ratio_to(&smallest.block_us) },
        cpu_us: Figure { value: turn.cpu_us.median(), ratio: turn.cpu_us.ratio_to(&smallest.cpu_us) },
        record: turn.record,
    };
    Ok(turns.iter().map(row).collect())
}

impl Turn {
    fn block(&mut self, function: &str) -> Result<(), Failure> {
        let mut block = Samples::default();
        let before = self.sandbox.cpu_us()?;
        for event in self.events.drain(..usize::from(BLOCK)) {
            let served = self.sandbox.serve(event)?;
            requests::check(function, &served.answer)?;
            block.push(served.took.as_secs_f64() * 1e6);
        }
        self.cpu_us.push((self.sandbox.cpu_us()? - before) / f64::from(BLOCK));
        self.block_us.push(block.median());
        self.sandbox.drain();
        Ok(())
    }
}

const COLUMNS: [Column<Row>; 8] = [
    ("function", |row| row.function.clone()),
    ("stored", |row| row.size.to_string()),
    ("warm p50 µs", |row| times(row.p50_us)),
    ("CPU µs", |row| times(row.cpu_us)),
    ("steps", |row| row.record.spent.steps.to_string()),
    ("units read", |row| row.record.spent.read_units.to_string()),
    ("written", |row| row.record.spent.write_units.to_string()),
    ("answer bytes", |row| row.record.answer_bytes.to_string()),
];

fn times(Figure { value, ratio }: Figure) -> String {
    format!("{value:.0} {ratio:.2}×")
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let (mut bin_dir, mut sizes, mut warm, mut requests) = (None, "100 10000 1000000".to_owned(), 400_usize, 0);
    let mut functions = Vec::new();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value; {USAGE}"));
        match argument.as_str() {
            "--bin-dir" => bin_dir = Some(PathBuf::from(value()?)),
            "--sizes" => sizes = value()?,
            "--warm" => warm = value()?.parse()?,
            "--requests" => requests = value()?.parse()?,
            name if name.starts_with('-') => return Err(format!("unknown argument {name}; {USAGE}").into()),
            name => functions.push(name.to_owned()),
        }
    }
    let sizes: Result<Vec<usize>, _> = sizes.split_whitespace().map(str::parse).collect();
    let blocks = warm.div_ceil(usize::from(BLOCK)).max(1);
    Ok(Options { bin_dir: bin_dir.ok_or(USAGE)?, sizes: sizes?, blocks, requests, functions })
}
