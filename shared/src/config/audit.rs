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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_kept_for_half_a_year_to_ten() {
        for (keep_days, is_possible) in [(179, false), (180, true), (3650, true), (3651, false)] {
            assert_eq!(Audit { keep_days }.check().is_ok(), is_possible, "{keep_days}");
        }
        assert_eq!(Audit { keep_days: 180 }.keep_secs(), 15_552_000);
    }
}
