//! A verification code as somebody types or pastes it.

use serde_json::Value;

use super::params::{Field, Rules, text_or_integer};
use super::unicode;
use crate::error::Reason;

/// Six digits that somebody typed. Neither `Debug` nor `Display`.
pub struct VeriCode(String);

impl Field for VeriCode {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        let text = text_or_integer(value).ok_or(Reason::NotACode)?;
        // What people paste: `" 526345"`, `"526-345"`.
        let is_between = |c: &char| c.is_whitespace() || unicode::is_dash(*c) || unicode::is_format(*c);
        let digits = text.chars().filter(|c| !is_between(c)).map(unicode::digit);
        let digits: String = digits.collect::<Option<_>>().ok_or(Reason::NotACode)?;
        if digits.len() == 6 { Ok(Self(digits)) } else { Err(Reason::NotACode) }
    }
}

impl VeriCode {
    /// The six digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_code_is_six_digits() {
        let rules = Rules::sample();
        for (value, is_code) in [
            (json!("012345"), true),
            (json!(123_456), true),
            (json!(12_345), false),
            (json!("12345"), false),
            (json!("1234567"), false),
            (json!("12345a"), false),
            (json!(-12345), false),
            (json!(-123_456.0), false),
            (json!(123_456.0), true),
            (json!(1.23456e5), true),
            (json!(123_456.5), false),
            (json!(12_345.0), false),
            (json!(["123456"]), false),
            (json!(""), false),
            (json!("12345六"), false),
            (json!("12345²"), false),
            (json!("123.456"), false),
            (json!("123+456"), false),
            (json!("123\u{0}456"), false),
        ] {
            assert_eq!(VeriCode::parse(&value, &rules).is_ok(), is_code, "{value}");
        }
    }

    #[test]
    fn a_code_is_read_as_people_paste_it() {
        let rules = Rules::sample();
        for text in [
            " 012345",
            "012 345",
            "012-345\n",
            "0\u{2009}1\u{202f}2\u{3000}3\u{a0}4\t5",
            "\u{200e}012‑345\u{200b}",
            "０１２３４５",
            "٠١٢٣٤٥",
            "०१２3４5",
            "\u{feff}0–1−2\u{ad}3-4－5",
        ] {
            let code = VeriCode::parse(&json!(text), &rules);
            assert_eq!(code.as_ref().map(VeriCode::digits).ok(), Some("012345"), "{text:?}");
        }
    }
}
