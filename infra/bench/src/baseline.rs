//! What the functions cost when somebody last agreed to it: `infra/bench/baseline.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::call_record::Usage;

const RENEW: &str = "; if that is meant to be, type: make bench-baseline";

/// A function is judged from when it was first agreed to.
const NEW: &str = "not in the baseline yet";

/// By function.
#[derive(Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// Libraries differ a little from machine to machine, and so may what is counted.
    instructions_tolerance_percent: f64,
    zipped_tolerance_percent: f64,
    pub(crate) functions: BTreeMap<String, Entry>,
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Of a warm request that takes the good way.
    pub(crate) spent: Usage,
    /// Of the build for development, in thousands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kilo_instructions: Option<Instructions>,
    /// Of the build that is shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) zipped_bytes: Option<u64>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Instructions {
    pub(crate) init: f64,
    pub(crate) warm: f64,
}

/// How a number stands to the one in the baseline.
pub(crate) enum Verdict {
    Good(String),
    /// Better than it has to be, so that the baseline no longer holds it where it is.
    Better(String),
    Bad(String),
}

impl Baseline {
    fn path(root: &Path) -> PathBuf {
        root.join("infra/bench/baseline.json")
    }

    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let path = Self::path(root);
        let text = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?)
    }

    pub(crate) fn write(&self, root: &Path) -> Result<(), Failure> {
        Ok(fs::write(Self::path(root), serde_json::to_string_pretty(self)? + "\n")?)
    }

    /// Trips and units are what they were: they follow from the code and from nothing else.
    pub(crate) fn judge_spent(&self, function: &str, now: Usage) -> Verdict {
        match self.functions.get(function).map(|entry| entry.spent) {
            Some(agreed) if agreed == now => Verdict::Good(said(now)),
            Some(agreed) => Verdict::Bad(format!("{}, and not {}{RENEW}", said(now), said(agreed))),
            None => Verdict::Good(format!("{}; {NEW}", said(now))),
        }
    }

    pub(crate) fn judge_instructions(&self, function: &str, now: Instructions) -> Vec<Verdict> {
        let Some(agreed) = self.functions.get(function).and_then(|entry| entry.kilo_instructions) else {
            return vec![Verdict::Good(format!(
                "{} k instructions of init, {} k of a request; {NEW}",
                now.init, now.warm
            ))];
        };
        let percent = self.instructions_tolerance_percent;
        let each = [("k instructions of init", now.init, agreed.init), ("k of a warm request", now.warm, agreed.warm)];
        each.map(|(what, now, agreed)| within(now, agreed, percent, what)).into()
    }

    /// The size of a function, in bytes.
    #[expect(clippy::cast_precision_loss, reason = "far from the limits of the type")]
    pub(crate) fn judge_size(&self, function: &str, now: u64) -> Verdict {
        match self.functions.get(function).and_then(|entry| entry.zipped_bytes) {
            Some(agreed) => {
                within(now as f64 / 1000.0, agreed as f64 / 1000.0, self.zipped_tolerance_percent, "kB zipped")
            }
            None => Verdict::Good(format!("{now} bytes zipped; {NEW}")),
        }
    }
}

fn within(now: f64, agreed: f64, percent: f64, what: &str) -> Verdict {
    let more = (now / agreed - 1.0) * 100.0;
    let said = format!("{now:.0} {what} ({more:+.1} %)");
    if more > percent {
        Verdict::Bad(format!("{said}, and not {agreed:.0}{RENEW}"))
    } else if more < -percent {
        Verdict::Better(said)
    } else {
        Verdict::Good(said)
    }
}

fn said(spent: Usage) -> String {
    let Usage { steps, redis, dynamodb, http, read_units, write_units } = spent;
    format!(
        "{steps} steps, {redis} redis, {dynamodb} dynamodb, {http} http, {read_units} units read, {write_units} written"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed() -> Baseline {
        let entry = Entry {
            spent: Usage { steps: 2, redis: 4, dynamodb: 1, read_units: 1.0, ..Usage::default() },
            kilo_instructions: Some(Instructions { init: 1000.0, warm: 500.0 }),
            zipped_bytes: Some(2_000_000),
        };
        Baseline {
            instructions_tolerance_percent: 10.0,
            zipped_tolerance_percent: 3.0,
            functions: [("login".to_owned(), entry)].into(),
        }
    }

    fn is_bad(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Bad(_))
    }

    #[test]
    fn one_more_trip_or_unit_is_bad() {
        let agreed = agreed();
        let now = agreed.functions["login"].spent;
        assert!(!is_bad(&agreed.judge_spent("login", now)));
        assert!(is_bad(&agreed.judge_spent("login", Usage { redis: 5, ..now })));
        assert!(is_bad(&agreed.judge_spent("login", Usage { steps: 3, ..now })));
        assert!(is_bad(&agreed.judge_spent("login", Usage { read_units: 1.5, ..now })));
    }

    #[test]
    fn more_than_the_tolerance_is_bad_and_less_is_told() {
        let judge = |init, warm| agreed().judge_instructions("login", Instructions { init, warm });
        assert!(!judge(1099.0, 549.0).iter().any(is_bad));
        assert!(is_bad(&judge(1101.0, 500.0)[0]));
        assert!(is_bad(&judge(1000.0, 551.0)[1]));
        assert!(matches!(judge(899.0, 500.0)[0], Verdict::Better(_)));
        assert!(!is_bad(&agreed().judge_size("login", 2_059_000)));
        assert!(is_bad(&agreed().judge_size("login", 2_061_000)));
    }

    #[test]
    fn what_was_never_agreed_to_is_told_and_not_judged() {
        let (agreed, spent) = (agreed(), agreed().functions["login"].spent);
        let is_new = |verdict: &Verdict| matches!(verdict, Verdict::Good(text) if text.ends_with(NEW));
        assert!(is_new(&agreed.judge_spent("new", spent)));
        assert!(agreed.judge_instructions("new", Instructions { init: 1.0, warm: 1.0 }).iter().all(is_new));
        assert!(is_new(&agreed.judge_size("new", 1)));
    }
}
