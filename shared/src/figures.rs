//! What happened on a day: registrations, logins, messages, refusals.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::ctx::Ctx;
use crate::error::{Cause, Error};
use crate::telemetry::Metric;

/// Names that stand in every day's item, also when nothing happened; the limits' refusals are the others.
const ALWAYS: [&str; 3] = ["logins", "sms_sent", "sms_verified"];

/// Writes the figures of the day before the tick's, in the stage's time zone, as one item. Written again it is the same
/// item. Registrations are counted by the users' ids, everything else was counted by the cache as it happened.
///
/// # Errors
/// [`Error::Redis`] or [`Error::Db`].
pub async fn write_yesterday(ctx: &Ctx) -> Result<(Date, BTreeMap<String, u64>), Error> {
    let today = ctx.now().today();
    let yesterday = today.saturating_sub(1.day());
    let midnight = |day: Date| {
        let start = day.to_zoned(ctx.config().zone.clone()).map(|start| start.timestamp());
        start.map_err(|cause| Error::Internal(Cause::of(&cause)))
    };
    let (from, until): (Timestamp, Timestamp) = (midnight(yesterday)?, midnight(today)?);
    let (counted, registrations) = tokio::join!(async { ctx.cache()?.figures(yesterday).await }, async {
        ctx.store()?.count_registered(ctx.config().user_shards, from, until).await
    },);
    let refusals = ctx.config().limits.iter().map(|limit| format!("refused_{}", limit.name));
    let mut figures: BTreeMap<_, _> =
        ALWAYS.into_iter().map(str::to_owned).chain(refusals).map(|name| (name, 0)).collect();
    figures.extend(counted?);
    figures.insert("registrations".to_owned(), registrations?);
    ctx.store()?.put_figures(yesterday, &figures).await?;
    Ok((yesterday, figures))
}

/// The same figures for CloudWatch.
#[must_use]
pub fn metrics(figures: &BTreeMap<String, u64>) -> Vec<Metric> {
    figures.iter().map(|(name, &count)| Metric::count(name, count)).collect()
}
