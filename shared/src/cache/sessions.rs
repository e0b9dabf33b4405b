//! Sessions: the value that a session id stands for.

use std::sync::LazyLock;

use super::client::Cache;
use super::codes::{CodeTry, Try};
use super::script::Script;
use crate::error::Error;

static SESSION_OPEN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(include_str!("scripts/code_judge.lua"), include_str!("scripts/session_open.lua")))
});

/// Where a session is stored.
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

impl Cache {
    /// Counts a try of a code and judges it; if it is right, uses the code up and opens the session, all in one step.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn open_session(&self, code: &CodeTry<'_>, session: &NewSession<'_>) -> Result<Try, Error> {
        let keys = [self.session_key(&session.key)];
        self.judge(&SESSION_OPEN, code, &keys, (session.value, session.ttl_secs)).await
    }

    /// Reads the session's value and renews its life, in one round trip. `None`: it is unknown or has ended.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn touch_session(&self, session: &SessionKey, ttl_secs: u64) -> Result<Option<String>, Error> {
        let mut command = redis::cmd("GETEX");
        command.arg(self.session_key(session)).arg("EX").arg(ttl_secs);
        self.command(&command).await
    }

    /// Reads the session's value and ends it, in one round trip. `None`: it is unknown or has ended, or a first attempt
    /// ended it and its reply was lost with the connection.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn take_session(&self, session: &SessionKey) -> Result<Option<String>, Error> {
        let mut command = redis::cmd("GETDEL");
        command.arg(self.session_key(session));
        self.command(&command).await
    }

    fn session_key(&self, session: &SessionKey) -> String {
        self.key(&session.slot, "session", &session.hash)
    }
}
