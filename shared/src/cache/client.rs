//! The cache of a stage: how its keys are named, and how long an access may take.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisResult, ToRedisArgs};
use sha2::{Digest, Sha256};
use tracing::{Instrument, warn};

use super::connection::Connection;
use super::script::Script;
use crate::aws::{Clients, IamToken, NO_ANSWER};
use crate::error::{Cause, Error, StartError};
use crate::models::phone::Phone;
use crate::telemetry::{Backend, round_trip};

/// How long one access may take, connecting and a second attempt included. With DynamoDB's 1.3 s after it, a response
/// still leaves within the 2.5 s of the contract.
const ACCESS: Duration = Duration::from_millis(900);

/// The cache of a stage. Clones share one connection.
#[derive(Clone)]
pub struct Cache {
    connection: Arc<Connection>,
    prefix: Arc<str>,
}

impl Cache {
    /// Opens the connection, so that the first request does not. A cache that does not answer is no error: each access
    /// tries again.
    ///
    /// # Errors
    /// The setting that cannot work.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let access = clients.config.cache_access().map_err(StartError::of)?;
        let user = access.user.map(|user| IamToken::new(clients, user));
        let connection = Connection::new(&access.url, &access.authorities, user)?;
        let cache = Self::new(connection, &clients.config.cache_prefix);
        if let Err(error) = cache.ping().await {
            warn!(%error, "the cold start goes on without the cache");
        }
        Ok(cache)
    }

    pub(super) fn new(connection: Connection, prefix: &str) -> Self {
        Self { connection: Arc::new(connection), prefix: prefix.into() }
    }

    /// Checks that the cache answers.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn ping(&self) -> Result<(), Error> {
        self.command(&redis::cmd("PING")).await
    }

    /// `iwc:{3f}:code:+8613800138000`: the hash tag between the braces decides the cluster's slot.
    pub(super) fn key(&self, slot: &str, term: &str, name: &str) -> String {
        format!("{}:{{{slot}}}:{term}:{name}", self.prefix)
    }

    pub(super) fn phone_key(&self, term: &str, phone: &Phone) -> String {
        self.key(&slot_of(phone.e164()), term, phone.e164())
    }

    /// Each slot counts its own stats of a day, because a script may only touch keys of one slot.
    pub(super) fn stats_key(&self, slot: &str, date: Date) -> String {
        self.key(slot, "figures", &date.to_string())
    }

    /// Gives up after `limit` what accesses the cache, before an access does so itself, and closes the connection: it may be stuck.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub(crate) async fn within<T>(&self, limit: Duration, access: impl Future<Output = T>) -> Result<T, Error> {
        tokio::time::timeout(limit, access).await.map_err(|_| {
            self.connection.close();
            Error::Redis(Cause::new(NO_ANSWER))
        })
    }

    pub(super) async fn script<T: FromRedisValue + Send>(
        &self,
        script: &Script,
        keys: &[String],
        args: impl ToRedisArgs + Send,
    ) -> Result<T, Error> {
        let args = args.to_redis_args();
        self.access(|connection| script.run(connection, keys, &args)).await
    }

    pub(super) async fn command<T: FromRedisValue + Send>(&self, command: &Cmd) -> Result<T, Error> {
        self.access(|mut connection| async move { command.query_async(&mut connection).await }).await
    }

    /// Runs `access` within its limit. It may run twice, on a second connection, and must be harmless then.
    pub(super) async fn access<T, F>(
        &self,
        access: impl Fn(MultiplexedConnection) -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        F: Future<Output = RedisResult<T>> + Send,
        T: Send,
    {
        let access = tokio::time::timeout(ACCESS, self.connection.run(access));
        let Ok(outcome) = access.instrument(round_trip(Backend::Redis)).await else {
            self.connection.close();
            return Err(Error::Redis(Cause::new(NO_ANSWER)));
        };
        outcome.map_err(|error| Error::Redis(Cause::of(&error)))
    }
}

/// The hash tag of everything that belongs to a phone, its sessions included, or to an address: one of 256, so that
/// a cluster spreads them and a session id, which contains its tag, does not reveal the phone.
#[must_use]
pub fn slot_of(subject: &str) -> String {
    format!("{:02x}", Sha256::digest(subject.as_bytes())[0])
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::codes::{CodeTry, Day, TryLimit, TryLimits};
    use super::super::sessions::{NewSession, SessionKey};
    use super::super::test_server::{Requests, start};
    use super::*;
    use crate::models::device::Client;

    async fn cache(reply: impl Fn(usize, usize) -> Option<String> + Send + Sync + 'static) -> (Cache, Requests) {
        let (url, requests) = start(reply).await;
        (Cache::new(Connection::new(&url, &[], None).unwrap(), "iwc"), requests)
    }

    async fn run(cache: &Cache) -> Result<u64, Error> {
        is_send(cache.script(&Script::new("return ARGV[1]"), &["key".to_owned()], (7, "eight"))).await
    }

    /// Request handlers have to be `Send`.
    fn is_send<T: Send>(future: T) -> T {
        future
    }

    #[tokio::test]
    async fn clones_share_a_connection() {
        let (cache, requests) = cache(|_, _| Some("+PONG\r\n".to_owned())).await;
        is_send(cache.clone().ping()).await.unwrap();
        cache.ping().await.unwrap();
        assert_eq!(requests.counts(), [2]);
    }

    #[tokio::test]
    async fn a_script_is_run_by_its_hash_and_by_its_text_where_it_is_unknown() {
        let replies = [":1\r\n", "-NOSCRIPT No matching script.\r\n", ":7\r\n"];
        let (cache, requests) = cache(move |_, request| Some(replies[request].to_owned())).await;
        assert_eq!((run(&cache).await.unwrap(), run(&cache).await.unwrap()), (1, 7));
        let args = "$1\r\n1\r\n$3\r\nkey\r\n$1\r\n7\r\n$5\r\neight\r\n";
        // `printf 'return ARGV[1]' | sha1sum`
        let by_hash = format!("*6\r\n$7\r\nEVALSHA\r\n$40\r\n098e0f0d1448c0a81dafe820f66d460eb09263da\r\n{args}");
        let by_text = format!("*6\r\n$4\r\nEVAL\r\n$14\r\nreturn ARGV[1]\r\n{args}");
        assert_eq!(requests.all(), [&*by_hash, &*by_hash, &*by_text]);
    }

    #[tokio::test]
    async fn a_new_node_that_does_not_know_a_script_is_given_its_text() {
        let (cache, requests) = cache(|connection, request| {
            let reply = match (connection, request) {
                (0, _) => "-READONLY You can't write against a read only replica.\r\n",
                (_, 0) => "-NOSCRIPT No matching script.\r\n",
                _ => ":7\r\n",
            };
            Some(reply.to_owned())
        })
        .await;
        assert_eq!(run(&cache).await.unwrap(), 7);
        assert_eq!(requests.counts(), [1, 2]);
    }

    #[tokio::test]
    async fn stats_of_a_node_that_is_loading_are_read_from_another_one() {
        let replies = ["-LOADING Redis is loading the dataset in memory\r\n", "*2\r\n$6\r\nlogins\r\n$1\r\n2\r\n"];
        let (cache, requests) = cache(move |connection, _| Some(replies[connection].repeat(257))).await;
        let stats = is_send(cache.daily_stats(Date::constant(2026, 11, 26))).await.unwrap();
        assert_eq!(stats, BTreeMap::from([("logins".to_owned(), 514)]));
        assert_eq!(requests.counts(), [1, 1]);
    }

    #[tokio::test]
    async fn an_error_has_its_cause_without_the_value() {
        let refusal = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
        let (cache, requests) = cache(move |_, _| Some(refusal.to_owned())).await;
        let key = SessionKey { slot: "3f".to_owned(), hash: "00".to_owned() };
        let session = NewSession { key, value: "secret", ttl_secs: 9 };
        let limit = TryLimit { name: "tries", max: 20 };
        let code = CodeTry {
            phone: &Phone::stored("+8613800138000".to_owned()),
            macs: "aa bb",
            client: Client::Stranger,
            limits: TryLimits { per_code: 5, per_day: limit, in_a_row: limit },
            day: Day { date: Date::constant(2026, 11, 26), left: Duration::from_secs(1) },
            fixed: "",
            registered_with: "",
            counts_always: false,
        };
        let error = is_send(cache.open_session(&code, &session)).await.err().unwrap().to_string();
        assert!(error.starts_with("redis: ") && error.contains("OOM") && !error.contains("secret"), "{error}");
        assert!(requests.all()[0].contains("iwc:{3f}:session:00"));
    }
}
