//! Keys from AWS Secrets Manager: read at the cold start, cached for a while, never printed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::warn;

use super::clients::{Clients, UNREADABLE};
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

/// Source: AWS Secrets Manager API Reference, `SecretValueEntry`, and `GetSecretValue`, which responds with the same members.
#[derive(Deserialize)]
struct SecretValue {
    #[serde(rename = "ARN")]
    arn: String,
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "SecretString")]
    secret: Option<SecretString>,
}

/// Source: AWS Secrets Manager API Reference, `BatchGetSecretValue`.
#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "SecretValues")]
    values: Vec<SecretValue>,
    #[serde(default, rename = "Errors")]
    errors: Vec<BatchError>,
}

#[derive(Deserialize)]
struct BatchError {
    #[serde(rename = "SecretId")]
    secret: String,
    #[serde(rename = "ErrorCode")]
    code: String,
}

const NO_TEXT: &str = "is not a string secret";
const NOT_OURS: &str = "cannot be read: the secret store says that it is not ours";

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
        let keys = Self::new(clients, name)?;
        goes_on(keys.load(now()).await.map(drop))?;
        Ok(keys)
    }

    /// The same of two secrets, by one call: a second one side by side would open a connection of its own.
    ///
    /// # Errors
    /// A secret that cannot be used.
    pub async fn connect_both(clients: &Clients, names: [&str; 2]) -> Result<[Self; 2], StartError> {
        let both = [Self::new(clients, names[0])?, Self::new(clients, names[1])?];
        let read = async {
            let body = both[0].ask("BatchGetSecretValue", &json!({ "SecretIdList": names })).await?;
            let Batch { values, errors } = serde_json::from_slice(&body).map_err(|_| both[0].unusable(UNREADABLE))?;
            for keys in &both {
                if errors.iter().any(|error| error.secret == keys.name && is_of_the_caller(&error.code)) {
                    return Err(keys.unusable(NOT_OURS));
                }
                if let Some(value) = values.iter().find(|value| [&value.name, &value.arn].contains(&&keys.name)) {
                    keys.cached.set(now(), keys.read(value)?);
                } else {
                    // The first call asks again.
                    warn!(secret = keys.name, "the cold start goes on without a secret");
                }
            }
            Ok(())
        };
        goes_on(read.await)?;
        Ok(both)
    }

    fn new(clients: &Clients, name: &str) -> Result<Self, StartError> {
        let address = clients.address("AWS_ENDPOINT_URL_SECRETS_MANAGER", hosts::secrets_manager);
        let store = SignedService::new(clients, "secretsmanager", &address)?;
        let is_foreign = name == clients.config.secrets.sms && clients.config.sms.provider.gives_keys();
        Ok(Self { name: name.to_owned(), is_foreign, store, cached: TtlCache::new(TTL) })
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
        let body = self.ask("GetSecretValue", &json!({ "SecretId": self.name })).await?;
        self.read(&serde_json::from_slice(&body).map_err(|_| self.unusable(NO_TEXT))?)
    }

    async fn ask(&self, operation: &str, request: &Value) -> Result<Bytes, SecretError> {
        let target = format!("secretsmanager.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &*target)];
        let body = request.to_string().into_bytes();
        let response = self.store.post("/", &headers, body).await.map_err(SecretError::Unreachable)?;
        match response.status {
            200 => Ok(response.body),
            400..500 if is_of_the_caller(&String::from_utf8_lossy(&response.body)) => Err(self.unusable(NOT_OURS)),
            status => {
                let cause = Cause::new(&format!("the secret store answered with status {status}"));
                Err(SecretError::Unreachable(Error::Http(cause)))
            }
        }
    }

    fn read(&self, value: &SecretValue) -> Result<Arc<KeyRing>, SecretError> {
        let read = if self.is_foreign { KeyRing::read_any } else { KeyRing::read };
        let secret = value.secret.as_ref().ok_or_else(|| self.unusable(NO_TEXT))?;
        read(secret.expose_secret()).map(Arc::new).map_err(|why| self.unusable(why))
    }

    fn unusable(&self, why: &str) -> SecretError {
        SecretError::Unusable(format!("the secret {} {why}", self.name))
    }
}

/// No event has come yet that would bring the time.
fn now() -> Timestamp {
    clock::wall_timestamp()
}

/// A start goes on without a store that does not answer.
fn goes_on(outcome: Result<(), SecretError>) -> Result<(), StartError> {
    match outcome {
        Err(SecretError::Unusable(sentence)) => Err(StartError::new(sentence)),
        Err(SecretError::Unreachable(error)) => {
            warn!(%error, "the cold start goes on without a secret");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Whether an error says that there is no such secret, or no right to read it.
fn is_of_the_caller(error: &str) -> bool {
    !error.contains("Throttling") && !error.contains("InternalService")
}
