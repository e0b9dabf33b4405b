//! Changes of data that a deployment brings.

use futures_util::future::try_join_all;
use serde_json::{Map, Value};

use super::run_once::{Progress, RunOnce};
use crate::config::Config;
use crate::db::{Database, Users};
use crate::error::{Error, StartError};
use crate::models::tick::Tick;

/// Changes of data, each done once and never taken out of this list. One may be interrupted anywhere and is then begun
/// again, so each step of it must be harmless the second time.
const MIGRATIONS: [&str; 1] = ["1 date deletions"];

/// What applies them.
pub(super) struct Migrations {
    users: Users,
}

impl Migrations {
    /// Of the tables of `database`.
    ///
    /// # Errors
    /// A variable that is missing.
    pub(super) fn new(database: &Database, config: &Config) -> Result<Self, StartError> {
        Ok(Self { users: Users::new(database, config)? })
    }

    /// Applies what has not been applied yet, in order. Gives how many items each one changed.
    ///
    /// # Errors
    /// That of a migration; those before it stay applied.
    pub(super) async fn apply(&self, runs: &RunOnce, tick: &Tick) -> Result<Progress<Map<String, Value>>, Error> {
        let mut report = Map::new();
        for name in MIGRATIONS {
            match runs.once_for_ever(tick, &format!("migration#{name}"), self.date_deletions(tick)).await? {
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
    async fn date_deletions(&self, tick: &Tick) -> Result<Progress<u64>, Error> {
        let (mut changed, mut after) = (0, None);
        while tick.has_time() {
            let (phones, next) = self.users.undated_deletions(after).await?;
            let outcomes = try_join_all(phones.iter().map(|phone| self.users.date_deletion(phone, tick.at))).await?;
            changed += outcomes.iter().map(|&was_changed| u64::from(was_changed)).sum::<u64>();
            if next.is_none() {
                return Ok(Progress::Done(changed));
            }
            after = next;
        }
        Ok(Progress::More(changed))
    }
}
