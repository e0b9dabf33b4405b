//! Sessions: the value that a session id stands for, and the sessions that a user has.

use redis::ToRedisArgs;

use super::client::Cache;
use super::codes::{CodeTry, Try};
use super::script::Script;
use crate::error::{Cause, Error};
use crate::models::user::UserId;

static SESSION_END: Script = Script::new(include_str!("scripts/session_end.lua"));
static SESSION_RECORD: Script = Script::new(include_str!("scripts/session_record.lua"));
static SESSION_TOUCH: Script = Script::new(include_str!("scripts/session_touch.lua"));
static SESSION_OPEN: Script =
    Script::new(concat!(include_str!("scripts/code_judge.lua"), include_str!("scripts/session_open.lua")));

/// A browser gets its cookie again at most so often. A late reply then seldom brings back a cookie that another reply has
/// replaced.
const COOKIE_SECS: u64 = 3600;

/// Sessions that one user can have. A login beyond that ends the oldest.
const MOST_SESSIONS: usize = 100;

/// Where a session is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    /// The hash tag, which the id contains.
    pub slot: String,
    /// SHA-256 of the id in hexadecimal: the id itself is never stored.
    pub hash: String,
}

/// A session to open.
pub struct NewSession<'a> {
    /// Where it is stored.
    pub key: SessionKey,
    /// What it stands for.
    pub value: &'a str,
    /// How long it lives unused.
    pub ttl_secs: u64,
}

/// How long a session lives, and the moment that counts.
#[derive(Clone, Copy)]
pub struct SessionLife {
    /// Seconds since the Unix epoch.
    pub now_secs: u64,
    /// How long it lives unused.
    pub ttl_secs: u64,
    /// How long it lives at all.
    pub max_age_secs: u64,
}

/// What was found of a session.
pub enum FoundSession {
    /// It is good.
    Good {
        /// What it stands for.
        value: String,
        /// Whether the browser gets the cookie again.
        renews_cookie: bool,
    },
    /// Its user's account was disabled after it was opened.
    Disabled,
    /// It is unknown, or has ended.
    None,
}

impl Cache {
    /// Counts a try of a code and judges it; if it is right, uses the code up and opens the session, all in one step.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn open_session(&self, code: &CodeTry<'_>, session: &NewSession<'_>) -> Result<Try, Error> {
        let keys = [self.session_key(&session.key)];
        self.judge(&SESSION_OPEN, code, &keys, (session.value, session.ttl_secs)).await
    }

    /// Adds a new session to those of its user, and ends the oldest of too many.
    ///
    /// # Errors
    /// [`Error::Redis`]: the session may not be among those of its user.
    pub async fn record_session(
        &self,
        session: &SessionKey,
        user: (UserId, u64),
        life: &SessionLife,
    ) -> Result<(), Error> {
        let (id, epoch) = user;
        let set = self.key(&session.slot, "sessions", &id.to_string());
        let keys = [set.clone(), self.epochs_key(&session.slot), self.cookie_key(session)];
        let SessionLife { now_secs, max_age_secs, .. } = life;
        let args = (&session.hash, now_secs, max_age_secs, id.to_string(), epoch, MOST_SESSIONS, COOKIE_SECS);
        let excess: Vec<String> = self.script(&SESSION_RECORD, &keys, args).await?;
        if excess.is_empty() {
            return Ok(());
        }
        let mut commands = redis::pipe();
        commands.zrem(set, &excess).ignore();
        for hash in excess {
            commands.del(self.key(&session.slot, "session", &hash)).ignore();
        }
        self.send(&commands).await
    }

    /// Reads the session's value and renews its life, in one round trip.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn touch_session(&self, session: &SessionKey, life: &SessionLife) -> Result<FoundSession, Error> {
        let args = (life.now_secs, life.ttl_secs, life.max_age_secs, COOKIE_SECS);
        self.find_session(&SESSION_TOUCH, session, args).await
    }

    /// Reads the session's value and ends it, in one round trip. It is not found if a first attempt ended it and its reply
    /// was lost with the connection.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn end_session(&self, session: &SessionKey) -> Result<FoundSession, Error> {
        self.find_session(&SESSION_END, session, [0_u64; 0].as_slice()).await
    }

    /// Ends sessions of any user. It is one round trip, which may lead to several slots.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn discard_sessions(&self, sessions: &[SessionKey]) -> Result<(), Error> {
        if sessions.is_empty() {
            return Ok(());
        }
        let mut commands = redis::pipe();
        for session in sessions {
            commands.del(self.session_key(session)).ignore();
        }
        self.send(&commands).await
    }

    async fn find_session(
        &self,
        script: &Script,
        session: &SessionKey,
        args: impl ToRedisArgs + Send,
    ) -> Result<FoundSession, Error> {
        let keys = [self.session_key(session), self.epochs_key(&session.slot), self.cookie_key(session)];
        let (verdict, value, renews): (String, Option<String>, Option<u8>) = self.script(script, &keys, args).await?;
        match (verdict.as_str(), value) {
            ("good", Some(value)) => Ok(FoundSession::Good { value, renews_cookie: renews == Some(1) }),
            ("disabled", _) => Ok(FoundSession::Disabled),
            ("none", _) => Ok(FoundSession::None),
            _ => Err(Error::Redis(Cause::new("a script about a session returned no verdict"))),
        }
    }

    pub(super) async fn send(&self, commands: &redis::Pipeline) -> Result<(), Error> {
        self.access(|mut connection| async move { commands.exec_async(&mut connection).await }).await
    }

    pub(super) fn cookie_key(&self, session: &SessionKey) -> String {
        self.key(&session.slot, "cookie", &session.hash)
    }

    pub(super) fn session_key(&self, session: &SessionKey) -> String {
        self.key(&session.slot, "session", &session.hash)
    }
}
