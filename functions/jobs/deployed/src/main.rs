//! Once after each deployment: checks that the stage is complete, and brings its data up to date.

use serde_json::json;
use shared::ctx::{Ctx, Need};
use shared::deployment;
use shared::entry::{self, Fatal, Report, Tick};
use shared::error::Error;
use shared::runs::Progress;

async fn deployed(ctx: Ctx, tick: Tick) -> Result<Progress<Report>, Error> {
    let checks = deployment::check(&ctx).await?;
    let migrations = deployment::migrate(&ctx, &tick).await?;
    Ok(migrations.map(|migrations| json!({ "checks": checks, "migrations": migrations }).into()))
}

fn main() -> Result<(), Fatal> {
    entry::job(&[Need::STORE, Need::CACHE, Need::CODE_KEY, Need::TOKEN_KEY, Need::SMS_KEY, Need::AGAIN], deployed)
}
