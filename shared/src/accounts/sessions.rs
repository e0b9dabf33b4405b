//! Sessions: how they are opened, found and ended, and who comes with one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::tokens::Tokens;
use crate::aws::Clients;
use crate::cache::{Cache, CodeTry, NewSession, SessionKey, slot_of};
use crate::config::Config;
use crate::error::{Cause, Error, StartError};
use crate::models::call::Call;
use crate::models::principal::Principal;
use crate::models::role::Role;
use crate::models::session_id::SessionId;
use crate::models::user::{User, UserId};
use crate::verification::verdict;

/// The credentials of a request, in the order in which they are tried.
#[derive(Default)]
pub struct Credentials {
    /// A JSON web token.
    pub token: Option<String>,
    /// Session ids that could be ours.
    pub sessions: Vec<SessionId>,
}

/// The value of a session in the cache.
#[derive(Serialize, Deserialize)]
struct SessionData {
    user_id: UserId,
    role: Role,
}

/// The sessions of a stage.
pub struct Sessions {
    cache: Cache,
    config: Arc<Config>,
}

impl Sessions {
    /// Opens the cache.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        Ok(Self::new(Cache::connect(clients).await?, Arc::clone(&clients.config)))
    }

    /// Sessions in `cache`.
    #[must_use]
    pub fn new(cache: Cache, config: Arc<Config>) -> Self {
        Self { cache, config }
    }

    /// Opens a session for a user if `code` is right; always a new one, whatever the client sent. The step that judges
    /// the code uses it up.
    ///
    /// # Errors
    /// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], or [`Error::Redis`].
    pub async fn open(&self, code: &CodeTry<'_>, user: &User) -> Result<SessionId, Error> {
        let id = SessionId::new(&slot_of(user.phone.e164()))?;
        let data = SessionData { user_id: user.id, role: user.role };
        let value = serde_json::to_string(&data).map_err(|cause| Error::Internal(Cause::of(&cause)))?;
        let session = NewSession { key: key(&id), value: &value, ttl_secs: self.config.session.ttl_secs };
        verdict(self.cache.open_session(code, &session).await?)?;
        Ok(id)
    }

    /// Who comes with one of `ids`, whose life is renewed by the round trip that finds it.
    ///
    /// # Errors
    /// [`Error::NotLoggedIn`], or [`Error::Redis`].
    pub async fn find(&self, ids: Vec<SessionId>) -> Result<Principal, Error> {
        for id in ids {
            let value = self.cache.touch_session(&key(&id), self.config.session.ttl_secs).await?;
            if let Some(principal) = principal(value, id) {
                return Ok(principal);
            }
        }
        Err(Error::NotLoggedIn)
    }

    /// Ends the session of the credentials, by the round trip that finds it. A token has none.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn end(&self, credentials: Credentials) -> Result<Principal, Error> {
        for id in credentials.sessions {
            let value = self.cache.take_session(&key(&id)).await?;
            if let Some(principal) = principal(value, id) {
                return Ok(principal);
            }
        }
        Err(Error::NotLoggedIn)
    }
}

impl AsRef<Self> for Sessions {
    fn as_ref(&self) -> &Self {
        self
    }
}

fn key(id: &SessionId) -> SessionKey {
    SessionKey { slot: id.slot().to_owned(), hash: id.hash() }
}

fn principal(value: Option<String>, id: SessionId) -> Option<Principal> {
    let data: SessionData = serde_json::from_str(&value?).ok()?;
    Some(Principal { user_id: data.user_id, role: data.role, session: Some(id) })
}

/// What finds out who sends a request.
pub struct Authenticator {
    sessions: Sessions,
    tokens: Tokens,
}

impl Authenticator {
    /// Opens the cache, and reads the keys of tokens.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let (sessions, tokens) = tokio::try_join!(Sessions::connect(clients), Tokens::connect(clients))?;
        Ok(Self { sessions, tokens })
    }

    /// Who sends a request with these credentials. A token is verified without a round trip and decides alone; else the
    /// sessions are tried.
    ///
    /// # Errors
    /// [`Error::Token`], [`Error::NotLoggedIn`], or a backend.
    pub async fn identify(&self, call: &Call, credentials: Credentials) -> Result<Principal, Error> {
        match credentials.token {
            Some(token) => self.tokens.verify(call, &token).await,
            None => self.sessions.find(credentials.sessions).await,
        }
    }
}

impl AsRef<Self> for Authenticator {
    fn as_ref(&self) -> &Self {
        self
    }
}
