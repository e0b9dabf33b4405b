//! The turns: the floor, a function, and the function of another commit if there is one, start by start and block by block.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::call_record::{self, CallRecord};
use crate::cores;
use crate::figures::{Measured, Samples};
use crate::guard;
use crate::instructions;
use crate::options::{BLOCK, Options, Tls};
use crate::raw::{self, Raw};
use crate::record::Recorder;
use crate::requests;
use crate::sandbox::{Environment, Output, Sandbox};
use crate::service::Service;
use crate::share::Held;
use crate::{FLOOR, Failure};

/// Requests after a start that count as neither cold nor warm.
const SETTLING: usize = 20;

/// Warm requests that come after a pause, as the first one does and as on Lambda nearly all do: what they find in the
/// processor's caches is not what a block of them leaves there.
const PACED: usize = 40;
const PAUSE: Duration = Duration::from_millis(5);

/// Requests whose round trips are recorded, and those before them, after which nothing is done for the first time.
const RECORDED: usize = 5;
const BEFORE_RECORDED: usize = 2;

/// Raw round trips are replayed this often between two blocks.
const REPLAYS: usize = 25;

/// A program that takes turns with others.
pub(crate) struct Program {
    pub(crate) name: String,
    file: PathBuf,
    environment: Environment,
    /// What it will be asked, one for each request.
    events: Vec<Vec<u8>>,
    pub(crate) measured: Measured,
}

/// What was measured of a function, the floor first.
pub(crate) struct Turns {
    pub(crate) programs: Vec<Program>,
    pub(crate) raw: Raw,
    pub(crate) record: CallRecord,
    pub(crate) is_endpoint: bool,
    /// How the processor was shared out, if it was.
    pub(crate) held: Option<String>,
}

/// Measures the floor, the function, and the function of the base if there is one, in turn.
pub(crate) fn measure(
    service: &mut Service,
    function: &str,
    options: &Options,
    counts: bool,
) -> Result<Turns, Failure> {
    let warm = SETTLING + options.blocks * usize::from(BLOCK) + PACED;
    let count = options.runs + warm + if counts { instructions::EVENTS } else { 0 };
    let mut files = vec![(function.to_owned(), options.bin_dir.join(function))];
    files.extend(options.base.as_ref().map(|base| (format!("{function}, base"), base.join(function))));
    let recorded = BEFORE_RECORDED + RECORDED;
    let mut events = requests::prepare(service, function, files.len() * count + recorded, &options.stage_dir)?;
    let greeting = requests::request(service, "GET", "/nowhere", &[], "");
    let mut programs = vec![Program {
        name: FLOOR.to_owned(),
        file: options.bin_dir.join(FLOOR),
        environment: service.environment("fallback")?,
        events: vec![greeting; count],
        measured: Measured::default(),
    }];
    let to_record = events.split_off(events.len() - recorded);
    let (mut raw, call) = record(service, function, &files[0].1, to_record)?;
    for (name, file) in files {
        let events = events.split_off(events.len() - count);
        let environment = service.environment_over_tls(function)?;
        programs.push(Program { name, file, environment, events, measured: Measured::default() });
    }
    for _ in 0..options.runs {
        for program in &mut programs {
            program.start_cold(function, options.share)?;
        }
    }
    let mut sandboxes = Vec::new();
    for program in &mut programs {
        let mut sandbox = Sandbox::start(&program.file, &program.environment)?;
        sandbox.ready()?;
        let held = options.share.map(|share| Held::back(sandbox.process(), share)).transpose()?;
        program.serve(&mut sandbox, function, SETTLING)?;
        sandboxes.push((sandbox, held));
    }
    let cache = service.cache_url();
    for _ in 0..options.blocks {
        for (program, (sandbox, _)) in programs.iter_mut().zip(&mut sandboxes) {
            let before = sandbox.cpu_us()?;
            let block = program.serve(sandbox, function, usize::from(BLOCK))?;
            let cpu = sandbox.cpu_us()? - before;
            program.measured.block_us.push(block.median());
            program.measured.warm_us.extend(&block);
            program.measured.warm_cpu_us.push(cpu / f64::from(BLOCK));
        }
        // The store takes calls of a client that does not trust it, so what is raw is without TLS.
        cores::on_theirs(|| raw.block(&cache, REPLAYS))??;
    }
    for _ in 0..PACED {
        for (program, (sandbox, _)) in programs.iter_mut().zip(&mut sandboxes) {
            thread::sleep(PAUSE);
            let before = sandbox.cpu_us()?;
            program.serve(sandbox, function, 1)?;
            program.measured.paced_cpu_us.push(sandbox.cpu_us()? - before);
        }
    }
    let held = sandboxes.iter().find_map(|(_, held)| held.as_ref().map(Held::how));
    for (program, (sandbox, _)) in programs.iter_mut().zip(&sandboxes) {
        program.measured.peak_mib.push(sandbox.peak_mib()?);
        (program.measured.binary_mb, program.measured.zipped_mb) = sizes(&program.file)?;
    }
    drop(sandboxes);
    if counts {
        for program in &mut programs {
            program.count(function)?;
        }
    }
    if options.tls != Tls::Nothing {
        raw.forget();
    }
    Ok(Turns { programs, raw, record: call, is_endpoint: service.is_endpoint(function)?, held })
}

/// Listens to what a function says to its backends, and to its log, while it serves some requests.
fn record(
    service: &mut Service,
    function: &str,
    program: &Path,
    mut events: Vec<Vec<u8>>,
) -> Result<(Raw, CallRecord), Failure> {
    let recorder = Recorder::before(&service.environment(function)?)?;
    let mut sandbox = Sandbox::start_under(&[], program, recorder.environment(), Output::Lines)?;
    let (mut raw, mut call) = (Raw::default(), CallRecord::default());
    let mut serve = || -> Result<(), Failure> {
        call = call_record::serve(&mut sandbox, function, events.pop().ok_or("too few events")?)?;
        Ok(())
    };
    (0..BEFORE_RECORDED).try_for_each(|_| serve())?;
    raw::keep(&service.cache_url())?;
    for _ in 0..RECORDED {
        raw.record(&recorder, &mut serve)?;
    }
    Ok((raw, call))
}

impl Program {
    fn start_cold(&mut self, function: &str, share: Option<u32>) -> Result<(), Failure> {
        let event = self.next()?;
        let mut sandbox = Sandbox::start(&self.file, &self.environment)?;
        let init = sandbox.ready()?;
        let at_init = sandbox.cpu_us()?;
        let held = share.map(|share| Held::back(sandbox.process(), share)).transpose()?;
        let served = sandbox.serve(event)?;
        let at_first = sandbox.cpu_us()?;
        drop(held);
        if self.name != FLOOR {
            requests::check(function, &served.answer)?;
        }
        let measured = &mut self.measured;
        measured.init_ms.push(micros(init) / 1000.0);
        // Without the time in which this program looked at the clock of the other.
        measured.first_response_ms.push(micros(init + served.took) / 1000.0);
        measured.init_cpu_ms.push(at_init / 1000.0);
        measured.first_ms.push(micros(served.took) / 1000.0);
        measured.first_cpu_us.push(at_first - at_init);
        Ok(())
    }

    /// Serves that many requests: how long each took, in microseconds.
    fn serve(&mut self, sandbox: &mut Sandbox, function: &str, count: usize) -> Result<Samples, Failure> {
        let mut samples = Samples::default();
        for _ in 0..count {
            let served = sandbox.serve(self.next()?)?;
            if self.name != FLOOR {
                requests::check(function, &served.answer)?;
            }
            samples.push(micros(served.took));
        }
        Ok(samples)
    }

    /// Counts its instructions. A function that is too slow while it is watched has none.
    fn count(&mut self, function: &str) -> Result<(), Failure> {
        let (file, environment) = (self.file.clone(), self.environment.clone());
        match instructions::count(&file, &environment, |sandbox| self.serve(sandbox, function, 1).map(drop)) {
            Ok(counted) => self.measured.instructions = Some(counted),
            Err(error) => writeln!(io::stderr(), "{}: no instructions: {error}", self.name)?,
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Vec<u8>, Failure> {
        self.events.pop().ok_or_else(|| "too few events".into())
    }
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// The size of a program and of what is deployed, in millions of bytes.
#[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
fn sizes(file: &Path) -> Result<(f64, f64), Failure> {
    Ok((fs::metadata(file)?.len() as f64 / 1e6, guard::zipped_bytes(file)? as f64 / 1e6))
}
