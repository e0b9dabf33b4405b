//! `[session]`: sessions and their cookie.

use serde::Deserialize;

use super::error::{SettingError, require};

/// `[session]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// How long a session lives after its last use, in seconds.
    pub ttl_secs: u64,
    /// Whether browsers may send the cookie over HTTPS only. Off in `local` alone.
    pub cookie_secure: bool,
}

impl Session {
    pub(super) fn check(&self, stage: &str) -> Result<(), SettingError> {
        require((60..=2_592_000).contains(&self.ttl_secs), "session.ttl_secs", "must be 60 to 2592000")?;
        require(self.cookie_secure || stage == "local", "session.cookie_secure", "must be true outside of stage local")
    }
}
