//! Sessions: what a session id stands for.

use super::Cache;
use crate::error::Error;
use crate::phone::Phone;

/// Where a session lies: its slot, and the SHA-256 of its id in hexadecimal.
pub struct SessionKey {
    /// The hash tag that the id carries.
    pub slot: String,
    /// The id itself is never stored.
    pub hash: String,
}

impl Cache {
    /// Uses the code of `phone` up and opens the session, in one step. `false`: the code was used meanwhile,
    /// and no session was made.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn open_session_with_code(
        &self,
        phone: &Phone,
        mac: &str,
        tries: u32,
        session: &SessionKey,
        value: &str,
        ttl_secs: u64,
    ) -> Result<bool, Error> {
        let mut call = self.scripts.session_open.prepare_invoke();
        call.key(self.phone_key("code", phone.e164()))
            .key(self.session_key(session))
            .arg(mac)
            .arg(value)
            .arg(ttl_secs)
            .arg(tries);
        self.script(&call).await
    }

    /// Opens a session without a code.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn open_session(&self, session: &SessionKey, value: &str, ttl_secs: u64) -> Result<(), Error> {
        let mut command = redis::cmd("SET");
        command.arg(self.session_key(session)).arg(value).arg("EX").arg(ttl_secs);
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

    /// Ends a session.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn end_session(&self, session: &SessionKey) -> Result<(), Error> {
        let mut command = redis::cmd("DEL");
        command.arg(self.session_key(session));
        self.command(&command).await
    }

    fn session_key(&self, session: &SessionKey) -> String {
        self.key(&session.slot, "session", &session.hash)
    }
}
