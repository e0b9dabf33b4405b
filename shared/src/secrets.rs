//! Keys from AWS Secrets Manager: read in init, kept for a while, never printed.
//!
//! A key is published before it signs and verifies after it has signed, so a rotation refuses nothing, although warm
//! sandboxes learn of it at different times; see `docs/decisions/0009-rotation.md`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::aws::Aws;
use crate::error::{Cause, Error};
use crate::keep::Keep;

/// The shortest key that is accepted: as long as the output of the hash (RFC 7518, section 3.2).
pub const SHORTEST_KEY_BYTES: usize = 32;

/// How long a warm sandbox goes on with the keys that it has. `infra/setup/rotate.py` waits longer.
const KEPT: Duration = Duration::from_mins(5);

/// The key that signs, the one before it and the one after it, which verify too.
#[derive(Deserialize)]
pub struct KeyRing {
    /// Signs and verifies.
    #[serde(flatten)]
    pub current: Key,
    /// Verifies already, for sandboxes that have not heard yet that it signs.
    pub next: Option<Key>,
    /// Verifies until what it signed has expired.
    pub previous: Option<Key>,
}

impl KeyRing {
    /// Reads the text of a secret; else says what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, &'static str> {
        let ring: Self =
            serde_json::from_str(text).map_err(|_| r#"is not JSON of the form {"kid": "…", "key": "…"}"#)?;
        if ring.keys().any(|key| key.bytes().len() < SHORTEST_KEY_BYTES) {
            return Err("has a key of fewer than 32 bytes");
        }
        Ok(ring)
    }

    /// All that verify, the signing one first.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        [Some(&self.current), self.next.as_ref(), self.previous.as_ref()].into_iter().flatten()
    }
}

/// A key and its name.
#[derive(Deserialize)]
pub struct Key {
    /// Stands in the header of each token that the key signed.
    pub kid: String,
    key: SecretString,
}

impl Key {
    /// The bytes of the key.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.key.expose_secret().as_bytes()
    }
}

/// Why there is no key.
pub(crate) enum SecretError {
    /// The store says that there is no such secret for us, or what it has cannot be used. Nothing will work.
    Unusable(String),
    /// The store did not answer. It may later.
    Unreachable(Error),
}

/// One secret of the store.
pub struct Secret {
    name: String,
    kept: Keep<Arc<KeyRing>>,
}

impl Secret {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), kept: Keep::new(KEPT) }
    }

    /// The keys; without a round trip while the kept ones are fresh at `now`.
    ///
    /// # Errors
    /// [`Error::Http`] when the store does not answer, [`Error::Internal`] when what it has cannot be used.
    pub async fn keys(&self, aws: &Aws, now: Timestamp) -> Result<Arc<KeyRing>, Error> {
        self.load(aws, now).await.map_err(|error| match error {
            SecretError::Unusable(sentence) => Error::Internal(Cause::new(&sentence)),
            SecretError::Unreachable(error) => error,
        })
    }

    pub(crate) async fn load(&self, aws: &Aws, now: Timestamp) -> Result<Arc<KeyRing>, SecretError> {
        self.kept.get_or(now, async || self.fetch(aws).await).await
    }

    async fn fetch(&self, aws: &Aws) -> Result<Arc<KeyRing>, SecretError> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(rename = "SecretString")]
            secret: SecretString,
        }
        let headers =
            [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "secretsmanager.GetSecretValue")];
        let body = serde_json::json!({ "SecretId": self.name }).to_string().into_bytes();
        let secrets = aws.secrets_manager().map_err(SecretError::Unreachable)?;
        let answer = secrets.post("/", &headers, body).await.map_err(SecretError::Unreachable)?;
        match answer.status {
            200 => {}
            // Errors of the caller: no such secret, or no right to read it.
            400..500 if !String::from_utf8_lossy(&answer.body).contains("Throttling") => {
                return Err(self.unusable("cannot be read: the secret store says that it is not ours"));
            }
            status => {
                let cause = Cause::new(&format!("the secret store answered with status {status}"));
                return Err(SecretError::Unreachable(Error::Http(cause)));
            }
        }
        let found: Found = serde_json::from_slice(&answer.body).map_err(|_| self.unusable("is not a string secret"))?;
        KeyRing::read(found.secret.expose_secret()).map(Arc::new).map_err(|why| self.unusable(why))
    }

    fn unusable(&self, why: &str) -> SecretError {
        SecretError::Unusable(format!("the secret {} {why}", self.name))
    }
}
