//! `limits`: what may be done how often, one row each. A request has to pass every row of its kind.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

use super::error::{SettingError, impossible};
use super::money::parts;

/// The longest list of moments that the cache keeps for a row.
const LARGEST_SLIDING_MAX: u64 = 10_000;

/// A row. Every limit has the same answer, `Error::TooManyRequests`, with the exact time to wait.
pub struct Limit {
    /// Counted as `refused_<name>` among the day's figures.
    pub name: String,
    /// What is limited.
    pub on: Action,
    /// Who shares one count.
    pub key: Subject,
    /// Over which time.
    pub window: Window,
    /// How much of it: times, or parts of money.
    pub max: u64,
    /// Whether money is counted and not times.
    pub is_money: bool,
    /// What holds while a range of numbers does not verify what it is sent.
    pub unverified: Option<Unverified>,
}

/// What a row limits.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A message with a code.
    Send,
    /// A wrong code.
    Try,
}

/// Who shares one count.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A phone.
    Phone,
    /// The numbers that differ in their last four digits.
    Prefix,
    /// The numbers that differ in their last six digits.
    Block,
    /// The numbers that differ in their last eight digits.
    Area,
    /// An IPv4 address, or the 64 bits of an IPv6 address that one subscriber has (RFC 6177).
    Ip,
    /// Everybody.
    Stage,
}

/// Over which time a row counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// Any span of this length: the moments that count are kept.
    Sliding(Duration),
    /// From midnight to midnight in the stage's time zone.
    Day,
}

/// Numbers that are sent codes and do not use them. Each send adds one to a debt, each code that is used takes
/// [`Unverified::PAID_BACK`] away.
#[derive(Clone, Copy)]
pub struct Unverified {
    /// The largest debt that changes nothing.
    pub free: u64,
    /// The row's maximum beyond that.
    pub max: u64,
}

impl Unverified {
    /// Sends that one used code pays for: who uses one code in ten has no debt.
    pub const PAID_BACK: u64 = 10;
    /// A debt is forgotten when nothing was sent for so long.
    pub const MEMORY: Duration = Duration::from_hours(24);
}

/// A row as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    name: String,
    on: Action,
    key: Subject,
    window: String,
    max: Option<u64>,
    max_money: Option<f64>,
    unproven_free: Option<u64>,
    unproven_max: Option<u64>,
}

impl Written {
    fn read(self) -> Result<Limit, &'static str> {
        let is_name = self.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !is_name || !(1..=32).contains(&self.name.len()) {
            return Err("must have a name of 1 to 32 lower-case letters, digits or `_`");
        }
        let window = read_window(&self.window)?;
        let (max, is_money) = match (self.max, self.max_money) {
            (Some(max), None) if max > 0 => (max, false),
            (None, Some(money)) if money > 0.0 => (parts(money), true),
            _ => return Err("must have one of `max` and `max_money`, above 0"),
        };
        if window != Window::Day && (is_money || max > LARGEST_SLIDING_MAX) {
            return Err("must have a max of at most 10000 unless its window is `day`, and money by the day only");
        }
        let unverified = match (self.unproven_free, self.unproven_max, self.key) {
            (None, None, _) => None,
            (Some(free), Some(max), Subject::Prefix | Subject::Block | Subject::Area)
                if max > 0 && window != Window::Day =>
            {
                Some(Unverified { free, max })
            }
            _ => return Err("must have both or none of `unproven_free` and `unproven_max`, by prefix, block or area"),
        };
        let Self { name, on, key, .. } = self;
        let limit = Limit { name, on, key, window, max, is_money, unverified };
        let is_known = match (on, key) {
            (Action::Send, _) => true,
            // NIST SP 800-63B-4, section 3.2.2: at most 100 failures in a row.
            (Action::Try, Subject::Phone) => window == Window::Day && !is_money && max <= 100,
            (Action::Try, Subject::Ip) => !is_money,
            (Action::Try, _) => false,
        };
        if is_known { Ok(limit) } else { Err("on `try` must be by `phone` and `day`, at most 100, or by `ip`") }
    }
}

fn read_window(text: &str) -> Result<Window, &'static str> {
    const MUST: &str = "must have a window of `day`, or a span such as `60s`, `10m` or `1h`, up to `24h`";
    if text == "day" {
        return Ok(Window::Day);
    }
    let span: Duration = text.parse::<SignedDuration>().ok().and_then(|span| span.try_into().ok()).ok_or(MUST)?;
    let is_possible = (Duration::from_secs(1)..=Duration::from_hours(24)).contains(&span);
    if is_possible { Ok(Window::Sliding(span)) } else { Err(MUST) }
}

/// The whole table, in the order in which it is written.
pub struct Limits {
    rows: Vec<Limit>,
}

impl Limits {
    pub(super) fn read(written: Vec<Written>) -> Result<Self, SettingError> {
        let rows = written.into_iter().map(Written::read).collect::<Result<Vec<_>, _>>();
        let rows = rows.map_err(|must| impossible("limits", must))?;
        let limits = Self { rows };
        let count = |is_one: fn(&Limit) -> bool| limits.rows.iter().filter(|row| is_one(row)).count();
        for (is_possible, must) in [
            (limits.has_names_apart(), "must have each name once"),
            (
                count(Limit::is_cool_down) == 1,
                "must have one row on `send` by `phone` with a max of 1: the time between two messages",
            ),
            (
                count(|row| row.on == Action::Try && row.key == Subject::Phone) == 1,
                "must have one row on `try` by `phone`: the wrong tries of a day",
            ),
        ] {
            if !is_possible {
                return Err(impossible("limits", must));
            }
        }
        Ok(limits)
    }

    /// The rows of one action.
    pub fn on(&self, action: Action) -> impl Iterator<Item = &Limit> {
        self.rows.iter().filter(move |row| row.on == action)
    }

    /// Every row.
    pub fn iter(&self) -> impl Iterator<Item = &Limit> {
        self.rows.iter()
    }

    /// Seconds between two messages to a phone.
    #[must_use]
    pub fn cool_down_secs(&self) -> u64 {
        self.rows.iter().find(|row| row.is_cool_down()).map_or(0, |row| match row.window {
            Window::Sliding(span) => span.as_secs(),
            Window::Day => 0,
        })
    }

    /// Wrong tries of a phone in a day.
    #[must_use]
    pub fn tries_per_day(&self) -> u64 {
        self.on(Action::Try).find(|row| row.key == Subject::Phone).map_or(0, |row| row.max)
    }

    fn has_names_apart(&self) -> bool {
        let mut names: Vec<_> = self.rows.iter().map(|row| &row.name).collect();
        names.sort_unstable();
        names.windows(2).all(|pair| pair[0] != pair[1])
    }
}

impl Limit {
    fn is_cool_down(&self) -> bool {
        self.on == Action::Send && self.key == Subject::Phone && self.max == 1 && self.window != Window::Day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &str) -> Result<Limits, String> {
        #[derive(Deserialize)]
        struct File {
            limits: Vec<Written>,
        }
        let file: File = toml::from_str(&format!("limits = [{rows}]")).map_err(|error| error.to_string())?;
        Limits::read(file.limits).map_err(|error| error.to_string())
    }

    const COOL_DOWN: &str = r#"{ name = "cool_down", on = "send", key = "phone", window = "60s", max = 1 }"#;
    const TRIES: &str = r#"{ name = "tries", on = "try", key = "phone", window = "day", max = 20 }"#;

    #[test]
    fn the_two_rows_that_a_phone_needs_are_enough() {
        let limits = read(&format!("{COOL_DOWN}, {TRIES}")).unwrap();
        assert_eq!((limits.cool_down_secs(), limits.tries_per_day()), (60, 20));
    }

    #[test]
    fn rows_that_cannot_work_are_refused_with_what_they_must_be() {
        for (row, sentence) in [
            (r#"{ name = "X", on = "send", key = "ip", window = "10m", max = 1 }"#, "name"),
            (r#"{ name = "tries", on = "send", key = "ip", window = "10m", max = 1 }"#, "each name once"),
            (r#"{ name = "x", on = "send", key = "ip", window = "10 parsecs", max = 1 }"#, "window"),
            (r#"{ name = "x", on = "send", key = "ip", window = "25h", max = 1 }"#, "window"),
            (r#"{ name = "x", on = "send", key = "ip", window = "-1m", max = 1 }"#, "window"),
            (r#"{ name = "x", on = "send", key = "ip", window = "10m", max = 0 }"#, "above 0"),
            (r#"{ name = "x", on = "send", key = "ip", window = "10m" }"#, "one of"),
            (r#"{ name = "x", on = "send", key = "ip", window = "day", max = 1, max_money = 1.0 }"#, "one of"),
            (r#"{ name = "x", on = "send", key = "ip", window = "10m", max = 10001 }"#, "at most 10000"),
            (r#"{ name = "x", on = "send", key = "stage", window = "10m", max_money = 1.0 }"#, "by the day only"),
            (
                r#"{ name = "x", on = "send", key = "prefix", window = "1h", max = 9, unproven_max = 1 }"#,
                "both or none",
            ),
            (
                r#"{ name = "x", on = "send", key = "ip", window = "1h", max = 9, unproven_max = 1, unproven_free = 1 }"#,
                "by prefix, block or area",
            ),
            (r#"{ name = "x", on = "try", key = "prefix", window = "1h", max = 9 }"#, "on `try`"),
            (r#"{ name = "x", on = "try", key = "phone", window = "1h", max = 9 }"#, "on `try`"),
            (r#"{ name = "x", on = "try", key = "phone", window = "day", max = 9 }"#, "one row on `try`"),
            (r#"{ name = "x", on = "send", key = "phone", window = "9s", max = 1 }"#, "between two messages"),
            (r#"{ name = "x", on = "send", key = "country", window = "9s", max = 1 }"#, "country"),
            (r#"{ name = "x", on = "send", key = "ip", window = "9s", max = 1, answer = 7 }"#, "answer"),
        ] {
            let refusal = read(&format!("{COOL_DOWN}, {TRIES}, {row}")).err().unwrap();
            assert!(refusal.contains(sentence), "{row}: {refusal}");
        }
    }
}
