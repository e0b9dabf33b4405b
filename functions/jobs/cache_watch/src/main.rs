//! Every hour: whether the stage's cache is there, and is what the functions take it for.

use shared::cache_watch;
use shared::ctx::{Ctx, Need};
use shared::entry::{self, Fatal, Report, Tick};
use shared::error::Error;
use shared::runs::Progress;

async fn watch(ctx: Ctx, tick: Tick) -> Result<Progress<Report>, Error> {
    cache_watch::look(&ctx, &tick).await.map(Progress::Done)
}

fn main() -> Result<(), Fatal> {
    entry::job(&[Need::STORE, Need::ELASTICACHE], watch)
}
