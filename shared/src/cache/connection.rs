//! The one connection to the cache. An access that finds it lost, as after a sandbox was frozen for an hour, or at a node
//! that cannot serve, as after a failover, opens another one and runs again.
//!
//! `redis`'s own `ConnectionManager` fails the access instead, and reconnects in the background, where a frozen sandbox
//! does not run; see `docs/decisions/0005-own-redis-connection.md`.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisConnectionInfo, RedisError, RedisResult,
    ServerError,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::aws::{CONNECT, IamToken, client_config};
use crate::error::StartError;

/// Codes of errors that a node gives to every client until its role or its state changes, while the name of the cache may
/// already belong to another node.
const WRONG_NODE: [&str; 7] = ["READONLY", "LOADING", "MASTERDOWN", "MOVED", "CLUSTERDOWN", "NOAUTH", "UNBLOCKED"];

/// An access is run this often: a node that goes on refusing is not flooded.
const ATTEMPTS: usize = 2;

pub(super) struct Connection {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    settings: RedisConnectionInfo,
    user: Option<IamToken>,
    open: Mutex<Option<Open>>,
}

#[derive(Clone)]
struct Open {
    connection: MultiplexedConnection,
    /// The task that reads and writes for it.
    driver: AbortHandle,
}

impl Connection {
    /// Nothing is opened yet. `rediss://` is TLS, which trusts AWS's authorities and those of `authorities` (PEM). With
    /// a `user` the URL's own name and password are ignored.
    pub(super) fn new(url: &str, authorities: &[u8], user: Option<IamToken>) -> Result<Self, StartError> {
        // The crate's own TLS would read the system's certificate store at each connection.
        let (plain_url, is_tls) = match url.strip_prefix("rediss://") {
            Some(rest) => (format!("redis://{rest}"), true),
            None => (url.to_owned(), false),
        };
        let info = plain_url.into_connection_info().map_err(StartError::of)?;
        let ConnectionAddr::Tcp(host, port) = info.addr().clone() else {
            return Err(StartError::new("CACHE_URL must be of the form redis://host:port or rediss://host:port"));
        };
        let tls = if is_tls {
            let name = ServerName::try_from(host.clone()).map_err(StartError::of)?;
            Some((client_config(authorities)?.into(), name))
        } else {
            None
        };
        // `CLIENT SETINFO` would be a round trip of its own.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        Ok(Self { host, port, tls, settings, user, open: Mutex::default() })
    }

    /// Runs `access`, and once more on a new connection if the first one was lost or leads to a node that cannot serve.
    /// If a reply was lost with its connection, the access has then run twice.
    pub(super) async fn run<T, F>(&self, access: impl Fn(MultiplexedConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let open = self.open().await?;
            match access(open.connection.clone()).await {
                Err(error) if is_lost(&error) || is_wrong_node(&error) => {
                    self.leave(&open);
                    if attempts == ATTEMPTS {
                        return Err(error);
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// Closes the connection, which may be stuck; the next access opens another one.
    pub(super) fn close(&self) {
        if let Some(open) = self.slot().take() {
            open.driver.abort();
        }
    }

    /// Leaves a connection, which another access may have replaced already. It closes when its last access has ended.
    fn leave(&self, open: &Open) {
        self.slot().take_if(|current| current.driver.id() == open.driver.id());
    }

    async fn open(&self) -> RedisResult<Open> {
        if let Some(open) = self.slot().clone() {
            return Ok(open);
        }
        let late = |_| RedisError::from(io::Error::from(io::ErrorKind::TimedOut));
        let open = timeout(CONNECT, Box::pin(self.connect())).await.map_err(late)??;
        *self.slot() = Some(open.clone());
        Ok(open)
    }

    /// Resolves the name and signs in.
    async fn connect(&self) -> RedisResult<Open> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let settings = match &self.user {
            // Each connection has a password of its own: that is good for 15 minutes, and a connection for 12 hours.
            Some(user) => self.settings.clone().set_username(user.user()).set_password(password(user)?),
            None => self.settings.clone(),
        };
        match &self.tls {
            Some((connector, name)) => start(&settings, connector.connect(name.clone(), stream).await?).await,
            None => start(&settings, stream).await,
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn password(user: &IamToken) -> RedisResult<String> {
    user.password().map_err(|cause| (ErrorKind::AuthenticationFailed, "no password", cause.to_string()).into())
}

/// Signs in over `stream`, and drives it in the background.
async fn start<S>(settings: &RedisConnectionInfo, stream: S) -> RedisResult<Open>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let (connection, driver) = MultiplexedConnection::new_with_config(settings, stream, config).await?;
    Ok(Open { connection, driver: tokio::spawn(driver).abort_handle() })
}

/// After any I/O error the driver has ended.
fn is_lost(error: &RedisError) -> bool {
    error.is_io_error()
}

/// Whether one of the replies, which may be those of a pipeline, is of [`WRONG_NODE`].
fn is_wrong_node(error: &RedisError) -> bool {
    let errors = error.clone().into_server_errors();
    errors.is_some_and(|errors| errors.iter().any(|(_, error)| names_wrong_node(error)))
}

fn names_wrong_node(error: &ServerError) -> bool {
    // Redis 6 wraps an error that a command in a script gives: `ERR Error running script (…): …: -READONLY You can't …`.
    let wrapped = error.details().filter(|_| error.code() == "ERR").unwrap_or_default();
    let mut codes = wrapped.split(' ').filter_map(|word| word.strip_prefix('-')).chain([error.code()]);
    codes.any(|code| WRONG_NODE.contains(&code))
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::super::test_server::{Requests, start};
    use super::*;

    const PONG: &str = "+PONG\r\n";
    const READONLY: &str = "-READONLY You can't write against a read only replica.";

    /// The first three and `MASTERDOWN` as Redis 7.0.15 and 6.2.14 answer; the others by `server.c` and `cluster.c`.
    const WRONG_NODES: [&str; 9] = [
        READONLY,
        "-READONLY You can't write against a read only replica. script: 5e3a, on @user_script:1.",
        "-ERR Error running script (call to f_5e3a): @user_script:1: @user_script: 1: -READONLY You can't write against a \
         read only replica.",
        "-LOADING Redis is loading the dataset in memory",
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "-MOVED 3999 127.0.0.1:6381",
        "-CLUSTERDOWN The cluster is down",
        "-NOAUTH Authentication required.",
        "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    ];

    /// A connection to a server that gives `refusal` to the requests of its first connections for which `refuses` says so.
    async fn connection(refusal: &'static str, refuses: fn(usize, usize) -> bool) -> (Connection, Requests) {
        let reply = move |connection, request| match refuses(connection, request) {
            true if refusal.is_empty() => None,
            true => Some(format!("{refusal}\r\n")),
            false => Some(PONG.to_owned()),
        };
        let (url, requests) = start(reply).await;
        (Connection::new(&url, &[], None).unwrap(), requests)
    }

    async fn ping(connection: &Connection) -> RedisResult<String> {
        connection.run(|mut open| async move { redis::cmd("PING").query_async(&mut open).await }).await
    }

    #[tokio::test]
    async fn a_connection_to_a_wrong_node_is_replaced_within_the_access() {
        for refusal in WRONG_NODES {
            let (connection, requests) =
                connection(refusal, |connection, request| (connection, request) == (0, 1)).await;
            for _ in 0..4 {
                assert_eq!(ping(&connection).await.as_deref(), Ok("PONG"), "{refusal}");
            }
            assert_eq!(requests.counts(), [2, 3], "{refusal}");
        }
    }

    #[tokio::test]
    async fn a_node_that_goes_on_refusing_is_asked_twice_by_each_access() {
        let (connection, requests) = connection(READONLY, |connection, _| connection < 4).await;
        for _ in 0..2 {
            assert_eq!(ping(&connection).await.unwrap_err().code(), Some("READONLY"));
        }
        assert_eq!(requests.counts(), [1; 4]);
        assert!(ping(&connection).await.is_ok(), "the next access finds the node that serves");
    }

    #[tokio::test]
    async fn other_errors_leave_the_connection_open() {
        for refusal in [
            "-ERR unknown command 'PIGN'",
            "-ERR Error running script (call to f_5e3a): @user_script:1: a-READONLY - - MOVED",
            "-NOPERM this user has no permissions to run the 'ping' command",
            "-OOM command not allowed when used memory > 'maxmemory'.",
            "-BUSY Redis is busy running a script.",
            "-CROSSSLOT Keys in request don't hash to the same slot",
        ] {
            let (connection, requests) = connection(refusal, |_, request| request == 0).await;
            assert!(ping(&connection).await.is_err(), "{refusal}");
            assert!(ping(&connection).await.is_ok(), "{refusal}");
            assert_eq!(requests.counts(), [2], "{refusal}");
        }
    }

    #[tokio::test]
    async fn a_lost_connection_is_replaced_within_the_access() {
        let (connection, requests) = connection("", |connection, request| (connection, request) == (0, 1)).await;
        for _ in 0..3 {
            assert!(ping(&connection).await.is_ok());
        }
        assert_eq!(requests.counts(), [2, 2]);
    }

    #[tokio::test]
    async fn a_server_that_is_back_serves_the_next_access() {
        let (connection, requests) = connection("", |connection, _| connection < 2).await;
        assert!(ping(&connection).await.unwrap_err().is_connection_dropped());
        assert!(ping(&connection).await.is_ok());
        assert_eq!(requests.counts(), [1, 1, 1]);
    }

    #[tokio::test]
    async fn accesses_that_leave_one_connection_together_do_not_close_each_others_new_ones() {
        let (connection, requests) = connection("", |_, _| false).await;
        let first = connection.open().await.unwrap();
        connection.leave(&first);
        assert!(ping(&connection).await.is_ok());
        // Another access used the first one too, and leaves it later.
        connection.leave(&first);
        assert!(ping(&connection).await.is_ok());
        assert_eq!(requests.counts(), [0, 2]);
    }

    #[tokio::test]
    async fn one_reply_of_a_wrong_node_is_found_in_a_pipeline() {
        for (reply, is_wrong) in [("-NOAUTH Authentication required.", true), (READONLY, true), (":1", false)] {
            let (url, _) = start(move |_, _| Some(format!("+OK\r\n-ERR unknown command\r\n{reply}\r\n"))).await;
            let mut open = Connection::new(&url, &[], None).unwrap().open().await.unwrap();
            let pipeline = redis::pipe().cmd("PING").cmd("PIGN").cmd("PING").clone();
            let outcome: RedisResult<Value> = pipeline.query_async(&mut open.connection).await;
            assert_eq!(is_wrong_node(&outcome.unwrap_err()), is_wrong, "{reply}");
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_an_error_of_the_access() {
        let connection = Connection::new("redis://127.0.0.1:1", &[], None).unwrap();
        assert!(ping(&connection).await.unwrap_err().is_connection_refusal());
    }

    #[test]
    fn an_address_that_is_not_host_and_port_is_refused() {
        for url in ["", "http://127.0.0.1", "redis+unix:///tmp/cache", "rediss://not a name"] {
            assert!(Connection::new(url, &[], None).is_err(), "{url}");
        }
    }
}
