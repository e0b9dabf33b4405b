//! Signing in to `ElastiCache` as an IAM user. The password is a request that AWS would take as ours: it is signed with
//! the function's own credentials and good for 15 minutes, so no password is stored.
//!
//! Source: Amazon `ElastiCache` User Guide, "Authenticating with IAM". AWS ends a connection after 12 hours; the next
//! one signs in anew.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_smithy_runtime_api::client::identity::Identity;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use super::clients::Clients;
use super::signed::params;
use crate::clock;
use crate::config::CacheKind;
use crate::error::Cause;

/// Characters that a signed query has as they are (RFC 3986, section 2.3).
pub(crate) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest that AWS allows.
const EXPIRES_IN: Duration = Duration::from_mins(15);

/// An IAM user of a cache.
pub(crate) struct IamToken {
    user: String,
    cache: String,
    kind: CacheKind,
    region: String,
    identity: Identity,
}

impl IamToken {
    /// The user `user` of the stage's cache.
    pub(crate) fn new(clients: &Clients, user: String) -> Self {
        let cache = &clients.config.cache;
        Self::of(user, cache.name.clone(), cache.kind, clients.env.region.clone(), clients.credentials())
    }

    fn of(user: String, cache: String, kind: CacheKind, region: String, credentials: Credentials) -> Self {
        Self { user, cache, kind, region, identity: credentials.into() }
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// A password that is good for 15 minutes from now on.
    ///
    /// # Errors
    /// Why it cannot be signed.
    pub(crate) fn password(&self) -> Result<String, Cause> {
        self.password_at(clock::wall()).map_err(|cause| Cause::of(&*cause))
    }

    /// The signed address, without its scheme.
    fn password_at(&self, at: SystemTime) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let Self { user, cache, kind, .. } = self;
        let kind = match kind {
            CacheKind::Serverless => "&ResourceType=ServerlessCache",
            CacheKind::ReplicationGroup => "",
        };
        let query = format!("{cache}/?Action=connect&User={user}{kind}");
        let url = format!("http://{query}");
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(EXPIRES_IN);
        let params = params(&self.identity, &self.region, "elasticache", at, settings)?;
        let signable = SignableRequest::new("GET", &*url, std::iter::empty(), SignableBody::Bytes(&[]))?;
        let (instructions, _) = sign(signable, &params.into())?.into_parts();
        // With percent-encoding as signatures have it (RFC 3986), where forms would write a blank as `+`.
        let encode = |value| percent_encoding::utf8_percent_encode(value, UNRESERVED);
        let mut own: Vec<_> = instructions.params().iter().collect();
        // The signature last, as AWS's own libraries write it.
        own.sort_by_key(|(name, _)| *name == "X-Amz-Signature");
        let own = own.into_iter().map(|(name, value)| format!("&{name}={}", encode(value)));
        Ok(query + &own.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// What botocore makes of the same.
    fn of_botocore(kind: &str, seconds: u64, keys: &[&str]) -> String {
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
                    let credentials = Credentials::new(id, secret, token.map(str::to_owned), None, "test");
                    let (user, cache) = ("badge-1".to_owned(), "badge-prod".to_owned());
                    let token_of = IamToken::of(user, cache, kind, "eu-central-1".to_owned(), credentials);
                    let keys: Vec<_> = [Some(id), Some(secret), token].into_iter().flatten().collect();
                    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
                    assert_eq!(token_of.password_at(at).unwrap(), of_botocore(word, seconds, &keys));
                }
            }
        }
    }
}
