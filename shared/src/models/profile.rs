//! What users say of themselves: one table of fields, which everything that reads, stores or shows a profile follows.
//!
//! A new field is a line of [`FIELDS`], its description in `docs/openapi.yaml` with the translation, and a test.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value as Json;

use super::params::{Fields, Params, Required, Rules, short_text, text_or_integer};
use super::role::Role;
use crate::error::Reason;

/// One field of a profile.
pub struct ProfileField {
    /// Its name: parameter, attribute of the row, column of lists.
    pub name: &'static str,
    /// Whether nobody can register without it. A field that is not required is `""` while it is not given.
    pub is_required: bool,
    /// What it accepts.
    pub kind: Kind,
    /// The least that somebody else must be to see it; others see null.
    pub seen_by: Role,
    /// Whether the user can change it.
    pub is_changeable: bool,
}

/// The profile of a user, in the order in which parameters are named and columns are shown.
pub const FIELDS: [ProfileField; 5] = [
    required("user_name", Kind::Text { max: 32 }, Role::User),
    required("gender", Kind::Gender, Role::User),
    required("birth_day", Kind::PastDate, Role::Admin),
    optional("province", Kind::Code { max: 16 }, Role::User),
    optional("city", Kind::Code { max: 16 }, Role::User),
];

const fn required(name: &'static str, kind: Kind, seen_by: Role) -> ProfileField {
    ProfileField { name, is_required: true, kind, seen_by, is_changeable: true }
}

const fn optional(name: &'static str, kind: Kind, seen_by: Role) -> ProfileField {
    ProfileField { name, is_required: false, kind, seen_by, is_changeable: true }
}

/// What a field accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A string of 1 to `max` Unicode scalars after trimming, one of them visible, without control characters, those of
    /// direction among them.
    Text {
        /// The longest value.
        max: usize,
    },
    /// The same, also as an integer.
    Code {
        /// The longest value.
        max: usize,
    },
    /// 1 (male) or 2 (female), as a number or as a string.
    Gender,
    /// `YYYY-MM-DD`, from 1900-01-01 to today.
    PastDate,
}

/// The value of a field.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Every other kind.
    Text(String),
    /// [`Kind::Gender`].
    Number(u8),
}

/// The values of a profile, one for each of [`FIELDS`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile([Option<Value>; FIELDS.len()]);

impl Profile {
    /// Names of the fields that nobody can register without.
    pub fn required() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().filter(|field| field.is_required).map(|field| field.name)
    }

    /// Reads the parameters that are fields of this kind of need into the profile; `false` when one was refused.
    pub fn read(&mut self, fields: &mut Fields<'_>, is_required: bool) -> bool {
        let mut is_good = true;
        for (field, value) in FIELDS.iter().zip(&mut self.0).filter(|(field, _)| field.is_required == is_required) {
            match fields.read_as(field.name, |value, rules| field.kind.parse(value, rules)) {
                Some(read) => *value = read,
                None => is_good = false,
            }
        }
        is_good
    }

    /// The profile of a row: `value` gives what the row has for a field.
    ///
    /// # Errors
    /// That of `value`.
    pub fn from_row<E>(mut value: impl FnMut(&'static ProfileField) -> Result<Option<Value>, E>) -> Result<Self, E> {
        let mut profile = Self::default();
        for (field, slot) in FIELDS.iter().zip(&mut profile.0) {
            *slot = value(field)?;
        }
        Ok(profile)
    }

    /// Each field with its value, if it has one.
    pub fn iter(&self) -> impl Iterator<Item = (&'static ProfileField, Option<&Value>)> {
        FIELDS.iter().zip(self.0.iter().map(Option::as_ref))
    }

    /// The profile as somebody with this role sees it.
    #[must_use]
    pub fn seen_by(&self, role: Role) -> Seen<'_> {
        Seen { profile: self, role }
    }
}

/// A change of a profile: fields, and what they are from now on; nothing where an optional field is cleared.
pub struct ProfileChange(Vec<(&'static ProfileField, Option<Value>)>);

impl Params for ProfileChange {
    fn required() -> Required {
        Required::Nothing
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let (mut changes, mut is_good) = (Vec::new(), true);
        for field in FIELDS.iter().filter(|field| field.is_changeable) {
            if !field.is_required && fields.is_null(field.name) {
                changes.push((field, None));
                continue;
            }
            match fields.read_as(field.name, |value, rules| field.kind.parse(value, rules)) {
                Some(Some(value)) => changes.push((field, Some(value))),
                Some(None) => {}
                None => is_good = false,
            }
        }
        is_good.then_some(Self(changes))
    }
}

impl ProfileChange {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each changed field with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static ProfileField, Option<&Value>)> {
        self.0.iter().map(|(field, value)| (*field, value.as_ref()))
    }
}

/// As a row stores it: an attribute each.
impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.seen_by(Role::Admin).serialize(to)
    }
}

/// A profile, without what somebody with this role does not see.
pub struct Seen<'a> {
    profile: &'a Profile,
    role: Role,
}

impl Serialize for Seen<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(FIELDS.len()))?;
        for (field, value) in self.profile.iter() {
            if self.role < field.seen_by {
                map.serialize_entry(field.name, &())?;
            } else {
                match value {
                    Some(value) => map.serialize_entry(field.name, value)?,
                    None => map.serialize_entry(field.name, "")?,
                }
            }
        }
        map.end()
    }
}

impl Kind {
    /// Reads a value that is there.
    ///
    /// # Errors
    /// The reason for the client.
    pub fn parse(self, value: &Json, rules: &Rules) -> Result<Value, Reason> {
        match self {
            Self::Text { max } => short_text(value.as_str().ok_or(Reason::NotText)?, max).map(Value::Text),
            Self::Code { max } => short_text(&text_or_integer(value).ok_or(Reason::NotText)?, max).map(Value::Text),
            Self::Gender => match text_or_integer(value).as_deref() {
                Some("1") => Ok(Value::Number(1)),
                Some("2") => Ok(Value::Number(2)),
                _ => Err(Reason::NotAGender),
            },
            Self::PastDate => past_date(value, rules.today).map(|day| Value::Text(day.to_string())),
        }
    }
}

fn past_date(value: &Json, today: Date) -> Result<Date, Reason> {
    let text = value.as_str().ok_or(Reason::NotADate)?;
    let has_shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
    let day: Date = text.parse().ok().filter(|_| has_shape).ok_or(Reason::NotADate)?;
    if (Date::constant(1900, 1, 1)..=today).contains(&day) { Ok(day) } else { Err(Reason::DateOutOfRange) }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::params;
    use super::*;

    fn parse(kind: Kind, value: &Json) -> Result<Value, Reason> {
        kind.parse(value, &Rules::sample())
    }

    #[test]
    fn a_gender_is_1_or_2() {
        for good in [json!(1), json!("2"), json!(1.0), json!(2e0)] {
            assert!(parse(Kind::Gender, &good).is_ok(), "{good}");
        }
        for bad in [
            json!(0),
            json!(3),
            json!(-1),
            json!(1.5),
            json!(-1.0),
            json!("1.0"),
            json!(true),
            json!("男"),
            json!("01"),
            json!([1]),
            json!(" 1"),
        ] {
            assert!(parse(Kind::Gender, &bad).is_err(), "{bad}");
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
            assert_eq!(parse(Kind::PastDate, &json!(text)).err(), expected, "{text}");
        }
    }

    fn profile(given: &Json) -> Profile {
        let rules = Rules::sample();
        let mut fields = Fields::new(given.as_object().unwrap(), &rules);
        let mut profile = Profile::default();
        assert!(profile.read(&mut fields, true) && profile.read(&mut fields, false));
        profile
    }

    fn sample() -> Json {
        json!({ "user_name": " a ", "gender": "2", "birth_day": "1990-01-02", "province": 310_000, "city": "" })
    }

    #[test]
    fn a_profile_with_a_refused_field_is_none() {
        let rules = Rules::sample();
        let (given, mut profile) = (json!({ "gender": 3, "city": [1] }), Profile::default());
        let mut fields = Fields::new(given.as_object().unwrap(), &rules);
        assert!(!profile.read(&mut fields, true) && !profile.read(&mut fields, false));
        assert_eq!(Profile::required().collect::<Vec<_>>(), ["user_name", "gender", "birth_day"]);
    }

    #[test]
    fn a_profile_is_shown_in_the_order_of_the_table() {
        let text = serde_json::to_string(&profile(&sample())).unwrap();
        assert_eq!(text, r#"{"user_name":"a","gender":2,"birth_day":"1990-01-02","province":"310000","city":""}"#);
    }

    #[test]
    fn users_do_not_see_what_is_for_admins() {
        let profile = profile(&sample());
        let seen = |role| serde_json::to_value(profile.seen_by(role)).unwrap();
        assert_eq!((&seen(Role::User)["birth_day"], &seen(Role::User)["gender"]), (&json!(null), &json!(2)));
        assert_eq!(seen(Role::Admin)["birth_day"], "1990-01-02");
    }

    #[test]
    fn a_row_gives_each_field_its_value() {
        let profile = profile(&sample());
        let values: Vec<_> = profile.iter().map(|(field, value)| (field.name, value.cloned())).collect();
        let value = |field: &ProfileField| values.iter().find(|(name, _)| *name == field.name).unwrap().1.clone();
        assert_eq!(Profile::from_row(|field| Ok::<_, ()>(value(field))), Ok(profile));
        assert_eq!(Profile::from_row(|field| Err::<_, &str>(field.name)), Err("user_name"));
    }

    #[test]
    fn a_change_has_what_was_sent_and_null_clears_what_is_optional() {
        let rules = Rules::sample();
        let read = |given: Json| {
            let mut fields = Fields::new(given.as_object().unwrap(), &rules);
            let change = params::read::<ProfileChange>(&mut fields).ok()?;
            assert_eq!(change.is_empty(), change.iter().next().is_none());
            Some(change.iter().map(|(field, value)| (field.name, value.map(ToString::to_string))).collect::<Vec<_>>())
        };
        let text = |text: &str| Some(text.to_owned());
        let given = json!({ "user_name": " b ", "gender": 0, "birth_day": null, "province": null, "city": "310100" });
        assert_eq!(read(given), Some(vec![("user_name", text("b")), ("province", None), ("city", text("310100"))]));
        assert_eq!(read(json!({ "user_name": null, "city": "", "phone": "13800138000" })), Some(vec![]));
        assert_eq!(read(json!({ "gender": 3, "city": "310100" })), None);
    }

    #[test]
    fn every_field_of_the_table_is_described() {
        let description = include_str!("../../../docs/openapi.yaml");
        for field in &FIELDS {
            assert!(description.contains(&format!("        {}:", field.name)), "{} is not described", field.name);
        }
    }
}
