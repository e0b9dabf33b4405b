//! `make import`: brings users of the table `t_user` of the service that this one replaced into a stage's users' table.
//!
//! It reads a file as MySQL and MariaDB write it (`text`), finds its columns (`table`), reads each row by the rules of
//! the service (`legacy_user`), and says what is wrong with which line (`report`). Only with `--write` it then writes the
//! good rows, each under the condition that its phone is free (`write`). What is in the table is the progress: a second run
//! finds the rows of the first one and leaves them.

mod check;
mod legacy_user;
mod pace;
mod report;
mod table;
mod text;
mod write;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use shared::aws::Clients;
use shared::clock;
use shared::config::Config;
use shared::db::{Database, Users};
use shared::models::params::Rules;

use crate::check::Checked;
use crate::legacy_user::Reader;
use crate::report::Report;
use crate::write::Import;

type Failure = Box<dyn std::error::Error>;

/// Imports users of the old table `t_user`. Without --write it reads the file alone, and says what it would do.
#[derive(Parser)]
struct Args {
    /// The file, with or without a header line
    file: PathBuf,
    /// Write the good rows
    #[arg(long)]
    write: bool,
    /// The most writes a second
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=40_000))]
    rate: u32,
}

fn main() -> ExitCode {
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(run(&Args::parse())));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere to report a failure.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), Failure> {
    let config = Config::load()?;
    let now = clock::wall_timestamp();
    let rules = Rules { today: now.to_zoned(config.zone.clone()).date(), phone: config.phone.clone() };
    let reader = Reader { rules, zone: config.zone.clone(), now };
    let mut report = Report::create(&args.file)?;

    let counts = Checked::open(&args.file, &reader)?.count(&mut report)?;
    report.summarize(&counts)?;
    let stage = config.stage.clone();
    if !args.write {
        return report.invite(&stage, &counts);
    }

    let clients = Clients::for_operator(config)?;
    let users = Users::new(&Database::for_operator(&clients)?, &clients.config)?;
    let request_id = format!("import-{}", now.as_millisecond());
    let import = Import::new(users, request_id, clients.config.user_shards, args.rate, counts.good);
    let written = import.run(Checked::open(&args.file, &reader)?, &mut report).await?;
    report.conclude(&written)
}
