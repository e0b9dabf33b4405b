//! `limits`: what may be done how often, one row each. A request has to pass every row of its kind.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

use super::error::{SettingError, impossible};
use super::money::parts;
use crate::error::{Cause, Error};
use crate::models::device::Client;

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
    /// The part of `max` that strangers leave to known devices.
    pub reserved: u64,
    /// What holds for strangers while a range of numbers does not verify what it is sent.
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
    /// A page of the list of users.
    List,
    /// All that is stored about a user.
    Export,
}

/// Who shares one count.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A phone, as far as strangers are concerned.
    Phone,
    /// The known devices of a phone, together.
    Device,
    /// The numbers that differ in their last four digits.
    Prefix,
    /// The numbers that differ in their last six digits.
    Block,
    /// The numbers that differ in their last eight digits.
    Area,
    /// An IPv4 address, or the 64 bits of an IPv6 address that one subscriber has (RFC 6177).
    Ip,
    /// The first 56 bits of an IPv6 address.
    Ip56,
    /// The first 48 bits of an IPv6 address.
    Ip48,
    /// A user who is signed in.
    User,
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
    /// Until a code of the phone is used, however long that takes.
    Success,
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
    reserve: Option<f64>,
    unproven_free: Option<u64>,
    unproven_max: Option<u64>,
}

/// What is limited by whom.
const KNOWN: &str = "on `try` must be by `phone` or `device` and `day` or `success`, at most 100, or by `ip`; on `list` and `export` by `user`; \
     on `send` not by `user`; `success` is a window on `try` alone";

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
        if matches!(window, Window::Sliding(_)) && max > LARGEST_SLIDING_MAX {
            return Err("must have a max of at most 10000 unless its window is `day`");
        }
        if is_money && window != Window::Day {
            return Err("must have money by the day only");
        }
        let is_shared = matches!(self.key, Subject::Prefix | Subject::Block | Subject::Area | Subject::Stage);
        let reserved = match self.reserve {
            None => 0,
            Some(share) if (0.0..=0.9).contains(&share) && is_shared => part_of(max, share),
            Some(_) => return Err("must have a `reserve` of 0 to 0.9, by prefix, block, area or stage"),
        };
        let unverified = match (self.unproven_free, self.unproven_max, self.key) {
            (None, None, _) => None,
            (Some(free), Some(max), Subject::Prefix | Subject::Block | Subject::Area)
                if max > 0 && matches!(window, Window::Sliding(_)) =>
            {
                Some(Unverified { free, max })
            }
            _ => return Err("must have both or none of `unproven_free` and `unproven_max`, by prefix, block or area"),
        };
        let Self { name, on, key, .. } = self;
        let limit = Limit { name, on, key, window, max, is_money, reserved, unverified };
        let is_known = match (on, key) {
            (Action::Send, key) => key != Subject::User && window != Window::Success,
            (Action::List | Action::Export, key) => key == Subject::User && window != Window::Success && !is_money,
            // NIST SP 800-63B-4, section 3.2.2: at most 100 failures in a row.
            (Action::Try, Subject::Phone | Subject::Device) => {
                matches!(window, Window::Day | Window::Success) && !is_money && max <= 100
            }
            (Action::Try, Subject::Ip) => window != Window::Success && !is_money,
            (Action::Try, _) => false,
        };
        if is_known { Ok(limit) } else { Err(KNOWN) }
    }
}

/// A share of a maximum, as a whole number. At least one of the maximum is left.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "0 to max")]
fn part_of(max: u64, share: f64) -> u64 {
    ((max as f64 * share).round() as u64).min(max.saturating_sub(1))
}

fn read_window(text: &str) -> Result<Window, &'static str> {
    const MUST: &str = "must have a window of `day`, `success`, or a span such as `60s`, `10m` or `1h`, up to `24h`";
    match text {
        "day" => return Ok(Window::Day),
        "success" => return Ok(Window::Success),
        _ => {}
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
        if !limits.has_names_apart() {
            return Err(impossible("limits", "must have each name once"));
        }
        for client in [Client::Stranger, Client::KnownDevice] {
            let count = |is_one: &dyn Fn(&Limit) -> bool| {
                limits.rows.iter().filter(|row| row.key == client.own_key() && is_one(row)).count()
            };
            for (rows, must) in [
                (
                    count(&Limit::is_cool_down),
                    "must have one row on `send` by each of `phone` and `device` with a max of 1: the time between two \
                     messages",
                ),
                (
                    count(&|row| row.on == Action::Try && row.window == Window::Day),
                    "must have one row on `try` and `day` by each of `phone` and `device`: the wrong tries of a day",
                ),
                (
                    count(&|row| row.on == Action::Try && row.window == Window::Success),
                    "must have one row on `try` and `success` by each of `phone` and `device`: the wrong tries in a row",
                ),
            ] {
                if rows != 1 {
                    return Err(impossible("limits", must));
                }
            }
        }
        Ok(limits)
    }

    /// The rows of one action of a client: those of the other kind of client are not among them.
    pub fn on(&self, action: Action, client: Client) -> impl Iterator<Item = &Limit> {
        self.rows.iter().filter(move |row| row.on == action && row.is_for(client))
    }

    /// Every row.
    pub fn iter(&self) -> impl Iterator<Item = &Limit> {
        self.rows.iter()
    }

    /// Seconds between two messages that a client asks for.
    #[must_use]
    pub fn cool_down_secs(&self, client: Client) -> u64 {
        self.on(Action::Send, client).find(|row| row.is_cool_down()).map_or(0, |row| match row.window {
            Window::Sliding(span) => span.as_secs(),
            Window::Day | Window::Success => 0,
        })
    }

    /// The row of a client's wrong tries of a phone: those of a day, or those in a row.
    ///
    /// # Errors
    /// None: [`Self::read`] wants both rows.
    pub fn tries(&self, client: Client, window: Window) -> Result<&Limit, Error> {
        let mut rows = self.on(Action::Try, client).filter(|row| row.key == client.own_key());
        let row = rows.find(|row| row.window == window);
        row.ok_or_else(|| Error::Internal(Cause::new("a row of the limits is missing")))
    }

    fn has_names_apart(&self) -> bool {
        let mut names: Vec<_> = self.rows.iter().map(|row| &row.name).collect();
        names.sort_unstable();
        names.windows(2).all(|pair| pair[0] != pair[1])
    }
}

impl Client {
    /// The key of the rows that are this kind of client's alone.
    fn own_key(self) -> Subject {
        match self {
            Self::Stranger => Subject::Phone,
            Self::KnownDevice => Subject::Device,
        }
    }
}

impl Limit {
    /// What a client may do: strangers leave the reserve to known devices.
    #[must_use]
    pub fn max_of(&self, client: Client) -> u64 {
        match client {
            Client::Stranger => self.max - self.reserved,
            Client::KnownDevice => self.max,
        }
    }

    fn is_for(&self, client: Client) -> bool {
        !matches!(self.key, Subject::Phone | Subject::Device) || self.key == client.own_key()
    }

    fn is_cool_down(&self) -> bool {
        let is_of_one = matches!(self.key, Subject::Phone | Subject::Device) && self.max == 1;
        self.on == Action::Send && is_of_one && matches!(self.window, Window::Sliding(_))
    }
}

#[cfg(test)]
mod tests;
