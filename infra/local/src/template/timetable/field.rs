//! One field of a cron expression: the values that it allows, as a sorted list.

/// The syntax of a field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) min: i16,
    pub(super) max: i16,
    /// Names of the values from `min` on, in capitals.
    names: &'static [&'static str],
    /// Whether it allows `/`.
    has_steps: bool,
    /// Whether the first value follows the last one: AWS's own example has the hours `20-2`.
    goes_round: bool,
}

pub(super) const MINUTES: Field = numbers("minutes", 0, 59);
pub(super) const HOURS: Field = numbers("hours", 0, 23);
pub(super) const DAY_OF_MONTH: Field = numbers("day-of-month", 1, 31);
pub(super) const MONTH: Field = Field {
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    ..numbers("month", 1, 12)
};
pub(super) const DAY_OF_WEEK: Field = Field {
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    has_steps: false,
    ..numbers("day-of-week", 1, 7)
};
pub(super) const YEAR: Field = Field { goes_round: false, ..numbers("year", 1970, 2199) };

const fn numbers(name: &'static str, min: i16, max: i16) -> Field {
    Field { name, min, max, names: &[], has_steps: true, goes_round: true }
}

impl Field {
    /// A list of `*`, values and ranges, each of which may have a step: `MON-FRI`, `0/15`, `1,10-20/5`.
    pub(super) fn parse(&self, text: &str) -> Result<Vec<i16>, String> {
        let mut values = Vec::new();
        for item in text.split(',') {
            let (base, step) = match item.split_once('/') {
                Some((base, step)) if self.has_steps => (base, Some(self.step(step)?)),
                Some(_) => return Err(format!("{} takes no step: {item}", self.name)),
                None => (item, None),
            };
            let (first, last) = match (base, base.split_once('-')) {
                ("*", _) => (self.min, self.max),
                (_, Some((first, last))) => (self.value(first)?, self.value(last)?),
                (_, None) => {
                    let first = self.value(base)?;
                    (first, if step.is_some() { self.max } else { first })
                }
            };
            let size = self.max - self.min + 1;
            let end = match last {
                last if last >= first => last,
                last if self.goes_round => last + size,
                _ => return Err(format!("{} has a range that ends before it begins: {base}", self.name)),
            };
            let range = (first..=end).step_by(step.unwrap_or(1));
            values.extend(range.map(|value| (value - self.min) % size + self.min));
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    /// A number or a name.
    pub(super) fn value(&self, text: &str) -> Result<i16, String> {
        let named = self.names.iter().zip(self.min..).find(|(name, _)| **name == text).map(|(_, value)| value);
        named
            .or_else(|| number(text))
            .filter(|value| (self.min..=self.max).contains(value))
            .ok_or_else(|| format!("{} is from {} to {}, not {text:?}", self.name, self.min, self.max))
    }

    fn step(&self, text: &str) -> Result<usize, String> {
        let step = number(text).filter(|step| (1..=self.max).contains(step));
        step.and_then(|step| usize::try_from(step).ok())
            .ok_or_else(|| format!("{} has a step that is not from 1 to {}: {text:?}", self.name, self.max))
    }
}

/// Digits and nothing else.
pub(super) fn number(text: &str) -> Option<i16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
