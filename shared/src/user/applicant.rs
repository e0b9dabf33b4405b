//! Somebody who wants to become a user: what each parameter accepts.

use jiff::civil::Date;
use serde_json::Value;

use crate::check::{self, Checked, Field, Fields, Required, Rules};
use crate::error::Reason;
use crate::phone::Phone;
use crate::veri_code::VeriCode;

/// 1 to 32 Unicode scalars, trimmed, without control characters.
pub struct UserName(pub(crate) String);

impl Field for UserName {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        check::short_text(value.as_str().ok_or(Reason::NotText)?, 32).map(Self)
    }
}

/// 1 (male) or 2 (female).
#[derive(Clone, Copy)]
pub struct Gender(pub(crate) u8);

impl Field for Gender {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        match check::text_or_integer(value).as_deref() {
            Some("1") => Ok(Self(1)),
            Some("2") => Ok(Self(2)),
            _ => Err(Reason::NotAGender),
        }
    }
}

/// A day from 1900-01-01 to today.
pub struct BirthDay(pub(crate) Date);

impl Field for BirthDay {
    fn parse(value: &Value, rules: &Rules) -> Result<Self, Reason> {
        let text = value.as_str().ok_or(Reason::NotADate)?;
        let shape_is_right = text.len() == 10
            && text.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
        let day: Date = text.parse().ok().filter(|_| shape_is_right).ok_or(Reason::NotADate)?;
        let first = Date::constant(1900, 1, 1);
        if (first..=rules.today).contains(&day) { Ok(Self(day)) } else { Err(Reason::DateOutOfRange) }
    }
}

/// A code of up to 16 characters for a province or a city.
pub struct PlaceCode(pub(crate) String);

impl Field for PlaceCode {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        check::short_text(&check::text_or_integer(value).ok_or(Reason::NotText)?, 16).map(Self)
    }
}

/// Somebody who wants to become a user.
pub struct Applicant {
    pub(crate) user_name: UserName,
    pub(crate) gender: Gender,
    pub(crate) birth_day: BirthDay,
    pub(crate) phone: Phone,
    pub(crate) veri_code: VeriCode,
    pub(crate) province: Option<PlaceCode>,
    pub(crate) city: Option<PlaceCode>,
}

impl Checked for Applicant {
    const REQUIRED: Required = Required::Together(&["user_name", "gender", "birth_day", "phone", "veri_code"]);

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let user_name = fields.read("user_name");
        let gender = fields.read("gender");
        let birth_day = fields.read("birth_day");
        let phone = fields.read("phone");
        let veri_code = fields.read("veri_code");
        let province = fields.read_optional("province");
        let city = fields.read_optional("city");
        Some(Self {
            user_name: user_name?,
            gender: gender?,
            birth_day: birth_day?,
            phone: phone?,
            veri_code: veri_code?,
            province: province?,
            city: city?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Error;

    #[test]
    fn a_gender_is_1_or_2() {
        for good in [json!(1), json!("2")] {
            assert!(Gender::parse(&good, &Rules::sample()).is_ok(), "{good}");
        }
        for bad in
            [json!(0), json!(3), json!(-1), json!(1.0), json!(true), json!("男"), json!("01"), json!([1]), json!(" 1")]
        {
            assert!(Gender::parse(&bad, &Rules::sample()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_birth_day_is_a_real_day_of_the_past() {
        for (text, expected) in [
            ("1990-01-02", None),
            ("1900-01-01", None),
            ("2026-11-22", None),
            ("2000-02-29", None),
            ("2026-11-23", Some(Reason::DateOutOfRange)),
            ("1899-12-31", Some(Reason::DateOutOfRange)),
            ("1990-02-30", Some(Reason::NotADate)),
            ("19900102", Some(Reason::NotADate)),
            ("1990/01/02", Some(Reason::NotADate)),
            ("1990-1-2", Some(Reason::NotADate)),
            ("1990-01-02T00:00:00", Some(Reason::NotADate)),
            ("abc", Some(Reason::NotADate)),
        ] {
            assert_eq!(BirthDay::parse(&json!(text), &Rules::sample()).err(), expected, "{text}");
        }
    }

    #[test]
    fn all_bad_parameters_are_named_at_once() {
        let given = json!({ "user_name": " ", "gender": 9, "birth_day": "x", "phone": "x", "veri_code": "12345" });
        let rules = Rules::sample();
        let mut fields = Fields::new(given.as_object().unwrap(), &rules);
        let Err(Error::Invalid(invalid)) = check::read::<Applicant>(&mut fields) else { panic!("accepted") };
        let names: Vec<_> = invalid.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["user_name", "gender", "birth_day", "phone", "veri_code"]);
    }
}
