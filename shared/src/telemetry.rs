//! The log: one JSON line per request, and the only writer of lines.
//!
//! What is secret cannot get in by mistake: phones and codes are types without `Display` and `Debug`, values of
//! parameters are never taken, and free text (paths, causes) goes through [`scrub`].

mod metrics;
mod tally;

use std::io::Write;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

pub(crate) use self::metrics::Embedded;
pub use self::metrics::{Metric, Unit};
pub use self::tally::{Backend, Tally, Trip};
pub(crate) use self::tally::{Spent, Told};

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
    /// When it called whom.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) calls: Vec<Told>,
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
