//! Redis or Valkey: sessions, codes and counters. Every access is one bounded round trip, and all keys of one
//! access share a hash tag, so that a clustered cache (`ElastiCache` Serverless is one) takes them together.

pub mod codes;
mod connection;
pub mod figures;
mod iam;
pub mod limits;
mod script;
pub mod sessions;

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisResult};
use sha2::{Digest, Sha256};

use self::connection::Connection;
use self::iam::IamUser;
use self::script::Invocation;
use crate::aws::Aws;
use crate::config::Config;
use crate::error::{Cause, Error, Fatal};
use crate::telemetry::{Backend, Tally};

/// How long one access may take, connecting included. With DynamoDB's 1.3 s after it, and once more itself,
/// an answer still leaves within the 2.5 s of the contract.
const ACCESS: Duration = Duration::from_millis(900);

/// The cache of a stage.
pub struct Cache {
    connection: Connection,
    prefix: String,
    tally: Tally,
}

impl Cache {
    /// The cache of the stage; its connection is not open yet.
    ///
    /// # Errors
    /// The setting that cannot work.
    pub(crate) fn new(config: &Config, aws: &Aws, tally: Tally) -> Result<Self, Fatal> {
        let access = config.cache_access().map_err(Fatal::of)?;
        let user = access.user.map(|user| IamUser::new(user, &config.cache, aws.signer("elasticache")));
        Ok(Self {
            connection: Connection::new(&access.url, &access.authorities, user)?,
            prefix: config.cache_prefix.clone(),
            tally,
        })
    }

    /// Opens the connection, so that the first request does not.
    pub(crate) async fn warm(&self) -> Result<(), Error> {
        self.ping().await
    }

    /// Asks whether it is there.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn ping(&self) -> Result<(), Error> {
        self.command(&redis::cmd("PING")).await
    }

    /// A name for a value that belongs to the phone `e164`.
    fn phone_key(&self, term: &str, e164: &str) -> String {
        self.key(&slot_of(e164), term, e164)
    }

    /// `iwc:{3f}:code:+8613800138000`: the hash tag between the braces decides the cluster's slot.
    fn key(&self, slot: &str, term: &str, name: &str) -> String {
        format!("{}:{{{slot}}}:{term}:{name}", self.prefix)
    }

    async fn script<T: FromRedisValue>(&self, invocation: &Invocation) -> Result<T, Error> {
        self.bounded(async |connection| invocation.run(connection).await).await
    }

    async fn command<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, Error> {
        self.bounded(async |mut connection| command.query_async(&mut connection).await).await
    }

    async fn bounded<T>(&self, access: impl AsyncFn(MultiplexedConnection) -> RedisResult<T>) -> Result<T, Error> {
        let _trip = self.tally.trip(Backend::Redis);
        let Ok(outcome) = tokio::time::timeout(ACCESS, self.connection.run(access)).await else {
            self.connection.forget();
            return Err(Error::Redis(Cause::new("no answer in time")));
        };
        outcome.map_err(|cause| Error::Redis(Cause::of(&cause)))
    }
}

/// The hash tag of everything that belongs to a phone, its sessions included, or to an address: one of 256, so that
/// a cluster spreads them and a session id that carries its tag tells nothing about the phone.
#[must_use]
pub fn slot_of(subject: &str) -> String {
    format!("{:02x}", Sha256::digest(subject.as_bytes())[0])
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
