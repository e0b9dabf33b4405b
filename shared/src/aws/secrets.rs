//! Keys from AWS Secrets Manager: read at the cold start, cached for a while, never printed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tracing::warn;

use super::clients::Clients;
use super::hosts;
use super::signed::SignedService;
use super::ttl_cache::TtlCache;
use crate::clock;
use crate::error::{Cause, Error, StartError};
use crate::models::keys::KeyRing;

/// How long a warm sandbox goes on with the keys that it has. `infra/deploy/rotate.py` waits longer.
const TTL: Duration = Duration::from_mins(5);

/// Why there is no key.
enum SecretError {
    /// The store says that there is no such secret for us, or what it has cannot be used. Nothing will work.
    Unusable(String),
    /// The store did not answer. It may later.
    Unreachable(Error),
}

/// The keys of one secret.
pub struct SecretKeys {
    name: String,
    /// Whether somebody else has made the keys, and chosen their length.
    is_foreign: bool,
    store: SignedService,
    cached: TtlCache<Arc<KeyRing>>,
}

impl SecretKeys {
    /// Reads the keys of the secret `name`. A store that does not answer stops no start: the first call tries again.
    ///
    /// # Errors
    /// A secret that cannot be used.
    pub async fn connect(clients: &Clients, name: &str) -> Result<Self, StartError> {
        let address = clients.address("AWS_ENDPOINT_URL_SECRETS_MANAGER", hosts::secrets_manager);
        let store = SignedService::new(clients, "secretsmanager", &address)?;
        let is_foreign = name == clients.config.secrets.sms && clients.config.sms.provider.gives_keys();
        let keys = Self { name: name.to_owned(), is_foreign, store, cached: TtlCache::new(TTL) };
        // No event has come yet that would bring the time.
        match keys.load(clock::wall_timestamp()).await {
            Ok(_) => {}
            Err(SecretError::Unusable(sentence)) => return Err(StartError::new(sentence)),
            Err(SecretError::Unreachable(error)) => warn!(%error, "the cold start goes on without a secret"),
        }
        Ok(keys)
    }

    /// The keys; without a round trip while the cached ones are fresh at `now`.
    ///
    /// # Errors
    /// [`Error::Http`] when the store does not answer, [`Error::Internal`] when what it has cannot be used.
    pub async fn get(&self, now: Timestamp) -> Result<Arc<KeyRing>, Error> {
        self.load(now).await.map_err(|error| match error {
            SecretError::Unusable(sentence) => Error::Internal(Cause::new(&sentence)),
            SecretError::Unreachable(error) => error,
        })
    }

    async fn load(&self, now: Timestamp) -> Result<Arc<KeyRing>, SecretError> {
        self.cached.get_or(now, self.fetch()).await
    }

    async fn fetch(&self) -> Result<Arc<KeyRing>, SecretError> {
        #[derive(Deserialize)]
        struct SecretValue {
            #[serde(rename = "SecretString")]
            secret: SecretString,
        }
        let headers =
            [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "secretsmanager.GetSecretValue")];
        let body = serde_json::json!({ "SecretId": self.name }).to_string().into_bytes();
        let response = self.store.post("/", &headers, body).await.map_err(SecretError::Unreachable)?;
        match response.status {
            200 => {}
            // Errors of the caller: no such secret, or no right to read it.
            400..500 if !String::from_utf8_lossy(&response.body).contains("Throttling") => {
                return Err(self.unusable("cannot be read: the secret store says that it is not ours"));
            }
            status => {
                let cause = Cause::new(&format!("the secret store answered with status {status}"));
                return Err(SecretError::Unreachable(Error::Http(cause)));
            }
        }
        let value: SecretValue =
            serde_json::from_slice(&response.body).map_err(|_| self.unusable("is not a string secret"))?;
        let read = if self.is_foreign { KeyRing::read_any } else { KeyRing::read };
        read(value.secret.expose_secret()).map(Arc::new).map_err(|why| self.unusable(why))
    }

    fn unusable(&self, why: &str) -> SecretError {
        SecretError::Unusable(format!("the secret {} {why}", self.name))
    }
}
