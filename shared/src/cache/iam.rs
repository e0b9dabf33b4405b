//! Signing in to `ElastiCache` as an IAM user. The password is a request that AWS would take as ours: it is signed with
//! the function's own credentials and good for 15 minutes, so there is no password to keep.
//!
//! Source: Amazon `ElastiCache` User Guide, "Authenticating with IAM". AWS ends a connection after 12 hours; the next
//! one signs in anew.

use std::io;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

use crate::config::{self, CacheKind};

/// The longest that AWS allows.
const GOOD_FOR: Duration = Duration::from_mins(15);

/// Who we are to the cache.
pub(super) struct IamUser {
    name: String,
    cache: String,
    kind: CacheKind,
    region: String,
    identity: Identity,
}

impl IamUser {
    /// The user `name` of `cache`.
    pub(super) fn new(name: String, cache: &config::Cache, region: &str, identity: Identity) -> Self {
        Self { name, cache: cache.name.clone(), kind: cache.kind, region: region.to_owned(), identity }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A password that is good for 15 minutes from `at` on.
    pub(super) fn password(&self, at: SystemTime) -> io::Result<String> {
        self.presigned(at).map_err(io::Error::other)
    }

    fn presigned(&self, at: SystemTime) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let Self { name, cache, kind, .. } = self;
        let resource_type = match kind {
            CacheKind::Serverless => "&ResourceType=ServerlessCache",
            CacheKind::ReplicationGroup => "",
        };
        let url = format!("http://{cache}/?Action=connect&User={name}{resource_type}");
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(GOOD_FOR);
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name("elasticache")
            .time(at)
            .settings(settings)
            .build()?
            .into();
        let signable = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]))?;
        let (instructions, _signature) = sign(signable, &params)?.into_parts();
        let mut request = http::Request::get(&url).body(())?;
        instructions.apply_to_request_http1x(&mut request);
        // As AWS's own example makes it: the signature last, and no scheme.
        let mut query: Vec<_> = request.uri().query().unwrap_or_default().split('&').collect();
        query.sort_by_key(|pair| pair.starts_with("X-Amz-Signature="));
        Ok(format!("{cache}/?{}", query.join("&")))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use aws_credential_types::Credentials;

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
                    let user = IamUser {
                        name: "badge-1".to_owned(),
                        cache: "badge-prod".to_owned(),
                        kind,
                        region: "eu-central-1".to_owned(),
                        identity: credentials.into(),
                    };
                    let keys: Vec<_> = [Some(id), Some(secret), token].into_iter().flatten().collect();
                    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
                    assert_eq!(user.password(at).unwrap(), of_botocore(word, seconds, &keys));
                }
            }
        }
    }
}
