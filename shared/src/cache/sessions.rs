//! Sessions: what a session id stands for.

use jiff::civil::Date;

use super::Cache;
use super::script::{Script, script};
use crate::error::Error;
use crate::phone::Phone;

static SESSION_OPEN: Script = script!("session_open");

/// Where a session lies: its slot, and the SHA-256 of its id in hexadecimal.
pub struct SessionKey {
    /// The hash tag that the id carries.
    pub slot: String,
    /// The id itself is never stored.
    pub hash: String,
}

/// A session that is about to be opened.
pub struct NewSession<'a> {
    /// Where it will lie.
    pub key: SessionKey,
    /// What it will stand for.
    pub value: &'a str,
    /// How long it lives unused.
    pub ttl_secs: u64,
}

/// The code that a session is opened with.
pub struct UsedCode<'a> {
    /// Whose.
    pub phone: &'a Phone,
    /// As [`Cache::try_code`] takes them.
    pub macs: &'a str,
    /// Wrong tries that end it.
    pub tries: u32,
}

impl Cache {
    /// Uses the code up and opens the session, in one step. `false`: the code was used meanwhile, and no session was
    /// made.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn open_session_with_code(
        &self,
        code: &UsedCode<'_>,
        session: &NewSession<'_>,
        today: Date,
    ) -> Result<bool, Error> {
        let mut call = SESSION_OPEN.on(&[
            self.phone_key("code", code.phone.e164()),
            self.session_key(&session.key),
            self.figures_key(&session.key.slot, today),
        ]);
        call.arg(code.macs).arg(session.value).arg(session.ttl_secs).arg(code.tries);
        self.script(&call).await
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

    /// What the session stands for, and its life renewed, in one round trip. `None`: it is unknown or has ended.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn touch_session(&self, session: &SessionKey, ttl_secs: u64) -> Result<Option<String>, Error> {
        let mut command = redis::cmd("GETEX");
        command.arg(self.session_key(session)).arg("EX").arg(ttl_secs);
        self.command(&command).await
    }

    /// What the session stood for, and its end, in one round trip. `None`: it is unknown or has ended, or the reply to a
    /// first attempt was lost with the connection, and the session with it.
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
