//! Every hour: whether the stage's cache is there, and is what the functions use.

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
