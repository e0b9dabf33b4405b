//! Once after each deployment: checks that the stage is complete, and brings its data up to date.

use std::process::ExitCode;

use shared::error::Error;
use shared::jobs::deployed::Deployed;
use shared::lambda::{self, Report, Tick};

async fn deployed(deployed: &Deployed, tick: Tick) -> Result<Report, Error> {
    deployed.run(&tick).await
}

fn main() -> ExitCode {
    lambda::job(Deployed::connect, deployed)
}
