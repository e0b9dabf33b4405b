//! The log: one JSON line per request, and the only writer of lines.
//!
//! What is secret cannot get in by mistake: phones and codes are types without `Display` and `Debug`, values of
//! parameters are never taken, and free text (paths, causes) goes through [`scrub`].

mod metrics;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

pub(crate) use self::metrics::Embedded;
pub use self::metrics::{Metric, Unit};

/// What one request did to its backends. There is one per sandbox, which serves one request at a time.
#[derive(Clone, Default)]
pub struct Tally(Arc<Counts>);

#[derive(Default)]
struct Counts {
    running: AtomicU32,
    steps: AtomicU32,
    redis: AtomicU32,
    dynamodb: AtomicU32,
    http: AtomicU32,
    /// Tenths of a unit: DynamoDB counts in halves.
    read_tenths: AtomicU32,
    write_tenths: AtomicU32,
}

/// Who is at the other end of a round trip.
#[derive(Clone, Copy)]
pub enum Backend {
    /// Redis or Valkey.
    Redis,
    /// DynamoDB.
    DynamoDb,
    /// Any other HTTP service, AWS's included.
    Http,
}

/// A round trip under way; it ends when this is dropped.
pub struct Trip<'a>(&'a Counts);

impl Drop for Trip<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tally {
    /// Counts a round trip. Trips that run beside each other are one step of the sequence.
    #[must_use]
    pub fn trip(&self, backend: Backend) -> Trip<'_> {
        if self.0.running.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.steps.fetch_add(1, Ordering::Relaxed);
        }
        let counter = match backend {
            Backend::Redis => &self.0.redis,
            Backend::DynamoDb => &self.0.dynamodb,
            Backend::Http => &self.0.http,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        Trip(&self.0)
    }

    /// Adds what DynamoDB says it charged.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "units are small and positive")]
    pub fn charge(&self, read_units: f64, write_units: f64) {
        self.0.read_tenths.fetch_add((read_units * 10.0).round() as u32, Ordering::Relaxed);
        self.0.write_tenths.fetch_add((write_units * 10.0).round() as u32, Ordering::Relaxed);
    }

    /// What was counted since the last call.
    pub(crate) fn take(&self) -> Spent {
        let take = |counter: &AtomicU32| counter.swap(0, Ordering::Relaxed);
        Spent {
            steps: take(&self.0.steps),
            redis: take(&self.0.redis),
            dynamodb: take(&self.0.dynamodb),
            http: take(&self.0.http),
            read_units: f64::from(take(&self.0.read_tenths)) / 10.0,
            write_units: f64::from(take(&self.0.write_tenths)) / 10.0,
        }
    }
}

/// What a request cost: round trips to each backend, the steps in which they ran one after another, and the
/// capacity units that DynamoDB charged.
#[derive(Serialize, Default)]
pub(crate) struct Spent {
    pub(crate) steps: u32,
    pub(crate) redis: u32,
    pub(crate) dynamodb: u32,
    pub(crate) http: u32,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

/// What a job says of its run: numbers and names of ours, nothing of a user.
#[derive(Default)]
pub struct Report {
    /// What was done, for the line.
    pub told: Value,
    /// What is not as it should be though the run went well, one sentence each. They make the line one of level `ERROR`
    /// and are no reason to run again.
    pub findings: Vec<String>,
    /// Numbers for CloudWatch.
    pub metrics: Vec<Metric>,
}

impl From<Value> for Report {
    fn from(told: Value) -> Self {
        Self { told, ..Self::default() }
    }
}

/// Who writes: the same in every line of a sandbox.
#[derive(Clone, Default)]
pub(crate) struct Source {
    pub(crate) stage: String,
    pub(crate) function: String,
    /// Lines are made and thrown away.
    pub(crate) is_silent: bool,
}

/// One request, or one run of a task.
#[derive(Serialize, Default)]
pub(crate) struct Line<'a> {
    pub(crate) request_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) method: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) path: &'a str,
    pub(crate) code: u32,
    pub(crate) cold: bool,
    pub(crate) duration_ms: f64,
    /// Names of the parameters that were given and are known; never a value.
    pub(crate) params: &'a [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phone: Option<&'a str>,
    pub(crate) spent: Spent,
    /// The scheduled time of a job's run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scheduled: Option<String>,
    /// What a job told of its run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) findings: Vec<String>,
    #[serde(flatten)]
    pub(crate) metrics: Embedded,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

#[derive(Serialize)]
struct Framed<'a, T> {
    time: String,
    level: &'static str,
    stage: &'a str,
    function: &'a str,
    #[serde(flatten)]
    line: T,
}

/// How bad it is.
#[derive(Clone, Copy)]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

impl Source {
    /// Writes one line; a log that cannot be written stops nothing.
    pub(crate) fn write(&self, level: Level, line: impl Serialize) {
        if let Ok(mut text) = serde_json::to_vec(&self.framed(level, line)) {
            text.push(b'\n');
            if !self.is_silent {
                let _ = std::io::stdout().write_all(&text);
            }
        }
    }

    pub(crate) fn framed(&self, level: Level, line: impl Serialize) -> impl Serialize {
        let level = match level {
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        };
        Framed { time: wall_time(), level, stage: &self.stage, function: &self.function, line }
    }

    /// Writes a line that belongs to no request.
    pub(crate) fn note(&self, level: Level, message: &str) {
        #[derive(Serialize)]
        struct Note {
            message: String,
        }
        self.write(level, Note { message: scrub(message, 500) });
    }
}

fn wall_time() -> String {
    format!("{:.3}", crate::clock::wall_timestamp())
}

/// Milliseconds with three decimals.
pub(crate) fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// Free text as the log may keep it: at most `max` characters on one line; runs of six or more digits (phones,
/// codes) and long words that look like tokens or keys become `…`.
#[must_use]
pub fn scrub(text: &str, max: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(max));
    for word in text.split_inclusive(|c: char| !is_word(c)) {
        let end = word.find(|c: char| !is_word(c)).unwrap_or(word.len());
        let (word, rest) = word.split_at(end);
        if has_digits_in_a_row(word, 6) || is_token_like(word) {
            clean.push('…');
        } else {
            clean.push_str(word);
        }
        clean.extend(rest.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
    if clean.chars().count() > max {
        clean = clean.chars().take(max).chain(['…']).collect();
    }
    clean
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '+')
}

fn has_digits_in_a_row(word: &str, count: usize) -> bool {
    let mut run = 0;
    word.chars().any(|c| {
        run = if c.is_numeric() { run + 1 } else { 0 };
        run == count
    })
}

/// Names of errors are long words too, but without digits and not this long.
fn is_token_like(word: &str) -> bool {
    word.len() >= 40 || (word.len() >= 20 && word.contains(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_be_secret_is_taken_out() {
        for (text, clean) in [
            ("no answer from 127.0.0.1:41235", "no answer from 127.0.0.1:41235"),
            ("user +8613800138000 is there", "user … is there"),
            ("code 042424", "code …"),
            ("/local/iwc/badge/user/13800138000", "/local/iwc/badge/user/…"),
            ("ProvisionedThroughputExceededException", "ProvisionedThroughputExceededException"),
            ("sid 3fAbCdEfGhIjKlMnOpQrStUvWxYz", "sid …"),
            ("two\nlines\r\n", "two lines  "),
        ] {
            assert_eq!(scrub(text, 500), clean);
        }
        assert_eq!(scrub("abcdef", 3), "abc…");
    }

    #[test]
    fn trips_side_by_side_are_one_step() {
        let tally = Tally::default();
        {
            let _redis = tally.trip(Backend::Redis);
            let _dynamodb = tally.trip(Backend::DynamoDb);
        }
        drop(tally.trip(Backend::Redis));
        let spent = tally.take();
        assert_eq!((spent.steps, spent.redis, spent.dynamodb), (2, 2, 1));
        assert_eq!(tally.take().steps, 0);
    }

    fn written(metrics: Vec<Metric>) -> Value {
        let source = Source { stage: "prod".to_owned(), function: "badge-prod-daily".to_owned(), ..Source::default() };
        let metrics = Embedded { time_epoch_ms: 1_795_276_800_000, metrics };
        serde_json::to_value(source.framed(Level::Info, Line { metrics, ..Line::default() })).unwrap()
    }

    #[test]
    fn metrics_are_members_that_the_embedded_metric_format_points_at() {
        let line = written(vec![Metric::count("logins", 7), Metric::seconds("age", 0)]);
        let expected = serde_json::json!({
            "Timestamp": 1_795_276_800_000_i64,
            "CloudWatchMetrics": [{
                "Namespace": "badge",
                "Dimensions": [["stage"]],
                "Metrics": [{ "Name": "logins", "Unit": "Count" }, { "Name": "age", "Unit": "Seconds" }],
            }],
        });
        assert_eq!(line["_aws"], expected);
        // Targets of the format's references: metrics are numbers, dimensions are strings, all at the root.
        assert_eq!((&line["logins"], &line["age"], &line["stage"]), (&7.into(), &0.into(), &"prod".into()));
    }

    #[test]
    fn a_line_without_metrics_says_nothing_to_cloudwatch() {
        assert!(written(Vec::new()).get("_aws").is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_a_second_line_or_keeps_a_phone(before in any::<String>(), after in any::<String>()) {
            let clean = scrub(&format!("{before}13800138000{after}"), 10_000);
            prop_assert!(!clean.contains('\n'));
            prop_assert!(!clean.contains("13800138000"));
        }
    }
}
