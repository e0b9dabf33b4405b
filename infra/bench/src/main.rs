//! `make bench`: every function of the bundle beside a function that says hello, on this machine and in the same run.
//!
//! A program is started and fed by a Lambda Runtime API of this crate's own (`sandbox`), with real requests (`requests`)
//! on a real Redis and the embedded DynamoDB of a local stage (`service`). Function and floor take turns, start by start
//! and block by block (`measure`), and ratios are medians of those pairs (`figures`): the machine may be shared. What a
//! request says to the stores is recorded (`record`) and replayed on bare sockets (`raw`) in the same turns.

mod aims;
mod baseline;
mod call_record;
mod cores;
mod figures;
mod growth;
mod guard;
mod instructions;
mod invoked;
mod load;
mod measure;
mod options;
mod raw;
mod record;
mod report;
mod requests;
mod resp;
mod sandbox;
mod service;
mod settings;
mod share;
mod table;
mod tls;
mod wire;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::options::Options;

type Failure = Box<dyn std::error::Error>;

/// The function that everything is measured against.
const FLOOR: &str = "hello";

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
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        Some("measure") => report::report(Options::read(arguments)?),
        Some("stage") => load::run(arguments),
        Some("growth") => growth::run(arguments),
        Some("guard") => guard::guard(arguments),
        Some("size") => guard::size(arguments),
        _ => Err("usage: bench measure|stage|growth|guard|size …".into()),
    }
}
