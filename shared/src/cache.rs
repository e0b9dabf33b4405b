//! Redis or Valkey: sessions, codes and counters. Every access is one bounded round trip, and all keys of one
//! access share a hash tag, so that a clustered cache (`ElastiCache` Serverless is one) takes them together.

pub mod codes;
mod connection;
pub mod figures;
mod iam;
pub mod limits;
pub mod sessions;

use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisResult, Script, ScriptInvocation};
use sha2::{Digest, Sha256};

use self::connection::Connection;
use self::iam::IamUser;
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
    scripts: Scripts,
}

/// Each script is one file in `cache/`, and says at its top what it takes and gives. It is hashed when it is first used:
/// a function that uses none does not pay for them.
struct Scripts {
    code_look: LazyLock<Script>,
    code_place: LazyLock<Script>,
    code_try: LazyLock<Script>,
    limit_prove: LazyLock<Script>,
    limit_return: LazyLock<Script>,
    limit_take: LazyLock<Script>,
    session_open: LazyLock<Script>,
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
            scripts: Scripts {
                code_look: LazyLock::new(|| Script::new(include_str!("cache/code_look.lua"))),
                code_place: LazyLock::new(|| Script::new(include_str!("cache/code_place.lua"))),
                code_try: LazyLock::new(|| Script::new(include_str!("cache/code_try.lua"))),
                limit_prove: LazyLock::new(|| Script::new(include_str!("cache/limit_prove.lua"))),
                limit_return: LazyLock::new(|| Script::new(include_str!("cache/limit_return.lua"))),
                limit_take: LazyLock::new(|| Script::new(include_str!("cache/limit_take.lua"))),
                session_open: LazyLock::new(|| Script::new(include_str!("cache/session_open.lua"))),
            },
        })
    }

    /// Opens the connection, so that the first request does not.
    pub(crate) async fn warm(&self) -> Result<(), Error> {
        self.ping().await
    }

    /// The same, and leaves the scripts with the server.
    pub(crate) async fn warm_with_scripts(&self) -> Result<(), Error> {
        // Not `limit_return`: it is for a failure, and loads itself then.
        let Scripts { code_look, code_place, code_try, limit_prove, limit_take, session_open, .. } = &self.scripts;
        let mut scripts = redis::pipe();
        for script in [code_look, code_place, code_try, limit_prove, limit_take, session_open] {
            scripts.load_script(script).ignore();
        }
        self.bounded(async |mut connection| scripts.exec_async(&mut connection).await).await
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

    async fn script<T: FromRedisValue>(&self, invocation: &ScriptInvocation<'_>) -> Result<T, Error> {
        self.bounded(async |mut connection| invocation.invoke_async(&mut connection).await).await
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
