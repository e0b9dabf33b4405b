//! `make guard` and `make size`: whether a function costs more than `infra/bench/baseline.json` says. What is compared does not
//! depend on how busy the machine is: round trips, units, instructions and sizes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::emulator::Emulator;
use crate::sandbox::{self, Sandbox, Usage};
use crate::{Result, note, requests};

const FILE: &str = "infra/bench/baseline.json";

const MOST_ZIPPED_BYTES: u64 = 3_000_000;

const SETTLING: usize = 2;

/// Requests of an endpoint until one spends what was agreed: two round trips side by side are two steps if the one ends early.
const LOOKS: usize = 5;

#[derive(Serialize, Deserialize)]
struct Baseline {
    /// Libraries differ a little from machine to machine, and so may what is counted.
    instructions_tolerance_percent: f64,
    zipped_tolerance_percent: f64,
    functions: BTreeMap<String, Entry>,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Entry {
    spent: Usage,
    #[serde(skip_serializing_if = "Option::is_none")]
    kilo_instructions: Option<Instructions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zipped_bytes: Option<u64>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Instructions {
    init: f64,
    warm: f64,
}

pub(crate) fn guard(is_renewal: bool) -> Result<()> {
    let (mut emulator, mut baseline, mut bad) = (Emulator::start(false)?, Baseline::read()?, 0);
    let has_valgrind = Command::new("valgrind").arg("--version").output().is_ok();
    let mut functions = Vec::new();
    for kind in ["api", "tasks", "jobs", "streams"] {
        for folder in fs::read_dir(format!("functions/{kind}"))? {
            functions.push((kind, folder?.file_name().to_string_lossy().into_owned()));
        }
    }
    functions.sort();
    for (kind, name) in functions {
        let agreed = baseline.functions.get(&name).map(|entry| entry.spent);
        // Of what users wait for; of jobs, tasks and streams, round trips are enough.
        let (looks, counts) = if kind == "api" { (LOOKS, has_valgrind) } else { (1, false) };
        let mut look = || look(&mut emulator, &name, looks, counts, agreed);
        // A busy machine may be too slow for a backend.
        let looked = (1..5).fold(look(), |looked, _| {
            let looked = looked.inspect_err(|error| note(format_args!("once more, because of {error}")));
            looked.or_else(|_| look())
        });
        match looked {
            Ok(now) => bad += baseline.judge(&name, now, is_renewal)?,
            Err(error) if agreed.is_none() => note(format_args!("{name}: not looked at, its request fails: {error}")),
            Err(error) => return Err(error),
        }
    }
    if !has_valgrind {
        writeln!(io::stdout(), "Instructions are not looked at: there is no valgrind (Debian's package `valgrind`)")?;
    }
    baseline.end(bad, is_renewal)
}

/// Compares endpoints as they are shipped, and holds them to what they may have at most.
pub(crate) fn size(bin_dir: &Path, functions: &[String], is_renewal: bool) -> Result<()> {
    let (mut baseline, mut bad) = (Baseline::read()?, 0);
    for name in functions {
        let zipped_bytes = zipped_bytes(&bin_dir.join(name))?;
        let agreed = baseline.functions.get(name).copied().unwrap_or_default();
        bad += baseline.judge(name, Entry { zipped_bytes: Some(zipped_bytes), ..agreed }, is_renewal)?;
        if zipped_bytes > MOST_ZIPPED_BYTES {
            return Err(format!("{name}: an endpoint has at most {MOST_ZIPPED_BYTES} bytes zipped").into());
        }
    }
    baseline.end(bad, is_renewal)
}

/// The size of what is deployed. A zip deflates as gzip does.
pub(crate) fn zipped_bytes(program: &Path) -> Result<u64> {
    // gzip would print a few bytes for a program that is not there, too.
    fs::metadata(program).map_err(|error| format!("{}: {error}", program.display()))?;
    let zipped = Command::new("gzip").args(["-9", "-c"]).arg(program).output()?;
    Ok(u64::try_from(zipped.stdout.len())?)
}

/// What a warm request spends, and instructions if they are counted.
fn look(emulator: &mut Emulator, name: &str, looks: usize, counts: bool, agreed: Option<Usage>) -> Result<Entry> {
    emulator.people.reset()?;
    let count = SETTLING + looks + if counts { sandbox::COUNTED } else { 0 };
    let mut events = requests::events(emulator, name, count)?.into_iter();
    let (program, environment) = (emulator.bin_dir.join(name), emulator.environment(name)?);
    let mut serve = |sandbox: &mut Sandbox| -> Result<Usage> {
        Ok(sandbox.serve_recorded(name, events.next().ok_or("too few events")?)?.spent)
    };
    let (mut sandbox, mut spent) = (Sandbox::start(&[], &program, &environment, Stdio::piped())?, Usage::default());
    for request in 0..SETTLING + looks {
        let now = serve(&mut sandbox)?;
        spent = if request > SETTLING && now.steps < spent.steps { spent } else { now };
        if request >= SETTLING && Some(spent) == agreed {
            break;
        }
    }
    let mut run = || sandbox::instructions(&program, &environment, |sandbox| serve(sandbox).map(drop));
    let counted = if counts { Some(run()?.map(|count| (count / 1000.0).round())) } else { None };
    Ok(Entry { spent, kilo_instructions: counted.map(|[init, warm]| Instructions { init, warm }), zipped_bytes: None })
}

impl Baseline {
    fn read() -> Result<Self> {
        Ok(serde_json::from_slice(&fs::read(FILE).map_err(|error| format!("{FILE}: {error}"))?)?)
    }

    /// Figures, and by how many percent each may grow: what follows from the code alone may not change, but steps may be fewer.
    #[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
    fn figures(&self, entry: &Entry) -> Vec<(&'static str, f64, Option<f64>)> {
        let Usage { steps, redis, dynamodb, http, read_units, write_units } = entry.spent;
        let counts = [("steps", steps), ("redis", redis), ("dynamodb", dynamodb), ("http", http)];
        let exact = counts.map(|(what, count)| (what, f64::from(count), None)).into_iter();
        let units = [("units read", read_units, None), ("units written", write_units, None)];
        let percent = Some(self.instructions_tolerance_percent);
        let of = |Instructions { init, warm }| {
            [("k instructions of init", init, percent), ("k of a warm request", warm, percent)]
        };
        let kilobytes = |bytes| ("kB zipped", bytes as f64 / 1000.0, Some(self.zipped_tolerance_percent));
        let inexact = entry.kilo_instructions.map(of).into_iter().flatten();
        exact.chain(units).chain(inexact).chain(entry.zipped_bytes.map(kilobytes)).collect()
    }

    /// Prints the figures of a function, or makes them the baseline: how many are bad. What is new is good.
    fn judge(&mut self, name: &str, now: Entry, is_renewal: bool) -> Result<usize> {
        let (mut text, mut bad) = (format!("{name}:"), 0);
        let agreed = self.functions.get(name).map(|entry| self.figures(entry)).unwrap_or_default();
        for (what, value, tolerance) in self.figures(&now) {
            let agreed = agreed.iter().find(|(agreed, ..)| *agreed == what).map(|(_, agreed, _)| *agreed);
            text.extend([format!(" {value} {what}")]);
            text += match (agreed.map(|agreed| value / agreed - 1.0), tolerance.map(|percent| percent / 100.0)) {
                (None, _) => " (new)",
                (Some(more), Some(tolerance)) if more > tolerance => " (BAD)",
                (Some(more), Some(tolerance)) if more < -tolerance => " (better; type: make bench-baseline)",
                (Some(more), None) if what == "steps" && more < 0.0 => "",
                (Some(_), None) if agreed != Some(value) => " (BAD)",
                _ => "",
            };
            if text.ends_with("(BAD)") {
                text.extend([format!(" and not {}", agreed.unwrap_or_default())]);
                bad += 1;
            }
        }
        writeln!(io::stdout(), "{text}")?;
        if is_renewal {
            let entry = self.functions.entry(name.to_owned()).or_default();
            entry.spent = now.spent;
            entry.kilo_instructions = now.kilo_instructions.or(entry.kilo_instructions);
            entry.zipped_bytes = now.zipped_bytes.or(entry.zipped_bytes);
            return Ok(0);
        }
        Ok(bad)
    }

    fn end(&self, bad: usize, is_renewal: bool) -> Result<()> {
        if is_renewal {
            fs::write(FILE, serde_json::to_string_pretty(self)? + "\n")?;
        }
        let advice = "if that is meant to be, type: make bench-baseline";
        if bad == 0 { Ok(()) } else { Err(format!("{bad} figures are not those of {FILE}; {advice}").into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spends_something_else_or_grows_beyond_its_tolerance_is_bad() {
        let spent = |redis| Usage { steps: redis / 2, redis, read_units: 1.0, ..Usage::default() };
        for (name, redis, init, zipped, bad) in [
            ("login", 4, 1099.0, 2_059_000, 0),
            ("login", 6, 1000.0, 2_000_000, 2),
            ("login", 3, 1101.0, 2_000_000, 2),
            ("login", 4, 1.0, 2_061_000, 1),
            ("new", 5, 2000.0, 3_000_000, 0),
        ] {
            let entry = |redis, init, zipped| {
                let kilo_instructions = Some(Instructions { init, warm: 500.0 });
                Entry { spent: spent(redis), kilo_instructions, zipped_bytes: Some(zipped) }
            };
            let agreed = [("login".to_owned(), entry(4, 1000.0, 2_000_000))].into();
            let mut baseline =
                Baseline { instructions_tolerance_percent: 10.0, zipped_tolerance_percent: 3.0, functions: agreed };
            assert_eq!(baseline.judge(name, entry(redis, init, zipped), false).unwrap(), bad, "{redis} {init}");
        }
    }
}
