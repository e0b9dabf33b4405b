//! The one connection to the cache. It is opened when it is needed, and again when it was lost, within the same call:
//! a sandbox that was frozen for an hour finds its connection gone and must not fail for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};

/// How long opening may take.
const CONNECT: Duration = Duration::from_millis(400);

pub(super) struct Connection {
    client: Client,
    config: AsyncConnectionConfig,
    open: Mutex<Option<MultiplexedConnection>>,
}

impl Connection {
    /// Nothing is opened yet.
    pub(super) fn new(url: &str) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(None);
        Ok(Self { client: Client::open(url)?, config, open: Mutex::default() })
    }

    /// Runs `access` on the open connection, and once more on a new one if that was lost. An access whose reply was
    /// lost with the connection is then done twice; each script says at its top why that is no harm.
    pub(super) async fn run<T>(&self, access: impl AsyncFn(MultiplexedConnection) -> RedisResult<T>) -> RedisResult<T> {
        let open = self.slot().clone();
        if let Some(open) = open {
            match access(open).await {
                Err(cause) if cause.is_connection_dropped() => self.forget(),
                outcome => return outcome,
            }
        }
        let new = self.client.get_multiplexed_async_connection_with_config(&self.config).await?;
        *self.slot() = Some(new.clone());
        access(new).await
    }

    /// Leaves the connection, which may be stuck; the next access opens another.
    pub(super) fn forget(&self) {
        *self.slot() = None;
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<MultiplexedConnection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
