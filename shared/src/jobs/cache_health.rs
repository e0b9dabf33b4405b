//! Is the stage's cache what the functions use? What AWS says of it, beside the settings of this stage.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::run_once::{Progress, RunOnce};
use crate::aws::{Clients, Description, ElastiCache};
use crate::config::{self, Config};
use crate::db::Database;
use crate::error::{Cause, Error, StartError};
use crate::models::report::Report;
use crate::models::tick::Tick;
use crate::telemetry::Metric;

/// What compares the cache with what the functions use.
pub struct CacheHealth {
    runs: RunOnce,
    elasticache: ElastiCache,
    config: Arc<Config>,
}

impl CacheHealth {
    /// Opens the table of runs. The cache itself is not asked.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let database = Database::connect(clients).await?;
        let config = Arc::clone(&clients.config);
        Ok(Self { runs: RunOnce::new(&database, &config)?, elasticache: ElastiCache::new(clients)?, config })
    }

    /// Looks once. What is not as it should be is a finding: another look would find the same.
    ///
    /// # Errors
    /// [`Error::Http`] when AWS does not answer.
    pub async fn run(&self, tick: &Tick) -> Result<Report, Error> {
        let work = async {
            let expected = &self.config.cache;
            let address = self.config.cache_address().map_err(|cause| Error::Internal(Cause::of(&cause)))?;
            let seen = self.elasticache.describe(expected).await?;
            Ok(Progress::Done(report(seen.as_ref(), expected, (&address.0, address.1), tick.at)))
        };
        Box::pin(self.runs.tick(tick, work)).await.map(Progress::into_inner)
    }
}

fn report(seen: Option<&Description>, expected: &config::Cache, address: (&str, u16), now: Timestamp) -> Report {
    let age = seen.and_then(|seen| seen.snapshot).map(|taken| now.duration_since(taken).max(SignedDuration::ZERO));
    let findings = match seen {
        Some(seen) => findings(seen, expected, address, age),
        None => vec![format!("there is no cache {}", expected.name)],
    };
    let age_secs = age.map(|age| age.as_secs().unsigned_abs());
    let mut metrics = vec![
        Metric::count("cache_available", u64::from(seen.is_some_and(Description::is_available))),
        Metric::count("cache_findings", findings.len() as u64),
    ];
    metrics.extend(age_secs.map(|secs| Metric::seconds("cache_snapshot_age", secs)));
    let seen = json!({
        "cache": expected.name,
        "status": seen.map(|seen| &seen.status),
        "engine": seen.map(|seen| &seen.engine),
        "version": seen.map(|seen| &seen.version),
        "endpoint": seen.and_then(|seen| seen.endpoint.as_ref()).map(|(host, port)| format!("{host}:{port}")),
        "snapshot_age_secs": age_secs,
    });
    Report { done: seen, findings, metrics }
}

fn findings(
    seen: &Description,
    expected: &config::Cache,
    (host, port): (&str, u16),
    age: Option<SignedDuration>,
) -> Vec<String> {
    let Description { status, engine, version, .. } = seen;
    let mut findings = Vec::new();
    if !seen.is_available() {
        findings.push(format!("the cache is {status}"));
    }
    match &seen.endpoint {
        Some((there, at)) if there.eq_ignore_ascii_case(host) && *at == port => {}
        Some((there, at)) => findings.push(format!("functions use {host}:{port}, and the cache is at {there}:{at}")),
        None => findings.push(format!("functions use {host}:{port}, and the cache has no endpoint")),
    }
    match expected.engines.get(engine) {
        None => findings.push(format!("the engine is {engine}")),
        Some(lowest) if major(version).is_none_or(|major| major < *lowest) => {
            findings.push(format!("{engine} is of version {version}, and {lowest} is the lowest that will do"));
        }
        Some(_) => {}
    }
    if let Some(hours) = expected.snapshot_max_hours {
        let longest = SignedDuration::from_secs(i64::try_from(hours * 3600).unwrap_or(i64::MAX));
        match age {
            Some(age) if age <= longest => {}
            Some(age) => findings.push(format!("the newest snapshot is {} hours old", age.as_hours())),
            None => findings.push("there is no snapshot".to_owned()),
        }
    }
    findings
}

/// The first number in a version; AWS writes `8`, `8.0` and `7.1.0`.
fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CacheKind;

    const ADDRESS: (&str, u16) = ("cache.example", 6379);

    fn expected() -> config::Cache {
        let engines = [("valkey".to_owned(), 8)].into();
        let (name, kind) = ("badge-prod".to_owned(), CacheKind::Serverless);
        config::Cache { name, kind, engines, snapshot_max_hours: Some(26) }
    }

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn good() -> Description {
        Description {
            status: "available".to_owned(),
            engine: "valkey".to_owned(),
            version: "8.1".to_owned(),
            endpoint: Some(("cache.example".to_owned(), 6379)),
            snapshot: Some("2026-11-22T03:00:00Z".parse().unwrap()),
        }
    }

    #[test]
    fn a_cache_as_expected_has_no_findings() {
        let report = report(Some(&good()), &expected(), ADDRESS, now());
        assert_eq!(report.findings, [""; 0]);
        assert_eq!(
            report.metrics,
            [
                Metric::count("cache_available", 1),
                Metric::count("cache_findings", 0),
                Metric::seconds("cache_snapshot_age", 9 * 3600),
            ]
        );
    }

    #[test]
    fn everything_that_differs_is_a_finding() {
        let old = Some("2026-11-20T12:00:00Z".parse().unwrap());
        for (seen, finding) in [
            (Description { status: "modifying".to_owned(), ..good() }, "modifying"),
            (Description { endpoint: Some(("other.example".to_owned(), 6379)), ..good() }, "other.example:6379"),
            (Description { endpoint: Some(("cache.example".to_owned(), 6380)), ..good() }, "cache.example:6380"),
            (Description { endpoint: None, ..good() }, "no endpoint"),
            (Description { engine: "redis".to_owned(), ..good() }, "redis"),
            (Description { version: "7.2".to_owned(), ..good() }, "7.2"),
            (Description { version: String::new(), ..good() }, "version"),
            (Description { snapshot: old, ..good() }, "48 hours"),
            (Description { snapshot: None, ..good() }, "no snapshot"),
        ] {
            let findings = report(Some(&seen), &expected(), ADDRESS, now()).findings;
            assert!(findings.len() == 1 && findings[0].contains(finding), "{finding}: {findings:?}");
        }
    }

    #[test]
    fn without_an_age_nobody_expects_snapshots() {
        let expected = config::Cache { snapshot_max_hours: None, ..expected() };
        let seen = Description { snapshot: None, ..good() };
        assert!(report(Some(&seen), &expected, ADDRESS, now()).findings.is_empty());
    }

    #[test]
    fn a_cache_that_is_not_there_is_not_available() {
        let report = report(None, &expected(), ADDRESS, now());
        assert_eq!(report.findings, ["there is no cache badge-prod"]);
        assert_eq!(report.metrics[0], Metric::count("cache_available", 0));
    }
}
