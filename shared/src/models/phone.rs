//! A phone number, in the one spelling under which it is stored.

mod plain;
mod rules;

use std::sync::LazyLock;

use prost::Message;
use rlibphonenumber::enums::Region;
use rlibphonenumber::{ParseError, PhoneMetadataCollection, PhoneNumberFormat, PhoneNumberType, PhoneNumberUtil};

pub use self::rules::PhoneRules;
pub(crate) use self::rules::RegionCode;
use crate::error::Reason;

/// A mobile number as E.164 (ITU-T), such as `+8613800138000`.
///
/// It has neither `Debug` nor `Display`: what is printed has to be asked for, masked or whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

/// The numbering plans of the regions that `conf/*.toml` name; `build.rs` says why not all.
static PLANS: LazyLock<Option<PhoneNumberUtil>> = LazyLock::new(|| {
    let plans = PhoneMetadataCollection::decode(&include_bytes!(concat!(env!("OUT_DIR"), "/numbering_plans.bin"))[..]);
    PhoneNumberUtil::new_for_metadata(plans.ok()?).ok()
});

/// Numbers are at most 15 digits (E.164); this leaves room for any way to write one.
const LONGEST_SPELLING: usize = 40;

impl Phone {
    /// Reads any spelling of a number.
    ///
    /// # Errors
    /// The reason to tell the client.
    pub fn parse(text: &str, rules: &PhoneRules) -> Result<Self, Reason> {
        match plain::read(text, rules) {
            Some(e164) => Ok(Self(e164)),
            None => Self::parse_by_library(text, rules),
        }
    }

    /// What [`Self::parse`] gives, without the short way for plain numbers.
    pub(crate) fn parse_by_library(text: &str, rules: &PhoneRules) -> Result<Self, Reason> {
        // The library would take letters for keys of a telephone ("FLOWERS") and drop an extension; both would
        // bend what the client wrote into some other number.
        if text.len() > LONGEST_SPELLING || text.chars().any(|c| c.is_alphabetic() || matches!(c, ';' | '#' | '*')) {
            return Err(Reason::NotAPhone);
        }
        let plans = PLANS.as_ref().ok_or(Reason::NotAPhone)?;
        let number = plans.parse(text, Some(rules.default_region)).map_err(|error| match error {
            // A country code of the world, but of none that has a plan here.
            ParseError::InvalidCountryCode if text.trim_start().starts_with(['+', '＋', '0']) => {
                Reason::RegionNotAllowed
            }
            _ => Reason::NotAPhone,
        })?;
        if number.extension.is_some() || !plans.is_valid_number(&number) {
            return Err(Reason::NotAPhone);
        }
        let region = plans.get_region_for_number(&number).ok_or(Reason::NotAPhone)?;
        if !rules.allowed_regions.contains(&region) {
            return Err(Reason::RegionNotAllowed);
        }
        match plans.get_number_type(&number) {
            PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile => {
                Ok(Self(plans.format(&number, PhoneNumberFormat::E164).into_owned()))
            }
            _ => Err(Reason::NotAMobile),
        }
    }

    /// The region of a number that was accepted by these rules.
    pub(crate) fn region(&self, rules: &PhoneRules) -> Option<Region> {
        if let [only] = rules.allowed_regions[..] {
            return Some(only);
        }
        plain::region_of(self.e164()).or_else(|| {
            let plans = PLANS.as_ref()?;
            plans.get_region_for_number(&plans.parse(self.e164(), None).ok()?)
        })
    }

    /// A number that was stored by this service.
    pub(crate) fn stored(e164: String) -> Self {
        Self(e164)
    }

    /// The whole number, for the stores, the SMS and its owner's eyes.
    #[must_use]
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// What others and the log may see: the last four digits and what stands before the four in front of them.
    #[must_use]
    pub fn masked(&self) -> String {
        let hidden_from = self.0.len().saturating_sub(8);
        let shown_from = self.0.len().saturating_sub(4);
        format!("{}****{}", &self.0[..hidden_from], &self.0[shown_from..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::models::params::Rules;

    fn parse(text: &str) -> Result<String, Reason> {
        Phone::parse(text, &Rules::sample().phone).map(|phone| phone.e164().to_owned())
    }

    #[test]
    fn every_spelling_is_one_number() {
        for spelling in [
            "13800138000",
            " 13800138000 ",
            "138 0013 8000",
            "138-0013-8000",
            "+8613800138000",
            "+86 138 0013 8000",
            "008613800138000",
            "(+86) 138-0013-8000",
            "１３８００１３８０００",
            "8613800138000",
        ] {
            assert_eq!(parse(spelling).as_deref(), Ok("+8613800138000"), "{spelling}");
        }
    }

    #[test]
    fn what_is_no_mobile_number_of_the_region_is_refused() {
        for (text, reason) in [
            ("not a phone", Reason::NotAPhone),
            ("", Reason::NotAPhone),
            ("11111111111111111", Reason::NotAPhone),
            ("12345678901", Reason::NotAPhone),
            ("1380013800", Reason::NotAPhone),
            ("138001380001", Reason::NotAPhone),
            ("13800138OOO", Reason::NotAPhone),
            ("13800138000;ext=5", Reason::NotAPhone),
            ("13800138000 # 5", Reason::NotAPhone),
            ("010 6552 9988", Reason::NotAMobile),
            ("+1 415 555 2671", Reason::RegionNotAllowed),
            ("+852 5123 4567", Reason::RegionNotAllowed),
        ] {
            assert_eq!(parse(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn a_masked_number_hides_four_digits() {
        assert_eq!(Phone::stored("+8613800138000".to_owned()).masked(), "+86138****8000");
        assert_eq!(Phone::stored("+4512345678".to_owned()).masked(), "+45****5678");
    }

    proptest! {
        #[test]
        fn a_number_is_its_own_spelling(tail in 0_u32..100_000_000) {
            let e164 = parse(&format!("138{tail:08}")).unwrap();
            prop_assert_eq!(parse(&e164), Ok(e164.clone()));
            prop_assert_eq!(e164, format!("+86138{tail:08}"));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            if let Ok(e164) = parse(&text) {
                prop_assert!(e164.strip_prefix("+86").unwrap().bytes().all(|b| b.is_ascii_digit()));
            }
        }
    }
}
