//! `[audit]`: events about users.

use serde::Deserialize;

use super::error::{SettingError, require};

/// `[audit]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// How long an event is kept, in days.
    pub keep_days: u32,
}

impl Audit {
    pub(super) fn check(&self) -> Result<(), SettingError> {
        require((180..=3650).contains(&self.keep_days), "audit.keep_days", "must be 180 to 3650")
    }

    /// The same in seconds.
    #[must_use]
    pub fn keep_secs(&self) -> i64 {
        i64::from(self.keep_days) * 86_400
    }
}
