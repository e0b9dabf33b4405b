//! Every day at the stage's midnight: yesterday's figures are written, and users deleted 30 days ago are removed.

use serde_json::json;
use shared::ctx::{Ctx, Need};
use shared::entry::{self, Fatal, Report, Tick};
use shared::error::Error;
use shared::runs::Progress;
use shared::{figures, retention};

async fn daily(ctx: Ctx, tick: Tick) -> Result<Progress<Report>, Error> {
    let (day, figures) = figures::write_yesterday(&ctx).await?;
    let erased = retention::erase_deleted(&ctx, &tick).await?;
    let metrics = figures::metrics(&figures);
    Ok(erased.map(|erased| Report { metrics, ..json!({ "day": day, "figures": figures, "erased": erased }).into() }))
}

fn main() -> Result<(), Fatal> {
    entry::job(&[Need::STORE, Need::CACHE, Need::AGAIN], daily)
}
