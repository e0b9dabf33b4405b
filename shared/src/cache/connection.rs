//! The one connection to the cache. It is opened when it is needed, and again when it was lost, within the same call:
//! a sandbox that was frozen for an hour finds its connection gone and must not fail for it.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError, RedisResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::iam::IamUser;
use crate::clock;
use crate::error::Fatal;
use crate::tls;

/// How long opening may take, TLS and signing in included.
const CONNECT: Duration = Duration::from_millis(400);

pub(super) struct Connection {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    settings: RedisConnectionInfo,
    user: Option<IamUser>,
    open: Mutex<Option<Open>>,
}

struct Open {
    connection: MultiplexedConnection,
    /// Reads and writes for it.
    driver: JoinHandle<()>,
}

impl Connection {
    /// Nothing is opened yet. `rediss://` is TLS, which trusts AWS's authorities and those of `authorities` (PEM). With
    /// a `user` the URL's own name and password do not count.
    pub(super) fn new(url: &str, authorities: &[u8], user: Option<IamUser>) -> Result<Self, Fatal> {
        // The crate's own TLS would read the system's certificate store at each connection.
        let (plain_url, is_tls) = match url.strip_prefix("rediss://") {
            Some(rest) => (format!("redis://{rest}"), true),
            None => (url.to_owned(), false),
        };
        let info = plain_url.into_connection_info().map_err(Fatal::of)?;
        let ConnectionAddr::Tcp(host, port) = info.addr().clone() else {
            return Err(Fatal::new("CACHE_URL must be of the form redis://host:port or rediss://host:port".to_owned()));
        };
        let tls = if is_tls {
            let name = ServerName::try_from(host.clone()).map_err(Fatal::of)?;
            Some((tls::client(authorities)?.into(), name))
        } else {
            None
        };
        // What the library is called is nothing to wait for: without it, opening makes no round trip of its own.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        Ok(Self { host, port, tls, settings, user, open: Mutex::default() })
    }

    /// Runs `access` on the open connection, and once more on a new one if that was lost. An access whose reply was
    /// lost with the connection is then done twice; each script says at its top why that is no harm.
    pub(super) async fn run<T>(&self, access: impl AsyncFn(MultiplexedConnection) -> RedisResult<T>) -> RedisResult<T> {
        let open = self.slot().as_ref().map(|open| open.connection.clone());
        if let Some(open) = open {
            match access(open).await {
                Err(cause) if cause.is_connection_dropped() => self.forget(),
                outcome => return outcome,
            }
        }
        let late = |_| RedisError::from(io::Error::from(io::ErrorKind::TimedOut));
        let new = timeout(CONNECT, Box::pin(self.connect())).await.map_err(late)??;
        let connection = new.connection.clone();
        *self.slot() = Some(new);
        access(connection).await
    }

    /// Leaves the connection, which may be stuck; the next access opens another.
    pub(super) fn forget(&self) {
        if let Some(open) = self.slot().take() {
            open.driver.abort();
        }
    }

    async fn connect(&self) -> RedisResult<Open> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let settings = match &self.user {
            // Made anew each time: it is good for 15 minutes, and the connection for 12 hours.
            Some(user) => {
                self.settings.clone().set_username(user.name()).set_password(user.password(clock::wall_timestamp()))
            }
            None => self.settings.clone(),
        };
        match &self.tls {
            Some((connector, name)) => speak(&settings, connector.connect(name.clone(), stream).await?).await,
            None => speak(&settings, stream).await,
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signs in over `stream`, and keeps it going in the background.
async fn speak<S>(settings: &RedisConnectionInfo, stream: S) -> RedisResult<Open>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let (connection, driver) = MultiplexedConnection::new_with_config(settings, stream, config).await?;
    Ok(Open { connection, driver: tokio::spawn(driver) })
}
