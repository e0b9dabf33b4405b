//! Parameters of a request: first the missing ones are named, then a typed read names every bad one with its reason.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Map, Number, Value};

use super::phone::{Phone, PhoneRules};
use super::unicode;
use super::user_id::UserId;
use crate::error::{Error, Reason};

/// Parameters that a route needs, and how it names those that are missing. Both ways are those of the old service.
pub enum Required {
    /// All missing ones at once, in this order.
    Together(Vec<&'static str>),
    /// Only the first missing one, in this order.
    OneByOne(&'static [&'static str]),
    /// None is needed.
    Nothing,
}

/// A set of parameters that knows how to read itself.
pub trait Params: Sized {
    /// What must be there.
    fn required() -> Required;

    /// Reads each field; `None` when one of them was refused, which `fields` then remembers.
    fn read(fields: &mut Fields<'_>) -> Option<Self>;
}

/// One parameter that knows what it accepts.
pub trait Field: Sized {
    /// Reads a value that is there.
    ///
    /// # Errors
    /// The reason to tell the client.
    fn parse(value: &Value, rules: &Rules) -> Result<Self, Reason>;

    /// What the log may show of an accepted value; nothing unless a type says otherwise.
    fn masked(&self) -> Option<String> {
        None
    }
}

/// What a typed read needs to know about the stage and the day.
#[derive(Clone)]
pub struct Rules {
    /// Today in the stage's time zone.
    pub today: Date,
    /// Which phones this stage serves.
    pub phone: PhoneRules,
}

#[cfg(any(test, feature = "fuzz"))]
impl Rules {
    /// Rules for tests of fields.
    pub(crate) fn sample() -> Self {
        use rlibphonenumber::enums::Region;
        let phone = PhoneRules { default_region: Region::CN, allowed_regions: vec![Region::CN] };
        Self { today: Date::constant(2026, 11, 22), phone }
    }
}

/// The given parameters, and what has been found wrong with them so far.
pub struct Fields<'a> {
    given: &'a Map<String, Value>,
    unreadable: Option<&'a BTreeSet<String>>,
    rules: &'a Rules,
    invalid: Vec<(&'static str, Reason)>,
    logged: LoggedParams,
}

/// What the log may show of a request's parameters.
#[derive(Default)]
pub struct LoggedParams {
    /// Names that the route knows and the client gave, never a name that a client made up.
    pub names: Vec<&'static str>,
    /// The phone, masked.
    pub phone: Option<String>,
}

impl<'a> Fields<'a> {
    /// Those of one request.
    #[must_use]
    pub fn new(given: &'a Map<String, Value>, rules: &'a Rules) -> Self {
        Self { given, unreadable: None, rules, invalid: Vec::new(), logged: LoggedParams::default() }
    }

    /// The same, with names of parameters that were given and whose values cannot be read.
    #[must_use]
    pub fn with_unreadable(self, names: &'a BTreeSet<String>) -> Self {
        Self { unreadable: Some(names), ..self }
    }

    /// Reads a field that [`Params::required`] lists.
    pub fn read<T: Field>(&mut self, name: &'static str) -> Option<T> {
        self.read_optional(name)?
    }

    /// Reads a field that may be absent or falsy, which is `Some(None)`.
    pub fn read_optional<T: Field>(&mut self, name: &'static str) -> Option<Option<T>> {
        let field = self.read_as(name, T::parse)?;
        if let Some(masked) = field.as_ref().and_then(Field::masked) {
            self.logged.phone = Some(masked);
        }
        Some(field)
    }

    /// The same, by a function.
    pub fn read_as<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&Value, &Rules) -> Result<T, Reason>,
    ) -> Option<Option<T>> {
        if self.is_unreadable(name) {
            self.logged.names.push(name);
            self.invalid.push((name, Reason::Unreadable));
            return None;
        }
        let Some(value) = self.given.get(name).filter(|value| !is_falsy(value)) else {
            return Some(None);
        };
        self.logged.names.push(name);
        parse(value, self.rules).map(Some).map_err(|reason| self.invalid.push((name, reason))).ok()
    }

    /// Whether the field is there and null, which clears an optional value.
    pub fn is_null(&mut self, name: &'static str) -> bool {
        let is_null = self.given.get(name).is_some_and(Value::is_null);
        if is_null {
            self.logged.names.push(name);
        }
        is_null
    }

    /// Reads a field that is true or false; here `false` is as good a value as `true`. Null is as if it were absent.
    pub fn read_flag(&mut self, name: &'static str) -> Option<Option<bool>> {
        if self.given.get(name) == Some(&Value::Bool(false)) {
            self.logged.names.push(name);
            return Some(Some(false));
        }
        self.read_as(name, |value, _| value.as_bool().ok_or(Reason::NotAFlag))
    }

    /// Refuses a field for a reason that only the whole request gives.
    pub fn refuse(&mut self, name: &'static str, reason: Reason) {
        self.invalid.push((name, reason));
    }

    /// What the log may show.
    #[must_use]
    pub fn into_logged(self) -> LoggedParams {
        self.logged
    }

    fn is_missing(&self, name: &str) -> bool {
        self.given.get(name).is_none_or(is_falsy) && !self.is_unreadable(name)
    }

    fn is_unreadable(&self, name: &str) -> bool {
        self.unreadable.is_some_and(|names| names.contains(name))
    }
}

/// Reads a whole set of parameters.
///
/// # Errors
/// [`Error::Missing`], [`Error::MissingOne`] or [`Error::Invalid`].
pub fn read<T: Params>(fields: &mut Fields<'_>) -> Result<T, Error> {
    match T::required() {
        Required::Together(mut names) => {
            names.retain(|name| fields.is_missing(name));
            if !names.is_empty() {
                return Err(Error::Missing(names));
            }
        }
        Required::OneByOne(names) => {
            if let Some(name) = names.iter().find(|name| fields.is_missing(name)) {
                return Err(Error::MissingOne(name));
            }
        }
        Required::Nothing => {}
    }
    let read = T::read(fields);
    read.ok_or_else(|| Error::Invalid(std::mem::take(&mut fields.invalid)))
}

/// What the old service (Python) took for "not given".
fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(yes) => !yes,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(keys) => keys.is_empty(),
    }
}

/// The text of a string, or of an integer that a client sent without quotes.
pub(crate) fn text_or_integer(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => integer(number).map(|number| number.to_string()),
        _ => None,
    }
}

/// The largest integer that is taken from a number with a point or an exponent: fifteen digits, as a phone has at most.
/// Longer ones are not exact as a double, or as the reader of JSON makes one.
const LARGEST_EXACT: f64 = 999_999_999_999_999.0;

/// A number that is an integer by its value, as JSON Schema has it: `1.0` and `1e0` are 1.
fn integer(number: &Number) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is an integer in the range")]
    let by_value =
        |value: f64| (value.fract() == 0.0 && (0.0..=LARGEST_EXACT).contains(&value)).then_some(value as u64);
    number.as_u64().or_else(|| number.as_f64().and_then(by_value))
}

/// A string of 1 to `max` Unicode scalars after trimming, one of them visible, without control characters and without those
/// that change the direction of what stands behind them.
pub(crate) fn short_text(text: &str, max: usize) -> Result<String, Reason> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > max {
        return Err(Reason::Length(max));
    }
    if text.chars().any(|c| c.is_control() || unicode::is_bidi_control(c)) {
        return Err(Reason::ControlCharacter);
    }
    if !text.chars().any(unicode::is_visible) {
        return Err(Reason::Invisible);
    }
    Ok(text.to_owned())
}

impl Field for Phone {
    fn parse(value: &Value, rules: &Rules) -> Result<Self, Reason> {
        let text = text_or_integer(value).ok_or(Reason::NotAPhone)?;
        Self::parse(&text, &rules.phone)
    }

    fn masked(&self) -> Option<String> {
        Some(self.masked())
    }
}

impl Field for UserId {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        value.as_str().and_then(|text| text.parse().ok()).ok_or(Reason::NotAnId)
    }
}

#[cfg(test)]
mod tests;
