//! What the changes of an account have in common that a code confirms.

use std::sync::Arc;
use std::time::Duration;

use super::sessions::Authenticator;
use crate::aws::{Clients, NO_ANSWER};
use crate::cache::Cache;
use crate::db::{Database, Users};
use crate::error::{Cause, Error, StartError};
use crate::verification::Codes;

/// How long the steps behind the session may take: that one may take 0.95 s, and a reply leaves within 2.5 s.
const BEHIND_THE_SESSION: Duration = Duration::from_millis(1_500);

/// What such a change needs.
pub(super) struct Confirmed {
    pub(super) users: Users,
    pub(super) authenticator: Authenticator,
    pub(super) codes: Codes,
}

impl Confirmed {
    /// Opens all of it, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub(super) async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let config = &clients.config;
        let ((authenticator, keys), database) =
            tokio::try_join!(Authenticator::connect_with_codes(clients), Database::connect(clients))?;
        let codes = Codes::new(authenticator.cache().clone(), keys, Arc::clone(config));
        Ok(Self { users: Users::new(&database, config)?, authenticator, codes })
    }
}

/// Steps behind the session, of which each may take its whole time. They are given up in time for the reply, wherever they are: the
/// same request, sent again, finishes them.
///
/// # Errors
/// `late`, of the backend that takes most of them.
pub(super) async fn in_time<T>(
    cache: &Cache,
    late: fn(Cause) -> Error,
    steps: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    cache.within(BEHIND_THE_SESSION, steps).await.unwrap_or_else(|_| Err(late(Cause::new(NO_ANSWER))))
}
