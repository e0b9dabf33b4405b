//! One run of `make bench`: measures function by function, prints the table, and writes the same as JSON.

use std::io::{self, Write};
use std::path::Path;
use std::{env, fs, thread};

use serde::Serialize;

use crate::aims;
use crate::cores;
use crate::figures::{Measured, Row};
use crate::instructions;
use crate::measure::measure;
use crate::options::{Options, Tls};
use crate::service::Service;
use crate::table;
use crate::{FLOOR, Failure};

/// What `logs/bench.json` has.
#[derive(Serialize)]
struct Report {
    date: String,
    cores: usize,
    /// The load of the machine when the run was over: 1, 5 and 15 minutes.
    load: String,
    runs: usize,
    warm: usize,
    tls: &'static str,
    /// How the processor was shared out after init.
    held: Option<String>,
    rows: Vec<Row>,
    /// With the base in the floor's place.
    compared: Vec<Row>,
}

pub(crate) fn report(mut options: Options) -> Result<(), Failure> {
    let cores = thread::available_parallelism()?.get();
    cores::leave_one()?;
    let root = env::current_dir()?;
    let mut service = Service::start(&root, &options.stage_dir, options.tls)?;
    if options.functions.is_empty() {
        options.functions = service.functions()?;
    }
    // A part of a core makes them no more and no fewer.
    let counts = options.share.is_none() && instructions::can_count();
    let (mut rows, mut compared) = (Vec::new(), Vec::new());
    let (mut floor, mut how) = (Measured::default(), None);
    for function in &options.functions {
        writeln!(io::stderr(), "{function}")?;
        let turns = measure(&mut service, function, &options, counts)?;
        let floors = &turns.programs[0].measured;
        for program in &turns.programs[1..] {
            let mut row = program.measured.row(&program.name, floors);
            row.raw = turns.raw.trips(&program.measured.block_us, &floors.block_us);
            row.record = Some(turns.record);
            if turns.is_endpoint {
                row.aims = aims::aims(&row, options.tls != Tls::Nothing, options.share.is_some());
            }
            rows.push(row);
        }
        if let [_, this, base] = &turns.programs[..] {
            compared.push(this.measured.row(&this.name, &base.measured));
        }
        floor.join(floors);
        how = how.or(turns.held);
    }
    service.stop();
    rows.insert(0, floor.row(FLOOR, &floor));
    let mut out = io::stdout();
    out.write_all(table::text(&rows).as_bytes())?;
    if !compared.is_empty() {
        writeln!(out, "\n{}", table::compared(&compared))?;
    }
    match (options.share, &how, counts) {
        (Some(share), Some(how), _) => writeln!(out, "After init a process had 1/{share} of a core, by {how}.")?,
        (_, _, true) => writeln!(out, "Instructions are those in user space, counted by valgrind.")?,
        _ => writeln!(out, "Instructions are not counted: there is no valgrind (Debian's package `valgrind`).")?,
    }
    let report = Report {
        date: date(),
        cores,
        load: fs::read_to_string("/proc/loadavg")?.split(' ').take(3).collect::<Vec<_>>().join(" "),
        runs: options.runs,
        warm: options.blocks * usize::from(crate::options::BLOCK),
        tls: match options.tls {
            Tls::Nothing => "none",
            Tls::Cache => "cache",
            Tls::Stores => "stores",
        },
        held: how,
        rows,
        compared,
    };
    write_json(&root.join("logs").join("bench.json"), &report)
}

/// Writes a file that programs read, and says where it is.
pub(crate) fn write_json(file: &Path, report: &impl Serialize) -> Result<(), Failure> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, serde_json::to_vec_pretty(report)?)?;
    writeln!(io::stderr(), "The same as JSON: {}", file.display())?;
    Ok(())
}

/// Today, as people in this place have it.
#[expect(clippy::disallowed_methods, reason = "a report is of the machine's day")]
pub(crate) fn date() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}
