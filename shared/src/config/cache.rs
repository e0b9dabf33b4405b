//! What the cache is, from the settings; where it is and who we are to it, from the environment, because only the
//! deployment knows.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::env::{authorities, given, needed};
use super::error::{SettingError, impossible, require};

/// `[cache]`: what the stage's cache is. Where it is comes from `CACHE_URL`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Its name in `ElastiCache`. The template's policies know `badge-<stage>` alone.
    pub name: String,
    /// Which of the two things that have an endpoint it is.
    pub kind: CacheKind,
    /// For the job `cache_watch`: the engines that will do, `valkey` or `redis`, each with the lowest major version.
    pub engines: BTreeMap<String, u32>,
    /// For the job `cache_watch`: the newest snapshot is at most so old, in hours. Left out, nobody expects snapshots,
    /// and AWS is not asked for them.
    pub snapshot_max_hours: Option<u64>,
}

impl Cache {
    pub(super) fn check(&self) -> Result<(), SettingError> {
        require(is_name(&self.name), "cache.name", "must be a name that ElastiCache takes")?;
        require(
            !self.engines.is_empty() && self.engines.keys().all(|one| one == "valkey" || one == "redis"),
            "cache.engines",
            "must name valkey, redis or both, each with a major version",
        )?;
        require(
            self.snapshot_max_hours.is_none_or(|hours| (1..=8760).contains(&hours)),
            "cache.snapshot_max_hours",
            "must be 1 to 8760",
        )
    }
}

/// What a cache can be in `ElastiCache`.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum CacheKind {
    /// `ElastiCache` Serverless.
    Serverless,
    /// Nodes that somebody chose.
    ReplicationGroup,
}

/// How to reach the cache.
pub struct CacheAccess {
    /// `CACHE_URL`: `redis://host:port`, or `rediss://host:port` for TLS.
    pub url: String,
    /// What is in the file that `CACHE_CA_FILE` names: certificates (PEM) of authorities to trust beside AWS's own.
    pub authorities: Vec<u8>,
    /// `CACHE_USER`: name of the `ElastiCache` user with IAM authentication to sign in as. Without it there is no signing
    /// in.
    pub user: Option<String>,
}

impl CacheAccess {
    pub(super) fn load() -> Result<Self, SettingError> {
        let url = needed("CACHE_URL")?;
        let authorities = authorities("CACHE_CA_FILE")?;
        let user = given("CACHE_USER").map(|name| user(&url, name)).transpose()?;
        Ok(Self { url, authorities, user })
    }
}

/// Host and port of `CACHE_URL`.
pub(super) fn address() -> Result<(String, u16), SettingError> {
    host_and_port(&needed("CACHE_URL")?)
        .ok_or_else(|| impossible("CACHE_URL", "must be redis://host:port or rediss://host:port"))
}

fn host_and_port(url: &str) -> Option<(String, u16)> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    // A name and a password may stand before the host; the port may be left out.
    let (_, host_port) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (host_port, 6379),
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

fn user(url: &str, name: String) -> Result<String, SettingError> {
    // Who can read the password can use it for 15 minutes.
    if !url.starts_with("rediss://") {
        return Err(impossible("CACHE_URL", "must begin with rediss:// where CACHE_USER is set"));
    }
    if is_name(&name) { Ok(name) } else { Err(impossible("CACHE_USER", "must be a name that ElastiCache takes")) }
}

/// Names of caches and of users with IAM authentication.
fn is_name(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iam_user_needs_tls_and_a_name() {
        for (url, name, key) in [
            ("redis://h:1", "badge", "CACHE_URL"),
            ("rediss://h:1", "b&dge", "CACHE_USER"),
            ("rediss://h:1", "", "CACHE_USER"),
        ] {
            let refusal = user(url, name.to_owned()).err().unwrap().to_string();
            assert!(refusal.contains(key), "{url} {name}: {refusal}");
        }
        assert_eq!(user("rediss://h:1", "badge-1".to_owned()).ok().as_deref(), Some("badge-1"));
    }

    #[test]
    fn an_address_is_host_and_port() {
        for (url, host, port) in [
            ("redis://127.0.0.1:7000", "127.0.0.1", 7000),
            ("rediss://cache.example", "cache.example", 6379),
            ("rediss://user:pass@cache.example:6380/0?protocol=resp3", "cache.example", 6380),
        ] {
            assert_eq!(host_and_port(url), Some((host.to_owned(), port)), "{url}");
        }
        for url in ["", "cache.example:6379", "redis://", "redis://cache.example:port"] {
            assert_eq!(host_and_port(url), None, "{url}");
        }
    }

    #[test]
    fn a_name_is_one_that_elasticache_takes() {
        for name in ["b", "badge-1", &"a".repeat(40)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "1badge", "-badge", "Badge", "bad_ge", &"a".repeat(41)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_cache_has_an_engine_and_a_possible_age_of_its_snapshot() {
        let check = |engines: &[&str], snapshot_max_hours| {
            let engines = engines.iter().map(|engine| ((*engine).to_owned(), 7)).collect();
            Cache { name: "badge".to_owned(), kind: CacheKind::Serverless, engines, snapshot_max_hours }.check()
        };
        for (engines, hours) in [(&["valkey"][..], None), (&["redis"], Some(1)), (&["redis", "valkey"], Some(8760))] {
            assert!(check(engines, hours).is_ok(), "{engines:?} {hours:?}");
        }
        for (engines, hours) in
            [(&["redis", "memcached"][..], None), (&[], None), (&["redis"], Some(0)), (&["redis"], Some(8761))]
        {
            assert!(check(engines, hours).is_err(), "{engines:?} {hours:?}");
        }
    }
}
