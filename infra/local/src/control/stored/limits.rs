//! The limits' table of `conf/` for one phone and one address: what has been counted, and which row is full.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use redis::{AsyncCommands, ErrorKind, RedisError};
use serde::{Deserialize, Serialize};

use super::keys::{Client, SENDS, masked, network_of, range_of, slot_of};
use super::reader::StoredData;
use crate::error::EmulatorError;
use crate::lambda::{Outcome, Record};

/// Sums of money are whole numbers of millionths.
const PARTS: f64 = 1_000_000.0;

/// Requests of a phone in a reply.
const MAX_REQUESTS: usize = 50;

/// Whose limits.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subject {
    pub(crate) phone: Option<String>,
    pub(crate) ip: Option<String>,
}

/// The state of all limits for a subject.
#[derive(Serialize)]
pub(crate) struct LimitsDocument {
    pub(crate) phone: Option<String>,
    pub(crate) network: Option<String>,
    pub(crate) rows: Vec<RowDocument>,
    pub(crate) code: Option<CodeDocument>,
    /// The last request that named the phone.
    pub(crate) last: Option<PhoneRequest>,
    /// The last requests and tasks that named the phone, newest first.
    pub(crate) requests: Vec<PhoneRequest>,
}

/// One row of the limits and its count.
#[derive(Serialize)]
pub(crate) struct RowDocument {
    name: String,
    on: String,
    pub(crate) key: String,
    subject: String,
    window: String,
    count: f64,
    /// For strangers: they leave the reserve to known devices.
    max: f64,
    /// The whole maximum, for known devices, where strangers may do less.
    max_known: Option<f64>,
    /// Messages to the range of numbers that were not used, and how many of them do not lower the limit.
    debt: Option<u64>,
    debt_free: Option<u64>,
    /// How long it refuses; 0 if it does not.
    pub(crate) wait_ms: i64,
}

/// The code that was sent to a phone.
#[derive(Serialize)]
pub(crate) struct CodeDocument {
    /// Wrong tries of strangers.
    tries: u64,
    max_tries: i64,
    /// What it was used for: `session`, or `claim` for a registration.
    used: Option<String>,
    ends_in_ms: i64,
}

/// An invocation whose log lines name the phone.
#[derive(Clone, Serialize)]
pub(crate) struct PhoneRequest {
    time: Timestamp,
    function: String,
    request_id: String,
    code: Option<i64>,
    outcome: Outcome,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    on: String,
    key: String,
    window: String,
    max: Option<f64>,
    max_money: Option<f64>,
    reserve: Option<f64>,
    unproven_free: Option<u64>,
    unproven_max: Option<f64>,
}

/// Where a row's count is stored.
enum Count {
    /// A list of times, each of which counts for that many milliseconds.
    Moments(String, i64),
    /// A number that expires with the day.
    Sum(String),
    /// A number that a success deletes: a field of a hash.
    Failures(String, &'static str),
}

impl StoredData<'_> {
    pub(crate) async fn limits(&mut self, filter: &Subject) -> Result<LimitsDocument, EmulatorError> {
        let phone = filter.phone.as_deref().and_then(|text| self.phone(text));
        let network = filter.ip.as_deref().and_then(network_of);
        let rows = self.count_rows(filter, None).await.map_err(EmulatorError::cache)?;
        let code = match &phone {
            Some(phone) => self.code(phone).await.map_err(EmulatorError::cache)?,
            None => None,
        };
        let requests = phone.as_deref().map(|phone| self.requests(phone)).unwrap_or_default();
        Ok(LimitsDocument { phone, network, rows, code, last: requests.first().cloned(), requests })
    }

    /// The rows that count a subject: those of the kind `on`, or all.
    pub(crate) async fn count_rows(
        &mut self,
        filter: &Subject,
        on: Option<&str>,
    ) -> Result<Vec<RowDocument>, RedisError> {
        let phone = filter.phone.as_deref().and_then(|text| self.phone(text));
        let mut rows = Vec::new();
        for row in self.rows().into_iter().filter(|row| on.is_none_or(|on| row.on == on)) {
            let Some(subject) = subject(&row, phone.as_deref(), filter.ip.as_deref()) else { continue };
            let count = self.count(&row, &subject);
            rows.push(self.describe(row, subject, count).await?);
        }
        Ok(rows)
    }

    /// Deletes the counts of a subject in the row of that name, or in all; returns their number.
    pub(crate) async fn reset_limits(&mut self, filter: &Subject, name: Option<&str>) -> Result<u64, EmulatorError> {
        let phone = filter.phone.as_deref().and_then(|text| self.phone(text));
        let mut forgotten = 0;
        for row in self.rows().into_iter().filter(|row| name.is_none_or(|name| row.name == name)) {
            let Some(subject) = subject(&row, phone.as_deref(), filter.ip.as_deref()) else { continue };
            let key = match self.count(&row, &subject) {
                Count::Moments(key, _) | Count::Sum(key) => key,
                Count::Failures(key, field) => {
                    forgotten += self.cache.hdel::<_, _, u64>(key, field).await.map_err(EmulatorError::cache)?;
                    continue;
                }
            };
            let debt = row.unproven_free.map(|_| self.keys.debt(&subject));
            for key in [Some(key), debt].into_iter().flatten() {
                forgotten += self.cache.del::<_, u64>(key).await.map_err(EmulatorError::cache)?;
            }
        }
        Ok(forgotten)
    }

    fn rows(&self) -> Vec<Row> {
        let rows = self.settings.get("limits").and_then(toml::Value::as_array).into_iter().flatten();
        // Functions do not start with a row that cannot be read.
        rows.filter_map(|row| row.clone().try_into().ok()).collect()
    }

    fn count(&self, row: &Row, subject: &str) -> Count {
        let client = if row.key == "device" { Client::Device } else { Client::Stranger };
        match (row.on.as_str(), row.key.as_str(), row.window.as_str()) {
            ("try", "phone" | "device", "success") => {
                return Count::Failures(self.keys.failures(subject), client.as_str());
            }
            ("try", "phone" | "device", _) => return Count::Sum(self.keys.misses(subject, client)),
            _ => {}
        }
        let slot = if row.on == "send" { SENDS.to_owned() } else { slot_of(subject) };
        match row.window.parse::<SignedDuration>() {
            Ok(window) => {
                let ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
                Count::Moments(self.keys.moments(&slot, &row.name, subject), ms)
            }
            Err(_) => Count::Sum(self.keys.sum(&slot, &row.name, self.today(), subject)),
        }
    }

    fn today(&self) -> Date {
        self.app.clock.now().to_zoned(self.app.zone.read().clone()).date()
    }

    fn ms_to_midnight(&self) -> i64 {
        let now = self.app.clock.now().to_zoned(self.app.zone.read().clone());
        let midnight = now.tomorrow().and_then(|day| day.start_of_day());
        midnight.map_or(1, |midnight| midnight.timestamp().as_millisecond() - now.timestamp().as_millisecond())
    }

    async fn describe(&mut self, row: Row, subject: String, count: Count) -> Result<RowDocument, RedisError> {
        let debt: Option<u64> = match row.unproven_free {
            Some(_) => Some(self.cache.get::<_, Option<u64>>(self.keys.debt(&subject)).await?.unwrap_or(0)),
            None => None,
        };
        let owes = debt.zip(row.unproven_free).is_some_and(|(debt, free)| debt > free);
        let whole_max = row.max.or(row.max_money).unwrap_or(0.0);
        let most = match (row.reserve, row.max) {
            (Some(reserve), Some(max)) => (max - (max * reserve).round()).max(1.0),
            (Some(reserve), None) => whole_max * (1.0 - reserve),
            (None, _) => whole_max,
        };
        let max = row.unproven_max.filter(|_| owes).map_or(most, |max| max.min(most));
        let max_known = Some(whole_max).filter(|whole_max| *whole_max > max);
        let now = self.app.clock.now().as_millisecond();
        let (count, wait_ms) = match count {
            Count::Moments(key, window) => {
                let moments: Vec<String> = self.cache.lrange(&key, 0, -1).await?;
                let mut counting: Vec<i64> = moments.iter().filter_map(|entry| moment(entry)).collect();
                counting.retain(|time| time + window > now);
                // The oldest of the last `max` has to leave the window.
                let first = counting.iter().rev().nth(whole(max).saturating_sub(1));
                (float(counting.len())?, first.map_or(0, |time| time + window - now))
            }
            Count::Sum(key) => {
                let sum: f64 = self.cache.get::<_, Option<f64>>(&key).await?.unwrap_or(0.0);
                let count = if row.max_money.is_some() { sum / PARTS } else { sum };
                let left: i64 = if count >= max { self.cache.pttl(&key).await? } else { 0 };
                (count, left.max(0))
            }
            Count::Failures(key, field) => {
                let count: f64 = self.cache.hget::<_, _, Option<f64>>(&key, field).await?.unwrap_or(0.0);
                (count, if count >= max { self.ms_to_midnight() } else { 0 })
            }
        };
        let Row { name, on, key, window, unproven_free, .. } = row;
        let debt_free = unproven_free;
        Ok(RowDocument { name, on, key, subject, window, count, max, max_known, debt, debt_free, wait_ms })
    }

    async fn code(&mut self, phone: &str) -> Result<Option<CodeDocument>, RedisError> {
        let key = self.keys.code(phone);
        let fields = ["mac", "stranger_tries", "used"];
        let (mac, tries, used): (Option<String>, Option<u64>, Option<String>) = self.cache.hmget(&key, &fields).await?;
        if mac.is_none() {
            return Ok(None);
        }
        let (tries, used) = (tries.unwrap_or(0), used.and_then(|used| used.split(' ').next().map(str::to_owned)));
        let ends_in_ms = self.cache.pttl(&key).await?;
        Ok(Some(CodeDocument { tries, max_tries: self.number("veri_code", "tries"), used, ends_in_ms }))
    }

    fn requests(&self, phone: &str) -> Vec<PhoneRequest> {
        let named = format!("\"phone\":\"{}\"", masked(phone));
        let is_of_phone = |record: &Arc<Record>| record.log.lock().iter().any(|line| line.contains(&named));
        let mut records = Vec::new();
        for function in self.app.lambda.functions() {
            records.extend(function.history.lock().recent(usize::MAX).filter(is_of_phone).take(MAX_REQUESTS));
        }
        records.sort_unstable_by_key(|record| std::cmp::Reverse(record.sequence));
        let newest = records.iter().take(MAX_REQUESTS).map(|record| PhoneRequest {
            time: record.began,
            function: record.function.to_string(),
            request_id: record.request_id.to_string(),
            code: record.code(),
            outcome: record.outcome,
        });
        newest.collect()
    }
}

/// The key that a row counts; `None` if the request does not name it.
fn subject(row: &Row, phone: Option<&str>, ip: Option<&str>) -> Option<String> {
    let range = |omitted: usize| Some(phone?.get(..phone?.len().checked_sub(omitted)?)?.to_owned());
    match row.key.as_str() {
        "phone" | "device" => range(0),
        "prefix" => range(4),
        "block" => range(6),
        "area" => range(8),
        "ip" => network_of(ip?),
        "ip56" => range_of(ip?, 56),
        "ip48" => range_of(ip?, 48),
        // Neither a phone nor an address names a user.
        "user" => None,
        _ => Some("all".to_owned()),
    }
}

/// The time of an entry, `milliseconds:id`.
fn moment(entry: &str) -> Option<i64> {
    entry.split(':').next()?.parse().ok()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a maximum is small and positive")]
fn whole(max: f64) -> usize {
    max as usize
}

fn float(count: usize) -> Result<f64, RedisError> {
    let count = u32::try_from(count).map_err(|_| (ErrorKind::Client, "the list is too long"))?;
    Ok(f64::from(count))
}
