//! `make bench`: the floor, the peer, a function, and that of another commit take turns, start by start and block by block.

use std::num::ParseIntError;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use std::vec::IntoIter;
use std::{fs, thread};

use clap::Args;
use serde_json::json;

use crate::emulator::{Emulator, FLOOR, PEER, reroute};
use crate::proxy::RoundTrips;
use crate::report::{self, Measured, Metric, median};
use crate::sandbox::{CallRecord, Environment, Sandbox};
use crate::{Result, guard, note, now, requests, sandbox};

/// Warm requests that one program serves before another takes its turn.
pub(crate) const BLOCK: u16 = 50;
/// Requests after a start that count as neither cold nor warm.
pub(crate) const SETTLING: usize = 20;
/// Warm requests that follow a pause, as nearly all do on Lambda: the processor's caches have something else then.
const PACED: usize = 40;
const PAUSE: Duration = Duration::from_millis(5);
/// Requests between two blocks whose round trips are measured.
const RAW: usize = 25;

#[derive(Args)]
pub(crate) struct Options {
    bin_dir: PathBuf,
    /// Where functions of another commit are
    #[arg(long)]
    base: Option<PathBuf>,
    #[arg(long)]
    runs: usize,
    /// Warm requests, in blocks of 50
    #[arg(long = "warm", value_parser = blocks)]
    blocks: usize,
    #[arg(long)]
    tls: bool,
    /// A control group with a part of a core, for a process after its init
    #[arg(long)]
    group: Option<PathBuf>,
    functions: Vec<String>,
}

pub(crate) fn blocks(requests: &str) -> Result<usize, ParseIntError> {
    Ok(requests.parse::<usize>()?.div_ceil(usize::from(BLOCK)))
}

/// A program that takes turns with others.
pub(crate) struct Program {
    function: String,
    file: PathBuf,
    environment: Environment,
    events: IntoIter<Vec<u8>>,
    pub(crate) measured: Measured,
    sandbox: Sandbox,
    warm_us: Vec<f64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let cores = thread::available_parallelism()?.get();
    sandbox::leave_a_core()?;
    let mut emulator = Emulator::start(options.tls)?;
    emulator.create_products()?;
    let (mut floor, mut peer) = (Measured::default(), Measured::default());
    let (mut rows, mut compared) = (Vec::new(), Vec::new());
    for name in &options.functions {
        note(name);
        let (programs, record) = measure(&mut emulator, name, options)?;
        let [floors, peers, this, base @ ..] = &programs[..] else { return Err("a program is missing".into()) };
        let mut row = this.measured.row(name, &floors.measured, Some(&peers.measured), Some(record));
        if Path::new("functions/api").join(name).exists() {
            row.hold(options.tls, options.group.is_some());
        }
        rows.push(row);
        compared.extend(base.iter().map(|base| this.measured.row(name, &base.measured, None, None)));
        floor.extend(&floors.measured);
        peer.extend(&peers.measured);
    }
    rows.insert(0, floor.row(FLOOR, &floor, Some(&peer), None));
    rows.insert(1, peer.row(PEER, &floor, Some(&peer), None));
    let mut text = report::text(&rows) + "× the floor; p the peer\n";
    if !compared.is_empty() {
        text.extend([format!("\n{}× the other commit\n", report::text(&compared))]);
    }
    let report = json!({
        "date": now().strftime("%Y-%m-%d").to_string(),
        "cores": cores,
        "load": fs::read_to_string("/proc/loadavg")?.split(' ').take(3).collect::<Vec<_>>().join(" "),
        "runs": options.runs,
        "warm": options.blocks * usize::from(BLOCK),
        "tls": if options.tls { "stores" } else { "none" },
        "held": options.group,
        "rows": rows,
        "compared": compared,
    });
    report::publish("bench.json", &text, &report)
}

/// Measures the floor, the peer, the function and that of the base, in turn.
fn measure(emulator: &mut Emulator, function: &str, options: &Options) -> Result<(Vec<Program>, CallRecord)> {
    emulator.people.reset()?;
    let count = options.runs + SETTLING + options.blocks * usize::from(BLOCK) + PACED;
    let here = &options.bin_dir;
    let mut named = vec![(FLOOR, here), (PEER, here), (function, here)];
    named.extend(options.base.as_ref().map(|base| (function, base)));
    let own = SETTLING + options.blocks * RAW + (named.len() - 2) * count;
    let mut events = requests::events(emulator, function, own)?.into_iter();
    let mut programs = Vec::new();
    for (name, folder) in named {
        let own = name == function;
        let events = if own { events.by_ref().take(count).collect() } else { requests::events(emulator, name, count)? };
        let environment = emulator.measured_environment(name)?;
        programs.push(Program::start(name, folder.join(name), environment, events)?);
    }
    let trips = RoundTrips::default();
    let mut environment = emulator.environment(function)?;
    reroute(&mut environment, "", |backend| trips.before(backend))?;
    let mut listened = Sandbox::start(&[], &options.bin_dir.join(function), &environment, Stdio::piped())?;
    let mut raw = |count: usize| -> Result<(CallRecord, f64)> {
        let (mut record, mut samples) = (CallRecord::default(), Vec::new());
        for event in events.by_ref().take(count) {
            trips.take();
            record = listened.serve_recorded(function, event)?;
            samples.push(trips.take().as_secs_f64() * 1e6);
        }
        Ok((record, median(&samples)))
    };
    let (record, _) = raw(SETTLING)?;
    for _ in 0..options.runs {
        programs.iter_mut().try_for_each(|program| program.start_cold(options.group.as_deref()))?;
    }
    programs.iter_mut().try_for_each(Program::settle)?;
    for _ in 0..options.blocks {
        programs.iter_mut().try_for_each(Program::block)?;
        // Its proxies speak no TLS.
        if !options.tls {
            let (_, raw_us) = raw(RAW)?;
            programs[2..].iter_mut().for_each(|program| program.measured.add(Metric::RawUs, raw_us));
        }
    }
    for _ in 0..PACED {
        programs.iter_mut().try_for_each(Program::serve_after_a_pause)?;
    }
    programs.iter_mut().try_for_each(Program::finish)?;
    if !options.tls {
        let floor = programs[0].measured.of(Metric::WarmP50Us).to_vec();
        for Program { measured, .. } in &mut programs[2..] {
            let least = floor.iter().zip(measured.of(Metric::RawUs)).map(|(floor, raw)| floor + raw);
            let ratio = report::ratio(measured.of(Metric::WarmP50Us), &least.collect::<Vec<_>>());
            measured.add(Metric::WarmOverRaw, ratio);
        }
    }
    Ok((programs, record))
}

impl Program {
    pub(crate) fn start(function: &str, file: PathBuf, environment: Environment, events: Vec<Vec<u8>>) -> Result<Self> {
        let sandbox = Sandbox::start(&[], &file, &environment, Stdio::null())?;
        let (function, events, measured) = (function.to_owned(), events.into_iter(), Measured::default());
        Ok(Self { function, file, environment, events, measured, sandbox, warm_us: Vec::new() })
    }

    fn start_cold(&mut self, group: Option<&Path>) -> Result<()> {
        self.sandbox = Sandbox::start(&[], &self.file, &self.environment, Stdio::null())?;
        let (init, init_cpu_us) = (self.sandbox.init, self.sandbox.cpu_us()?);
        if let Some(group) = group {
            fs::write(group.join("cgroup.procs"), self.sandbox.pid().to_string())?;
        }
        let first = self.serve()?;
        self.measured.add(Metric::InitMs, init.as_secs_f64() * 1e3);
        self.measured.add(Metric::InitCpuMs, init_cpu_us / 1e3);
        // Without the time in which this program read the processor time of the other.
        self.measured.add(Metric::FirstResponseMs, (init + first).as_secs_f64() * 1e3);
        self.measured.add(Metric::FirstCpuUs, self.sandbox.cpu_us()? - init_cpu_us);
        Ok(())
    }

    pub(crate) fn settle(&mut self) -> Result<()> {
        (0..SETTLING).try_for_each(|_| self.serve().map(drop))
    }

    pub(crate) fn block(&mut self) -> Result<()> {
        let (mut block, before) = (Vec::new(), self.sandbox.cpu_us()?);
        for _ in 0..BLOCK {
            block.push(self.serve()?.as_secs_f64() * 1e6);
        }
        self.measured.add(Metric::WarmCpuUs, (self.sandbox.cpu_us()? - before) / f64::from(BLOCK));
        self.measured.add(Metric::WarmP50Us, median(&block));
        self.warm_us.extend(block);
        Ok(())
    }

    fn serve_after_a_pause(&mut self) -> Result<()> {
        thread::sleep(PAUSE);
        let before = self.sandbox.cpu_us()?;
        self.serve()?;
        self.measured.add(Metric::PacedCpuUs, self.sandbox.cpu_us()? - before);
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
    fn finish(&mut self) -> Result<()> {
        let [first, paced] = [Metric::FirstCpuUs, Metric::PacedCpuUs].map(|metric| median(self.measured.of(metric)));
        self.measured.add(Metric::FirstOverPaced, first / paced);
        self.measured.add(Metric::WarmP99Us, report::percentile(&self.warm_us, 99));
        self.measured.add(Metric::PeakMib, self.sandbox.memory_mib("VmHWM:")?);
        self.measured.add(Metric::ZippedMb, guard::zipped_bytes(&self.file)? as f64 / 1e6);
        Ok(())
    }

    /// Serves the next event, which must succeed: how long it took.
    fn serve(&mut self) -> Result<Duration> {
        let (took, response) = self.sandbox.serve(self.events.next().ok_or("too few events")?)?;
        requests::check(&self.function, &response)?;
        Ok(took)
    }
}
