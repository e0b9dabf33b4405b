//! Sessions: the value that a session id stands for.

use std::sync::LazyLock;

use jiff::civil::Date;

use super::client::Cache;
use super::script::Script;
use crate::error::Error;
use crate::models::phone::Phone;

static SESSION_OPEN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/session_open.lua")));

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

/// The code that a session is opened with.
pub struct UsedCode<'a> {
    /// Whose code it is.
    pub phone: &'a Phone,
    /// As for [`Cache::try_code`].
    pub macs: &'a str,
    /// Wrong tries that end it.
    pub tries: u32,
}

impl Cache {
    /// Uses the code up and opens the session, in one step. `false`: another request used the code first, and there is
    /// no session.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn open_session_with_code(
        &self,
        code: &UsedCode<'_>,
        session: &NewSession<'_>,
        today: Date,
    ) -> Result<bool, Error> {
        let keys = [
            self.phone_key("code", code.phone),
            self.session_key(&session.key),
            self.stats_key(&session.key.slot, today),
        ];
        self.script(&SESSION_OPEN, &keys, (code.macs, session.value, session.ttl_secs, code.tries)).await
    }

    /// Opens a session without a code.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn open_session(&self, session: &NewSession<'_>) -> Result<(), Error> {
        let mut command = redis::cmd("SET");
        command.arg(self.session_key(&session.key)).arg(session.value).arg("EX").arg(session.ttl_secs);
        self.command(&command).await
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
