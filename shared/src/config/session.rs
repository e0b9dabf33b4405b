//! `[session]`: sessions and their cookie.

use serde::Deserialize;

use super::error::{SettingError, require};

/// `[session]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// How long a session lives after its last use, in seconds.
    pub ttl_secs: u64,
    /// How long a session lives however often it is used, in seconds.
    pub max_age_secs: u64,
    /// Whether browsers may send the cookie over HTTPS only. Off in `local` alone.
    pub cookie_secure: bool,
}

impl Session {
    pub(super) fn check(&self, stage: &str) -> Result<(), SettingError> {
        require((60..=2_592_000).contains(&self.ttl_secs), "session.ttl_secs", "must be 60 to 2592000")?;
        require(
            (self.ttl_secs..=31_536_000).contains(&self.max_age_secs),
            "session.max_age_secs",
            "must be session.ttl_secs to 31536000",
        )?;
        require(self.cookie_secure || stage == "local", "session.cookie_secure", "must be true outside of stage local")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_a_possible_life_and_a_cookie_for_https_outside_of_local() {
        let check = |ttl_secs, cookie_secure, stage| {
            let settings = include_str!("../../../conf/prod.toml");
            let table: toml::Table = toml::from_str(settings).unwrap();
            let mut session: Session = table["session"].clone().try_into().unwrap();
            (session.ttl_secs, session.cookie_secure) = (ttl_secs, cookie_secure);
            session.check(stage)
        };
        for (ttl_secs, cookie_secure, stage) in [(60, true, "prod"), (2_592_000, true, "test"), (60, false, "local")] {
            assert!(check(ttl_secs, cookie_secure, stage).is_ok(), "{ttl_secs} {stage}");
        }
        for (ttl_secs, cookie_secure, stage) in
            [(59, true, "prod"), (2_592_001, true, "prod"), (60, false, "prod"), (60, false, "test")]
        {
            assert!(check(ttl_secs, cookie_secure, stage).is_err(), "{ttl_secs} {stage}");
        }
    }
}
