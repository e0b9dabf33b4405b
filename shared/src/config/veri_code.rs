//! `[veri_code]`: verification codes and test numbers.

use jiff::civil::Date;
use serde::Deserialize;

use super::error::{SettingError, impossible, require};
use crate::models::phone::{Phone, PhoneRules};

/// `[veri_code]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VeriCode {
    /// How long a code is valid, in seconds. At most 600 (NIST SP 800-63B-4, section 3.1.3.2).
    pub ttl_secs: u64,
    /// Wrong tries that end a code.
    pub tries: u32,
    /// Numbers with a fixed code, outside all limits; in `local` and `test` only.
    #[serde(default)]
    pub test_numbers: Vec<TestNumber>,
}

/// `[[veri_code.test_numbers]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestNumber {
    phone: String,
    pub(super) code: String,
    /// The last day; written as a string, `"2026-12-31"`.
    pub(super) expires: Date,
    #[serde(skip)]
    pub(super) e164: String,
}

impl VeriCode {
    pub(super) fn check(&self, stage: &str) -> Result<(), SettingError> {
        require((60..=600).contains(&self.ttl_secs), "veri_code.ttl_secs", "must be 60 to 600")?;
        require((1..=10).contains(&self.tries), "veri_code.tries", "must be 1 to 10")?;
        require(
            self.test_numbers.is_empty() || matches!(stage, "local" | "test"),
            "veri_code.test_numbers",
            "must be empty outside of stages local and test",
        )
    }

    /// The fixed code of a test number, unless it has expired by `today`.
    #[must_use]
    pub fn fixed_code(&self, phone: &Phone, today: Date) -> Option<&str> {
        let of_phone = |number: &&TestNumber| number.e164 == phone.e164() && today <= number.expires;
        self.test_numbers.iter().find(of_phone).map(|number| number.code.as_str())
    }
}

impl TestNumber {
    pub(super) fn read(&mut self, rules: &PhoneRules) -> Result<(), SettingError> {
        let phone = Phone::parse(&self.phone, rules)
            .map_err(|_| impossible("veri_code.test_numbers.phone", "must be a number that is served"))?;
        phone.e164().clone_into(&mut self.e164);
        if self.code.len() == 6 && self.code.bytes().all(|b| b.is_ascii_digit()) {
            Ok(())
        } else {
            Err(impossible("veri_code.test_numbers.code", "must be 6 digits"))
        }
    }
}
