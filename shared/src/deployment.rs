//! After a deployment: is the stage complete, and is its data as this code expects it?

use futures_util::future::try_join_all;
use serde_json::{Map, Value};

use crate::config::SmsProvider;
use crate::ctx::Ctx;
use crate::error::{Cause, Error};
use crate::runs::{self, Progress, Tick};

/// Looks at everything that a function needs. Gives each check's name with `ok` or what is wrong.
///
/// # Errors
/// [`Error::Internal`] naming the checks that failed.
pub async fn check(ctx: &Ctx) -> Result<Map<String, Value>, Error> {
    let told = |outcome: Result<(), Error>| outcome.err().map(|error| error.to_string());
    let (tables, cache, code_keys, token_keys, sms_keys) = tokio::join!(
        async { ctx.store()?.table_faults().await },
        async { ctx.cache()?.ping().await },
        ctx.code_keys(),
        ctx.token_keys(),
        async {
            match ctx.config().sms.provider {
                SmsProvider::Http => ctx.sms_keys().await.map(drop),
                SmsProvider::Sns => Ok(()),
            }
        },
    );
    let mut checks = match tables {
        Ok(faults) => faults.to_vec(),
        Err(error) => vec![("tables", Some(error.to_string()))],
    };
    checks.extend([
        ("cache", told(cache)),
        ("secret veri_code", told(code_keys.map(drop))),
        ("secret jwt", told(token_keys.map(drop))),
        ("secret sms", told(sms_keys)),
        // A function whose settings cannot work does not start.
        ("settings", None),
    ]);
    let failed: Vec<_> =
        checks.iter().filter_map(|(name, fault)| Some(format!("{name}: {}", fault.as_ref()?))).collect();
    if failed.is_empty() {
        Ok(checks.into_iter().map(|(name, _)| (name.to_owned(), "ok".into())).collect())
    } else {
        Err(Error::Internal(Cause::new(&failed.join("; "))))
    }
}

/// Changes of data, each done once and never taken out of this list. One may be interrupted anywhere and is then begun
/// again, so each step of it must be harmless the second time.
const MIGRATIONS: [&str; 1] = ["1 date deletions"];

/// Applies what has not been applied yet, in order. Gives how many items each one changed.
///
/// # Errors
/// That of a migration; those before it stay applied.
pub async fn migrate(ctx: &Ctx, tick: &Tick) -> Result<Progress<Map<String, Value>>, Error> {
    let mut report = Map::new();
    for name in MIGRATIONS {
        let outcome = runs::once_for_ever(ctx, &format!("migration#{name}"), date_deletions(ctx, tick)).await?;
        match outcome {
            None => drop(report.insert(name.to_owned(), "done before".into())),
            Some(Progress::Done(changed)) => drop(report.insert(name.to_owned(), changed.into())),
            Some(Progress::More(changed)) => {
                report.insert(name.to_owned(), changed.into());
                return Ok(Progress::More(report));
            }
        }
    }
    Ok(Progress::Done(report))
}

/// Users who were marked as deleted before there was a time of deletion count as deleted now, so that `daily` removes
/// them after the time that everybody has.
async fn date_deletions(ctx: &Ctx, tick: &Tick) -> Result<Progress<u64>, Error> {
    let store = ctx.store()?;
    let (mut changed, mut after) = (0, None);
    while tick.has_time() {
        let (phones, next) = store.undated_deletions(after).await?;
        let outcomes = try_join_all(phones.iter().map(|phone| store.date_deletion(phone, tick.at))).await?;
        changed += outcomes.iter().map(|&was_changed| u64::from(was_changed)).sum::<u64>();
        if next.is_none() {
            return Ok(Progress::Done(changed));
        }
        after = next;
    }
    Ok(Progress::More(changed))
}
