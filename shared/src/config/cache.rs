//! Where the cache is, and who we are to it: from the environment alone, because only the deployment knows.

use std::fs;

use super::SettingError;
use super::env::{given, needed};

/// How to reach the cache.
pub struct CacheAccess {
    /// `CACHE_URL`: `redis://host:port`, or `rediss://host:port` for TLS.
    pub url: String,
    /// What is in the file that `CACHE_CA_FILE` names: certificates (PEM) of authorities to trust beside AWS's own.
    pub authorities: Vec<u8>,
    /// `CACHE_USER` and `CACHE_RESOURCE`: the IAM user to sign in as. Without them there is no signing in.
    pub user: Option<CacheUser>,
}

/// An `ElastiCache` user that authenticates by IAM.
pub struct CacheUser {
    /// Its name, which for such users is its id too.
    pub name: String,
    /// Name of the cache.
    pub cache: String,
    /// What the cache is.
    pub kind: CacheKind,
}

/// The kinds of caches that take IAM users.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CacheKind {
    /// `serverlesscache:<name>`, as its ARN ends.
    Serverless,
    /// `replicationgroup:<id>`, as its ARN ends.
    ReplicationGroup,
}

impl CacheAccess {
    pub(super) fn load() -> Result<Self, SettingError> {
        let url = needed("CACHE_URL")?;
        let authorities = match given("CACHE_CA_FILE") {
            Some(path) => {
                fs::read(path).map_err(|_| impossible("CACHE_CA_FILE", "must name a file that can be read"))?
            }
            None => Vec::new(),
        };
        let user = CacheUser::read(&url, given("CACHE_USER"), given("CACHE_RESOURCE"))?;
        Ok(Self { url, authorities, user })
    }
}

impl CacheUser {
    fn read(url: &str, name: Option<String>, resource: Option<String>) -> Result<Option<Self>, SettingError> {
        let Some(name) = name else { return Ok(None) };
        // Who can read the password can use it for 15 minutes.
        if !url.starts_with("rediss://") {
            return Err(impossible("CACHE_URL", "must begin with rediss:// where CACHE_USER is set"));
        }
        let resource = resource.ok_or(SettingError::Unset("CACHE_RESOURCE"))?;
        let (kind, cache) = match resource.split_once(':') {
            Some(("serverlesscache", cache)) => (CacheKind::Serverless, cache),
            Some(("replicationgroup", cache)) => (CacheKind::ReplicationGroup, cache),
            _ => return Err(impossible("CACHE_RESOURCE", "must be serverlesscache:<name> or replicationgroup:<id>")),
        };
        for (key, text) in [("CACHE_USER", name.as_str()), ("CACHE_RESOURCE", cache)] {
            if !is_name(text) {
                return Err(impossible(key, "must be made of letters, digits and hyphens"));
            }
        }
        Ok(Some(Self { cache: cache.to_owned(), name, kind }))
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn impossible(key: &'static str, must: &'static str) -> SettingError {
    SettingError::Impossible { key, must }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str, name: &str, resource: &str) -> Result<Option<CacheUser>, String> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        CacheUser::read(url, given(name), given(resource)).map_err(|error| error.to_string())
    }

    #[test]
    fn an_iam_user_needs_tls_and_a_cache() {
        for (url, name, resource, key) in [
            ("redis://h:1", "badge", "serverlesscache:c", "CACHE_URL"),
            ("rediss://h:1", "badge", "", "CACHE_RESOURCE"),
            ("rediss://h:1", "badge", "c", "CACHE_RESOURCE"),
            ("rediss://h:1", "badge", "cluster:c", "CACHE_RESOURCE"),
            ("rediss://h:1", "badge", "serverlesscache:", "CACHE_RESOURCE"),
            ("rediss://h:1", "badge", "serverlesscache:a/b", "CACHE_RESOURCE"),
            ("rediss://h:1", "b&dge", "serverlesscache:c", "CACHE_USER"),
        ] {
            assert!(read(url, name, resource).err().unwrap().contains(key), "{url} {name} {resource}");
        }
        let user = read("rediss://h:1", "badge", "replicationgroup:c-1").unwrap().unwrap();
        assert_eq!((user.cache.as_str(), user.kind), ("c-1", CacheKind::ReplicationGroup));
        assert!(read("redis://h:1", "", "serverlesscache:c").unwrap().is_none());
    }
}
