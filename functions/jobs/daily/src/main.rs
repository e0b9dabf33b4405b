//! Every day at the stage's midnight: writes yesterday's stats, and erases users who can no longer be restored.

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
