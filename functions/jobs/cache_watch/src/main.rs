//! Every hour: checks that the stage's cache is available, and is the one that the functions use.

use std::process::ExitCode;

use shared::error::Error;
use shared::jobs::cache_health::CacheHealth;
use shared::lambda::{self, Report, Tick};

async fn cache_watch(health: &CacheHealth, tick: Tick) -> Result<Report, Error> {
    health.run(&tick).await
}

fn main() -> ExitCode {
    lambda::job(CacheHealth::connect, cache_watch)
}
