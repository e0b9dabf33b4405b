//! What functions cost, on this machine and in one run: `make guard`, `size`, `bench`, `bench-growth` and `bench-stage`.
//!
//! `measure`, `growth`, `load` and `guard` are one command each, and use what stands below them in this order: `report`,
//! `requests`, `emulator`, `people`, `proxy`, `sandbox`, `http`. `requests` also has a sandbox make state.

mod emulator;
mod growth;
mod guard;
mod http;
mod load;
mod measure;
mod people;
mod proxy;
mod report;
mod requests;
mod sandbox;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use jiff::Timestamp;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Measures the functions of this repository; the Makefile has a verb for each command
#[derive(Parser)]
enum Command {
    /// Functions beside a floor and a peer
    Measure(measure::Options),
    /// Requests with more and more stored, a sandbox that serves very many, a user who signs in very often
    Growth(growth::Options),
    Stage(load::Options),
    Guard {
        #[arg(long)]
        renew: bool,
    },
    Size {
        bin_dir: PathBuf,
        #[arg(long)]
        renew: bool,
        functions: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Measure(options) => measure::run(&options),
        Command::Growth(options) => growth::run(&options),
        Command::Stage(options) => load::run(&options),
        Command::Guard { renew } => guard::guard(renew),
        Command::Size { bin_dir, renew, functions } => guard::size(&bin_dir, &functions, renew),
    };
    let Err(error) = done else { return ExitCode::SUCCESS };
    note(format_args!("bench: {error}"));
    ExitCode::FAILURE
}

/// Says how far a run is. Nobody is left to tell if that fails.
fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// What AWS writes into events, and the day of a report.
#[expect(clippy::disallowed_methods, reason = "here it is the machine's time")]
fn now() -> Timestamp {
    Timestamp::now()
}
