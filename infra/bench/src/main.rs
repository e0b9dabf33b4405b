//! `make bench`: every function of the bundle beside a function that says hello, on this machine and in the same run.
//!
//! A program is started and fed by a Lambda Runtime API of this crate's own (`sandbox`), with real requests (`requests`)
//! on a real Redis and the embedded DynamoDB of a local stage (`service`). Function and floor take turns, start by start
//! and block by block, and ratios are medians of those pairs (`figures`): the machine may be shared.

mod figures;
mod invoked;
mod requests;
mod sandbox;
mod service;
mod table;
mod wire;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs};

use crate::figures::{Measured, Row, Samples};
use crate::sandbox::{Environment, Sandbox};
use crate::service::Service;

type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "usage: bench --bin-dir DIR [--base DIR] [--runs N] [--warm N] [FUNCTION...]";

/// The function that everything is measured against.
const FLOOR: &str = "hello";

/// Warm requests that one program serves before another takes its turn.
const BLOCK: u16 = 50;

/// Requests after a start that count as neither cold nor warm.
const SETTLING: usize = 20;

struct Options {
    /// Where the local stage's own functions are. They make the state that requests need.
    stage_dir: PathBuf,
    /// What is measured: functions as they are shipped, the floor among them.
    bin_dir: PathBuf,
    /// The same of another commit, to be measured in turn with them.
    base: Option<PathBuf>,
    /// Cold starts of each program.
    runs: usize,
    /// Blocks of warm requests.
    blocks: usize,
    /// By default all.
    functions: Vec<String>,
}

/// A program that takes turns with others.
struct Program {
    name: String,
    file: PathBuf,
    environment: Environment,
    /// What it will be asked, one for each request.
    events: Vec<Vec<u8>>,
    measured: Measured,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody to tell if that fails.
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let mut options = options()?;
    let root = env::current_dir()?;
    let mut service = Service::start(&root, &options.stage_dir)?;
    if options.functions.is_empty() {
        options.functions = service.functions()?;
    }
    let mut rows = Vec::new();
    let mut floor = Measured::default();
    for function in &options.functions {
        writeln!(io::stderr(), "{function}")?;
        let measured = measure(&mut service, function, &options)?;
        floor.join(&measured[0].measured);
        rows.extend(measured[1..].iter().map(|one| one.measured.row(&one.name, &measured[0].measured)));
    }
    service.stop();
    rows.insert(0, floor.row(FLOOR, &floor));
    io::stdout().write_all(table::text(&rows).as_bytes())?;
    write_json(&root.join("logs"), &rows)
}

/// The floor, the function, and the function of the base if there is one, measured in turn.
fn measure(service: &mut Service, function: &str, options: &Options) -> Result<Vec<Program>, Failure> {
    let count = options.runs + SETTLING + options.blocks * usize::from(BLOCK);
    let mut files = vec![(function.to_owned(), options.bin_dir.join(function))];
    files.extend(options.base.as_ref().map(|base| (format!("{function}, base"), base.join(function))));
    let mut events = requests::prepare(service, function, files.len() * count, &options.stage_dir)?;
    let greeting = requests::request(service, "GET", "/nowhere", &[], "");
    let mut programs = vec![Program {
        name: FLOOR.to_owned(),
        file: options.bin_dir.join(FLOOR),
        environment: service.environment("fallback")?,
        events: vec![greeting; count],
        measured: Measured::default(),
    }];
    for (name, file) in files {
        let events = events.split_off(events.len() - count);
        let environment = service.environment(function)?;
        programs.push(Program { name, file, environment, events, measured: Measured::default() });
    }
    for _ in 0..options.runs {
        for program in &mut programs {
            start_cold(program, function)?;
        }
    }
    let mut warm = Vec::new();
    for program in &mut programs {
        let mut sandbox = Sandbox::start(&program.file, &program.environment)?;
        serve(&mut sandbox, program, function, SETTLING)?;
        warm.push(sandbox);
    }
    for _ in 0..options.blocks {
        for (program, sandbox) in programs.iter_mut().zip(&mut warm) {
            let before = sandbox.cpu_us()?;
            let block = serve(sandbox, program, function, usize::from(BLOCK))?;
            let cpu = sandbox.cpu_us()? - before;
            program.measured.block_us.push(block.median());
            program.measured.warm_us.extend(&block);
            program.measured.warm_cpu_us.push(cpu / f64::from(BLOCK));
        }
    }
    for (program, sandbox) in programs.iter_mut().zip(&warm) {
        program.measured.peak_mib.push(sandbox.peak_mib()?);
        (program.measured.binary_mb, program.measured.zipped_mb) = sizes(&program.file)?;
    }
    Ok(programs)
}

fn start_cold(program: &mut Program, function: &str) -> Result<(), Failure> {
    let event = program.events.pop().ok_or("too few events")?;
    let mut sandbox = Sandbox::start(&program.file, &program.environment)?;
    let init = sandbox.ready()?;
    let at_init = sandbox.cpu_us()?;
    let served = sandbox.serve(event)?;
    let at_first = sandbox.cpu_us()?;
    if program.name != FLOOR {
        requests::check(function, &served.answer)?;
    }
    let measured = &mut program.measured;
    measured.init_ms.push(micros(init) / 1000.0);
    // Without the time in which this program looked at the clock of the other.
    measured.first_response_ms.push(micros(init + served.took) / 1000.0);
    measured.init_cpu_ms.push(at_init / 1000.0);
    measured.first_ms.push(micros(served.took) / 1000.0);
    measured.first_cpu_us.push(at_first - at_init);
    Ok(())
}

/// Serves that many requests: how long each took, in microseconds.
fn serve(sandbox: &mut Sandbox, program: &mut Program, function: &str, count: usize) -> Result<Samples, Failure> {
    let mut samples = Samples::default();
    for _ in 0..count {
        let served = sandbox.serve(program.events.pop().ok_or("too few events")?)?;
        if program.name != FLOOR {
            requests::check(function, &served.answer)?;
        }
        samples.push(micros(served.took));
    }
    Ok(samples)
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// The size of a program and of what is deployed, in millions of bytes. A zip deflates as gzip does.
#[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
fn sizes(file: &Path) -> Result<(f64, f64), Failure> {
    let zipped = Command::new("gzip").args(["-9", "-c"]).arg(file).output()?;
    Ok((fs::metadata(file)?.len() as f64 / 1e6, zipped.stdout.len() as f64 / 1e6))
}

fn write_json(folder: &Path, rows: &[Row]) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    let file = folder.join("bench.json");
    fs::write(&file, serde_json::to_vec_pretty(rows)?)?;
    writeln!(io::stderr(), "The same as JSON: {}", file.display())?;
    Ok(())
}

fn options() -> Result<Options, Failure> {
    let mut arguments = env::args().skip(1);
    let (mut bin_dir, mut base, mut runs, mut warm, mut functions) = (None, None, 21, 400_usize, Vec::new());
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value; {USAGE}"));
        match argument.as_str() {
            "--bin-dir" => bin_dir = Some(PathBuf::from(value()?)),
            "--base" => base = Some(PathBuf::from(value()?)),
            "--runs" => runs = value()?.parse()?,
            "--warm" => warm = value()?.parse()?,
            name if name.starts_with('-') => return Err(format!("unknown argument {name}; {USAGE}").into()),
            name => functions.push(name.to_owned()),
        }
    }
    let bin_dir = bin_dir.ok_or(USAGE)?;
    // Cargo puts the stage's functions beside this program.
    let stage_dir = env::current_exe()?.parent().map(PathBuf::from).ok_or("this program lies in no folder")?;
    Ok(Options { stage_dir, bin_dir, base, runs, blocks: warm.div_ceil(usize::from(BLOCK)).max(1), functions })
}
