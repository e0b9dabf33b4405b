//! Every day at the stage's midnight: yesterday's stats are written, and users deleted 30 days ago are removed.

use std::process::ExitCode;

use shared::error::Error;
use shared::jobs::daily::Daily;
use shared::lambda::{self, Report, Tick};

async fn daily(daily: &Daily, tick: Tick) -> Result<Report, Error> {
    daily.run(&tick).await
}

fn main() -> ExitCode {
    lambda::job(Daily::connect, daily)
}
