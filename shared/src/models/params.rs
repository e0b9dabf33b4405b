//! Parameters of a request: first the missing ones are named, then a typed read names every bad one with its reason.

use jiff::civil::Date;
use serde_json::{Map, Value};

use super::phone::{Phone, PhoneRules};
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
        Self { given, rules, invalid: Vec::new(), logged: LoggedParams::default() }
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
        let Some(value) = self.given.get(name).filter(|value| !is_falsy(value)) else {
            return Some(None);
        };
        self.logged.names.push(name);
        parse(value, self.rules).map(Some).map_err(|reason| self.invalid.push((name, reason))).ok()
    }

    /// What the log may show.
    #[must_use]
    pub fn into_logged(self) -> LoggedParams {
        self.logged
    }

    fn is_missing(&self, name: &str) -> bool {
        self.given.get(name).is_none_or(is_falsy)
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

/// The text of a string, or of a whole number that a client sent without quotes.
pub(crate) fn text_or_integer(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}

/// A string of 1 to `max` Unicode scalars after trimming, without control characters.
pub(crate) fn short_text(text: &str, max: usize) -> Result<String, Reason> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > max {
        return Err(Reason::Length(max));
    }
    if text.chars().any(char::is_control) {
        return Err(Reason::ControlCharacter);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn falsy_is_what_python_says() {
        for falsy in [json!(null), json!(false), json!(0), json!(0.0), json!(-0.0), json!(""), json!([]), json!({})] {
            assert!(is_falsy(&falsy), "{falsy}");
        }
        for truthy in [json!(true), json!(1), json!(0.1), json!("0"), json!(" "), json!([0]), json!({"a": null})] {
            assert!(!is_falsy(&truthy), "{truthy}");
        }
    }

    proptest! {
        #[test]
        fn short_text_is_trimmed_bounded_and_printable(text in any::<String>()) {
            match short_text(&text, 32) {
                Ok(kept) => {
                    prop_assert_eq!(kept.as_str(), text.trim());
                    prop_assert!((1..=32).contains(&kept.chars().count()));
                    prop_assert!(!kept.chars().any(char::is_control));
                }
                Err(Reason::Length(32)) => {
                    let length = text.trim().chars().count();
                    prop_assert!(length == 0 || length > 32);
                }
                Err(reason) => prop_assert_eq!(reason, Reason::ControlCharacter),
            }
        }
    }
}
