//! A phone number, in the one spelling under which it is stored.

mod plain;
mod rules;

use std::sync::LazyLock;

use prost::Message;
use rlibphonenumber::enums::Region;
use rlibphonenumber::{ParseError, PhoneMetadataCollection, PhoneNumberFormat, PhoneNumberType, PhoneNumberUtil};

pub use self::rules::PhoneRules;
pub(crate) use self::rules::RegionCode;
use super::unicode;
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

/// Numbers are at most 15 digits (E.164); so many characters leave room for any way to write one.
const LONGEST_SPELLING: usize = 40;

impl Phone {
    /// Reads any spelling of a number.
    ///
    /// # Errors
    /// The reason to tell the client.
    pub fn parse(text: &str, rules: &PhoneRules) -> Result<Self, Reason> {
        if let Some(e164) = plain::read(text, rules) {
            return Ok(Self(e164));
        }
        let text = plain_text(text)?;
        match plain::read(&text, rules) {
            Some(e164) => Ok(Self(e164)),
            None => Self::parse_plain_text(&text, rules),
        }
    }

    /// What [`Self::parse`] gives, without the short way for plain numbers.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn parse_by_library(text: &str, rules: &PhoneRules) -> Result<Self, Reason> {
        Self::parse_plain_text(&plain_text(text)?, rules)
    }

    fn parse_plain_text(text: &str, rules: &PhoneRules) -> Result<Self, Reason> {
        let plans = PLANS.as_ref().ok_or(Reason::NotAPhone)?;
        let number = plans.parse(text, Some(rules.default_region)).map_err(|error| match error {
            // A country code of the world, but of none that has a plan here.
            ParseError::InvalidCountryCode if text.starts_with(['+', '0']) => Reason::RegionNotAllowed,
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

    /// What other users may see: the country code and the last two digits.
    #[must_use]
    pub fn hidden(&self) -> String {
        let hidden_from = 1 + country_code_digits(&self.0);
        let shown_from = self.0.len().saturating_sub(2).max(hidden_from);
        let (code, rest) = (&self.0[..hidden_from], &self.0[shown_from..]);
        format!("{code}{}{rest}", "*".repeat(shown_from - hidden_from))
    }

    /// What the log may see: the last four digits and what stands before the four in front of them.
    #[must_use]
    pub fn masked(&self) -> String {
        let hidden_from = self.0.len().saturating_sub(8);
        let shown_from = self.0.len().saturating_sub(4);
        format!("{}****{}", &self.0[..hidden_from], &self.0[shown_from..])
    }
}

/// What people type and paste, in the characters that numbers are written in: digits of any script are read, blanks of any
/// width are one, characters that only say how others are shown are dropped, and so is a leading `tel:` (RFC 3966).
fn plain_text(text: &str) -> Result<String, Reason> {
    if text.chars().count() > LONGEST_SPELLING {
        return Err(Reason::NotAPhone);
    }
    let plain = text.chars().filter(|c| !unicode::is_format(*c)).map(|c| match c {
        '＋' => '+',
        c if c.is_whitespace() && !c.is_control() => ' ',
        c => unicode::digit(c).unwrap_or(c),
    });
    let plain: String = plain.collect();
    let plain = plain.trim_matches(' ');
    let number = plain.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("tel:")).map_or(plain, |_| &plain[4..]);
    // The library would take letters for keys of a telephone ("FLOWERS") and drop an extension; both would bend what the
    // client wrote into some other number.
    let is_refused = |c: char| c.is_control() || c.is_alphabetic() || matches!(c, ';' | '#' | '*');
    if number.contains(is_refused) { Err(Reason::NotAPhone) } else { Ok(number.trim_start_matches(' ').to_owned()) }
}

/// Digits of the country code of a number in E.164 (ITU-T, "List of ITU-T Recommendation E.164 assigned country codes").
fn country_code_digits(e164: &str) -> usize {
    let digits = e164.as_bytes().get(1..3).unwrap_or_default();
    match digits {
        [b'1' | b'7', _] => 1,
        b"20"
        | b"27"
        | [b'3', b'0'..=b'4' | b'6' | b'9']
        | [b'4', b'0' | b'1' | b'3'..=b'9']
        | [b'5', b'1'..=b'8']
        | [b'6', b'0'..=b'6']
        | [b'8', b'1' | b'2' | b'4' | b'6']
        | [b'9', b'0'..=b'5' | b'8'] => 2,
        _ => 3.min(e164.len().saturating_sub(1)),
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
            "＋８６１３８００１３８０００",
            "００８６１３８００１３８０００",
            "（＋８６）１３８－００１３－８０００",
            "١٣٨٠٠١٣٨٠٠٠",
            "१३८００१３８०००",
            "\u{202a}+86 138 0013 8000\u{202c}",
            "138\u{200c}0013\u{fe0d}8000",
            "138\u{200e}0013\u{200e}8000",
            "138\u{202f}0013\u{2009}8000",
            "138\u{a0}0013\u{3000}8000",
            "138‑0013–8000",
            "tel:13800138000",
            "tel:+86-138-0013-8000",
            " TEL: +86 138 0013 8000",
            "\u{feff}Tel:138.0013.8000",
            "\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}＋８６　１３８　００１３　８０００\u{200b}",
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
            ("13800138000,5", Reason::NotAPhone),
            ("13800138000 x5", Reason::NotAPhone),
            ("13800138000 ext. 5", Reason::NotAPhone),
            ("13800138000转5", Reason::NotAPhone),
            ("13800138000 13900139000", Reason::NotAPhone),
            ("13800138000/13900139000", Reason::NotAPhone),
            ("13800138000,13900139000", Reason::NotAPhone),
            ("13800138000、13900139000", Reason::NotAPhone),
            ("+8613800138000+8613900139000", Reason::NotAPhone),
            ("13800138000\n", Reason::NotAPhone),
            ("\t13800138000", Reason::NotAPhone),
            ("138\r\n00138000", Reason::NotAPhone),
            ("138\u{0}00138000", Reason::NotAPhone),
            ("138\u{85}00138000", Reason::NotAPhone),
            ("tel:tel:13800138000", Reason::NotAPhone),
            ("13800138000tel:", Reason::NotAPhone),
            ("tel:+86-138-0013-8000;ext=5", Reason::NotAPhone),
            ("tel:13800138000;phone-context=+86", Reason::NotAPhone),
            ("一三八〇〇一三八〇〇〇", Reason::NotAPhone),
            ("①3800138000", Reason::NotAPhone),
            ("138001380⁰⁰", Reason::NotAPhone),
            ("010 6552 9988", Reason::NotAMobile),
            ("+1 415 555 2671", Reason::RegionNotAllowed),
            ("+852 5123 4567", Reason::RegionNotAllowed),
            ("00 999 1234 5678", Reason::RegionNotAllowed),
            // The dial-out code of a carrier and a country code that none has: no number as people write it.
            ("1123400 999 1234 5678", Reason::NotAPhone),
        ] {
            assert_eq!(parse(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn a_spelling_has_at_most_forty_characters() {
        let wide = |blanks| format!("１３８{}００１３８０００", "　".repeat(blanks));
        assert_eq!(parse(&wide(29)).as_deref(), Ok("+8613800138000"));
        assert_eq!(parse(&wide(30)), Err(Reason::NotAPhone));
        assert_eq!(parse(&format!("{}13800138000", "\u{200b}".repeat(30))), Err(Reason::NotAPhone));
    }

    #[test]
    fn a_masked_number_hides_four_digits() {
        assert_eq!(Phone::stored("+8613800138000".to_owned()).masked(), "+86138****8000");
        assert_eq!(Phone::stored("+4512345678".to_owned()).masked(), "+45****5678");
    }

    #[test]
    fn another_user_sees_the_country_code_and_two_digits() {
        for (e164, hidden) in [
            ("+8613800138000", "+86*********00"),
            ("+85251234567", "+852******67"),
            ("+14155552671", "+1********71"),
            ("+4512345678", "+45******78"),
            ("+1", "+1"),
        ] {
            assert_eq!(Phone::stored(e164.to_owned()).hidden(), hidden);
        }
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
