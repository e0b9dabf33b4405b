//! `make guard` and `make size`: whether a function costs more than the baseline says. What is compared does not depend on
//! how busy the machine is: round trips, units, instructions and sizes.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::aims;
use crate::baseline::{Baseline, Instructions, Verdict};
use crate::call_record::{self, Usage};
use crate::instructions;
use crate::options::Tls;
use crate::requests;
use crate::sandbox::{Environment, Output, Sandbox};
use crate::service::Service;

const USAGE: &str = "usage: bench guard [--renew] | bench size --bin-dir DIR [--renew] FUNCTION...";

/// Requests before the one that is looked at, after which nothing is done for the first time.
const SETTLING: usize = 2;

/// Requests of an endpoint that are looked at until one spends what is agreed: two round trips side by side count as two steps
/// where the one ends before the other begins.
const LOOKS: usize = 5;

/// A backend that a busy machine is too slow for is asked again so often.
const ATTEMPTS: usize = 3;

/// Compares the functions beside this program, or makes them the baseline.
pub(crate) fn guard(arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let is_renewal = match arguments.collect::<Vec<_>>().as_slice() {
        [] => false,
        [renew] if renew == "--renew" => true,
        _ => return Err(USAGE.into()),
    };
    let root = env::current_dir()?;
    let bin_dir = env::current_exe()?.parent().map(PathBuf::from).ok_or("this program lies in no folder")?;
    let mut service = Service::start(&root, &bin_dir, Tls::Nothing)?;
    let mut baseline = Baseline::read(&root)?;
    let counts = instructions::can_count();
    let mut judge = Judge::default();
    for function in service.functions()? {
        if !requests::is_known(&mut service, &function)? {
            writeln!(io::stderr(), "{function}: not looked at, infra/bench/src/requests.rs has no request for it")?;
            continue;
        }
        let agreed = baseline.functions.get(&function).map(|entry| entry.spent);
        let (spent, counted) = patiently(|| look(&mut service, &function, &bin_dir, counts, agreed))?;
        if is_renewal {
            let entry = baseline.functions.entry(function.clone()).or_default();
            entry.spent = spent;
            entry.kilo_instructions = counted.or(entry.kilo_instructions);
        }
        judge.add(&function, baseline.judge_spent(&function, spent))?;
        for verdict in counted.into_iter().flat_map(|counted| baseline.judge_instructions(&function, counted)) {
            judge.add(&function, verdict)?;
        }
    }
    service.stop();
    if !counts {
        writeln!(io::stdout(), "Instructions are not looked at: there is no valgrind (Debian's package `valgrind`)")?;
    }
    judge.end(&root, is_renewal.then_some(&baseline))
}

/// Compares the sizes of endpoints as they are shipped, and holds them to what a zip may have.
#[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
pub(crate) fn size(mut arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let (mut bin_dir, mut is_renewal, mut functions) = (None, false, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bin-dir" => bin_dir = arguments.next().map(PathBuf::from),
            "--renew" => is_renewal = true,
            name if name.starts_with('-') => return Err(USAGE.into()),
            name => functions.push(name.to_owned()),
        }
    }
    let bin_dir = bin_dir.ok_or(USAGE)?;
    let root = env::current_dir()?;
    let mut baseline = Baseline::read(&root)?;
    let mut judge = Judge::default();
    for function in functions {
        let bytes = zipped_bytes(&bin_dir.join(&function))?;
        if is_renewal {
            baseline.functions.entry(function.clone()).or_default().zipped_bytes = Some(bytes);
        }
        judge.add(&function, baseline.judge_size(&function, bytes))?;
        if bytes as f64 > aims::ZIPPED_MB * 1e6 {
            judge.add(&function, Verdict::Bad(format!("an endpoint has at most {} MB zipped", aims::ZIPPED_MB)))?;
        }
    }
    judge.end(&root, is_renewal.then_some(&baseline))
}

/// The size of what is deployed. A zip deflates as gzip does.
pub(crate) fn zipped_bytes(program: &Path) -> Result<u64, Failure> {
    // gzip would say nothing to a program that is not there, in as many bytes.
    fs::metadata(program).map_err(|error| format!("{}: {error}", program.display()))?;
    let zipped = Command::new("gzip").args(["-9", "-c"]).arg(program).output()?;
    Ok(u64::try_from(zipped.stdout.len())?)
}

/// What a warm request spends, and instructions if they are to be counted.
fn look(
    service: &mut Service,
    function: &str,
    bin_dir: &Path,
    counts: bool,
    agreed: Option<Usage>,
) -> Result<(Usage, Option<Instructions>), Failure> {
    // Of what users wait for; of jobs and tasks, round trips are enough.
    let is_endpoint = service.is_endpoint(function)?;
    let (counts, looks) = (counts && is_endpoint, if is_endpoint { LOOKS } else { 1 });
    let program = bin_dir.join(function);
    let count = SETTLING + looks + if counts { instructions::EVENTS } else { 0 };
    let mut events = requests::prepare(service, function, count, bin_dir)?;
    let environment = service.environment(function)?;
    let mut serve = |sandbox: &mut Sandbox| {
        call_record::serve(sandbox, function, events.pop().ok_or("too few events")?).map(|record| record.spent)
    };
    let spent = spent(&program, &environment, looks, agreed, &mut serve)?;
    let counted = if counts {
        let counted = instructions::count(&program, &environment, |sandbox| serve(sandbox).map(drop))?;
        let thousands = |count: f64| (count / 1000.0).round();
        Some(Instructions { init: thousands(counted.init), warm: thousands(counted.warm) })
    } else {
        None
    };
    Ok((spent, counted))
}

fn spent(
    program: &Path,
    environment: &Environment,
    looks: usize,
    agreed: Option<Usage>,
    serve: &mut impl FnMut(&mut Sandbox) -> Result<Usage, Failure>,
) -> Result<Usage, Failure> {
    let mut sandbox = Sandbox::start_under(&[], program, environment, Output::Lines)?;
    for _ in 0..SETTLING {
        serve(&mut sandbox)?;
    }
    for _ in 1..looks {
        let spent = serve(&mut sandbox)?;
        if Some(spent) == agreed {
            return Ok(spent);
        }
    }
    serve(&mut sandbox)
}

/// A backend that does not answer in time says nothing about a function.
fn patiently<T>(mut work: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    for _ in 1..ATTEMPTS {
        match work() {
            Ok(done) => return Ok(done),
            Err(error) => writeln!(io::stderr(), "once more, because of {error}")?,
        }
    }
    work()
}

/// Prints verdicts and counts them.
#[derive(Default)]
struct Judge {
    bad: usize,
    better: usize,
}

impl Judge {
    fn add(&mut self, function: &str, verdict: Verdict) -> Result<(), Failure> {
        let (sign, said) = match verdict {
            Verdict::Good(said) => ("", said),
            Verdict::Better(said) => {
                self.better += 1;
                ("better: ", said)
            }
            Verdict::Bad(said) => {
                self.bad += 1;
                ("BAD: ", said)
            }
        };
        Ok(writeln!(io::stdout(), "{function:<12} {sign}{said}")?)
    }

    /// Writes the baseline that was renewed, and fails for what is bad.
    fn end(self, root: &Path, renewed: Option<&Baseline>) -> Result<(), Failure> {
        if let Some(baseline) = renewed {
            baseline.write(root)?;
        }
        if self.better > 0 {
            writeln!(io::stdout(), "Better than the baseline by more than its tolerance; type: make bench-baseline")?;
        }
        if self.bad > 0 { Err(format!("{} figures are not what was agreed", self.bad).into()) } else { Ok(()) }
    }
}
