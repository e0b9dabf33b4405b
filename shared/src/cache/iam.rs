//! Signing in to `ElastiCache` as an IAM user. The password is a request that AWS would take as ours: it is signed with
//! the function's own credentials and good for 15 minutes, so there is no password to keep.
//!
//! Source: Amazon `ElastiCache` User Guide, "Authenticating with IAM". AWS ends a connection after 12 hours; the next
//! one signs in anew.

use std::time::Duration;

use jiff::Timestamp;

use crate::aws::Signer;
use crate::config::{self, CacheKind};

/// The longest that AWS allows.
const GOOD_FOR: Duration = Duration::from_mins(15);

/// Who we are to the cache.
pub(super) struct IamUser {
    name: String,
    cache: String,
    kind: CacheKind,
    signer: Signer,
}

impl IamUser {
    /// The user `name` of `cache`; `signer` signs for `elasticache`.
    pub(super) fn new(name: String, cache: &config::Cache, signer: Signer) -> Self {
        Self { name, cache: cache.name.clone(), kind: cache.kind, signer }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A password that is good for 15 minutes from `at` on: a signed address, without its scheme.
    pub(super) fn password(&self, at: Timestamp) -> String {
        let Self { name, cache, kind, signer } = self;
        let query: &[_] = match kind {
            CacheKind::Serverless => &[("Action", "connect"), ("User", name), ("ResourceType", "ServerlessCache")],
            CacheKind::ReplicationGroup => &[("Action", "connect"), ("User", name)],
        };
        format!("{cache}/?{}", signer.presign(cache, query, GOOD_FOR, at))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::config::Credentials;

    /// What botocore makes of the same.
    fn of_botocore(kind: &str, seconds: i64, keys: &[&str]) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let output = Command::new(root.join(".tools/venv/bin/python"))
            .arg(root.join("infra/local/tests/interop/elasticache.py"))
            .args(["badge-1", "badge-prod", kind, "eu-central-1", &seconds.to_string()])
            .args(keys)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap_or_else(|error| panic!("{error}: type `make tools`"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_password_is_byte_for_byte_that_of_botocore() {
        let (id, secret) = ("ASIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        for (word, kind) in
            [("serverlesscache", CacheKind::Serverless), ("replicationgroup", CacheKind::ReplicationGroup)]
        {
            for token in [None, Some("IQoJb3JpZ2luX2VjE+/=and ~more")] {
                for seconds in [1_800_000_000, 951_782_399] {
                    let credentials = Credentials {
                        access_key_id: id.to_owned(),
                        secret_access_key: secret.to_owned(),
                        session_token: token.map(str::to_owned),
                    };
                    let user = IamUser {
                        name: "badge-1".to_owned(),
                        cache: "badge-prod".to_owned(),
                        kind,
                        signer: Signer::new(credentials, "eu-central-1".to_owned(), "elasticache"),
                    };
                    let keys: Vec<_> = [Some(id), Some(secret), token].into_iter().flatten().collect();
                    let at = Timestamp::from_second(seconds).unwrap();
                    assert_eq!(user.password(at), of_botocore(word, seconds, &keys));
                }
            }
        }
    }
}
