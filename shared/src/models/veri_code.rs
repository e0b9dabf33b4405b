//! A verification code as somebody types it.

use serde_json::Value;

use super::params::{Field, Rules, text_or_integer};
use crate::error::Reason;

/// Six digits that somebody typed. Neither `Debug` nor `Display`.
pub struct VeriCode(String);

impl Field for VeriCode {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        let text = text_or_integer(value).ok_or(Reason::NotACode)?;
        let is_code = text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit());
        if is_code { Ok(Self(text)) } else { Err(Reason::NotACode) }
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
            (json!("１２３４５６"), false),
            (json!(123_456.0), false),
            (json!(-12345), false),
            (json!(["123456"]), false),
        ] {
            assert_eq!(VeriCode::parse(&value, &rules).is_ok(), is_code, "{value}");
        }
    }
}
