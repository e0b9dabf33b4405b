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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::params::Rules;

    fn number(phone: &str, code: &str) -> TestNumber {
        let expires = Date::constant(2026, 12, 31);
        TestNumber { phone: phone.to_owned(), code: code.to_owned(), expires, e164: String::new() }
    }

    #[test]
    fn a_test_number_is_served_and_has_six_digits() {
        let read = |phone, code| number(phone, code).read(&Rules::sample().phone);
        assert!(read("13900000001", "042424").is_ok());
        for (phone, code, key) in [
            ("1390000000", "042424", "veri_code.test_numbers.phone"),
            ("13900000001", "04242", "veri_code.test_numbers.code"),
            ("13900000001", "04242x", "veri_code.test_numbers.code"),
        ] {
            assert!(read(phone, code).unwrap_err().to_string().starts_with(key), "{phone} {code}");
        }
    }

    #[test]
    fn a_fixed_code_is_that_of_its_phone_alone() {
        let rules = Rules::sample().phone;
        let mut test_numbers = vec![number("13900000001", "111111"), number("13900000002", "222222")];
        assert!(test_numbers.iter_mut().all(|number| number.read(&rules).is_ok()));
        let settings = VeriCode { ttl_secs: 300, tries: 5, test_numbers };
        let code = |phone, today| settings.fixed_code(&Phone::parse(phone, &rules).ok().unwrap(), today);
        let (last, after) = (Date::constant(2026, 12, 31), Date::constant(2027, 1, 1));
        assert_eq!((code("13900000001", last), code("13900000002", last)), (Some("111111"), Some("222222")));
        assert_eq!((code("13900000003", last), code("13900000001", after)), (None, None));
    }

    #[test]
    fn a_code_has_a_possible_life_and_number_of_tries() {
        let check = |ttl_secs, tries| VeriCode { ttl_secs, tries, test_numbers: Vec::new() }.check("prod");
        assert!(check(60, 1).is_ok() && check(600, 10).is_ok());
        for (ttl_secs, tries) in [(59, 5), (601, 5), (300, 0), (300, 11)] {
            assert!(check(ttl_secs, tries).is_err(), "{ttl_secs} {tries}");
        }
    }
}
