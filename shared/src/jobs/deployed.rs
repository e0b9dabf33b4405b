//! After a deployment: is the stage complete, and is its data as this code expects it?

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::migrations::Migrations;
use super::run_once::Resumable;
use crate::aws::{Clients, SecretKeys};
use crate::cache::Cache;
use crate::clock::Now;
use crate::config::{Config, SmsProvider};
use crate::db::{Database, Schema};
use crate::error::{Cause, Error, StartError};
use crate::models::report::Report;
use crate::models::tick::Tick;

/// What a stage is made of.
pub struct Deployed {
    runs: Resumable,
    schema: Schema,
    cache: Cache,
    secrets: Vec<(&'static str, SecretKeys)>,
    migrations: Migrations,
    config: Arc<Config>,
}

impl Deployed {
    /// Opens all of it.
    ///
    /// # Errors
    /// What stops the cold start: settings and secrets that cannot work among it.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let (config, names) = (&clients.config, &clients.config.secrets);
        let (database, cache, veri_code, jwt) = tokio::try_join!(
            Database::connect(clients),
            Cache::connect(clients),
            SecretKeys::connect(clients, &names.veri_code),
            SecretKeys::connect(clients, &names.jwt)
        )?;
        let mut secrets = vec![("secret veri_code", veri_code), ("secret jwt", jwt)];
        if config.sms.provider == SmsProvider::Http {
            config.sms_url().map_err(StartError::of)?;
        }
        if config.sms.provider.has_keys() {
            secrets.push(("secret sms", SecretKeys::connect(clients, &names.sms).await?));
        }
        Ok(Self {
            runs: Resumable::new(&database, clients)?,
            schema: Schema::new(&database, config)?,
            cache,
            secrets,
            migrations: Migrations::new(&database, config)?,
            config: Arc::clone(config),
        })
    }

    /// Checks the stage, and brings its data up to date.
    ///
    /// # Errors
    /// [`Error::Internal`] naming the checks that failed; that of a migration.
    pub async fn run(&self, tick: &Tick) -> Result<Report, Error> {
        let work = async {
            let checks = self.check(tick).await?;
            let migrations = self.migrations.apply(self.runs.runs(), tick).await?;
            Ok(migrations.map(|migrations| json!({ "checks": checks, "migrations": migrations }).into()))
        };
        Box::pin(self.runs.tick(tick, work)).await
    }

    /// Looks at everything that a function uses. Gives each check's name with `ok`.
    async fn check(&self, tick: &Tick) -> Result<Map<String, Value>, Error> {
        let now = Now::new(tick.at, self.config.zone.clone());
        let fault = |outcome: Result<(), Error>| outcome.err().map(|error| error.to_string());
        let secrets =
            self.secrets.iter().map(|(name, keys)| async { (*name, fault(keys.get(now.timestamp()).await.map(drop))) });
        let (tables, cache, secrets) = tokio::join!(self.schema.faults(), self.cache.ping(), join_all(secrets));
        let mut checks = match tables {
            Ok(faults) => faults.to_vec(),
            Err(error) => vec![("tables", Some(error.to_string()))],
        };
        checks.push(("cache", fault(cache)));
        checks.extend(secrets);
        // A function whose settings cannot work does not start.
        checks.push(("settings", None));
        let failed: Vec<_> =
            checks.iter().filter_map(|(name, fault)| Some(format!("{name}: {}", fault.as_ref()?))).collect();
        if failed.is_empty() {
            Ok(checks.into_iter().map(|(name, _)| (name.to_owned(), "ok".into())).collect())
        } else {
            Err(Error::Internal(Cause::new(&failed.join("; "))))
        }
    }
}
