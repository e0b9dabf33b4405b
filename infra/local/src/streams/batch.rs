//! What becomes of a batch: handled, retried, split, given up.
//!
//! Source: AWS Lambda Developer Guide, "Configuring partial batch response with DynamoDB and Lambda" and "Retain discarded
//! records for a DynamoDB event source": Lambda retries from the lowest sequence number on that the response names; a split
//! does not count as a retry; the next batch waits. One difference: where the guide leaves open how a split batch is counted,
//! its halves go on with the retries of the whole.

use std::ops::Range;

use serde_json::Value;

/// How an invocation with some records of a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Handled,
    /// The first of the records that failed, counted from the first one of the invocation.
    FailedFrom(usize),
    Failed,
}

/// What follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many more records are handled.
    Continue,
    /// The next attempt is a retry; how many attempts there were.
    Retry(u32),
    /// There are no more attempts with these.
    GiveUp(Range<usize>),
}

/// The rules of a mapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) bisects: bool,
    pub(super) max_retries: Option<u32>,
}

/// Records that are invoked together.
#[derive(Debug)]
struct Part {
    records: Range<usize>,
    attempts: u32,
}

/// A batch on its way.
#[derive(Debug)]
pub(super) struct Batch {
    rules: Rules,
    /// The next one last.
    parts: Vec<Part>,
}

impl Batch {
    pub(super) fn new(length: usize, rules: Rules) -> Self {
        let whole = Part { records: 0..length, attempts: 0 };
        Self { rules, parts: if length == 0 { Vec::new() } else { vec![whole] } }
    }

    /// The records of the next invocation, and the number of this attempt; `None` at the end.
    pub(super) fn next(&self) -> Option<(Range<usize>, u32)> {
        self.parts.last().map(|part| (part.records.clone(), part.attempts + 1))
    }

    /// Records how that invocation ended. `is_too_old`: there is no further retry.
    pub(super) fn record(&mut self, verdict: Verdict, is_too_old: bool) -> Step {
        let Some(mut part) = self.parts.pop() else { return Step::Continue };
        let length = part.records.len();
        match verdict {
            Verdict::Handled => return Step::Continue,
            Verdict::FailedFrom(first) if first > 0 && first < length => {
                part = Part { records: part.records.start + first..part.records.end, attempts: 0 };
            }
            Verdict::FailedFrom(_) | Verdict::Failed => {}
        }
        let is_split = self.rules.bisects && length > 1 && part.records.len() == length;
        let attempts = part.attempts + 1;
        if is_too_old || (!is_split && self.rules.max_retries.is_some_and(|most| attempts > most)) {
            return Step::GiveUp(part.records);
        }
        if is_split {
            let middle = part.records.start + length / 2;
            let halves = [middle..part.records.end, part.records.start..middle];
            self.parts.extend(halves.map(|records| Part { records, attempts: part.attempts }));
        } else {
            self.parts.push(Part { attempts, ..part });
        }
        Step::Retry(attempts)
    }
}

/// Reads a response of `ReportBatchItemFailures`: an identifier that is not in the batch fails all of it.
pub(super) fn verdict(response: &Value, numbers: &[String]) -> Verdict {
    let failures = match &response["batchItemFailures"] {
        Value::Null => return Verdict::Handled,
        Value::Array(failures) => failures,
        _ => return Verdict::Failed,
    };
    let places = failures.iter().map(|failure| {
        let number = failure["itemIdentifier"].as_str()?;
        numbers.iter().position(|known| known == number)
    });
    match places.collect::<Option<Vec<_>>>() {
        None => Verdict::Failed,
        Some(places) => places.into_iter().min().map_or(Verdict::Handled, Verdict::FailedFrom),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Batch, Rules, Step, Verdict, verdict};

    const RULES: Rules = Rules { bisects: true, max_retries: Some(2) };

    /// Plays a batch in which these records always fail: what was handled, and what was given up.
    fn play(length: usize, bad: &[usize], reports: bool, rules: Rules) -> (Vec<usize>, Vec<usize>) {
        let (mut batch, mut handled, mut given_up) = (Batch::new(length, rules), Vec::new(), Vec::new());
        for _ in 0..10_000 {
            let Some((records, _)) = batch.next() else { return (handled, given_up) };
            let first = records.clone().position(|record| bad.contains(&record));
            let verdict = match first {
                None => Verdict::Handled,
                Some(first) if reports => Verdict::FailedFrom(first),
                Some(_) => Verdict::Failed,
            };
            let done = first.map_or(records.len(), |first| if reports { first } else { 0 });
            handled.extend(records.clone().take(done));
            if let Step::GiveUp(records) = batch.record(verdict, false) {
                given_up.extend(records);
            }
        }
        panic!("the batch has no end");
    }

    #[test]
    fn a_bad_record_is_given_up_alone_and_all_others_are_handled_in_order() {
        for reports in [true, false] {
            for bad in [&[][..], &[0], &[7], &[99], &[3, 4, 60]] {
                let (handled, given_up) = play(100, bad, reports, RULES);
                assert_eq!(given_up, bad, "{reports}");
                assert_eq!(handled, (0..100).filter(|record| !bad.contains(record)).collect::<Vec<_>>(), "{reports}");
            }
        }
    }

    #[test]
    fn without_a_split_a_batch_is_given_up_as_a_whole() {
        let (handled, given_up) = play(4, &[1], false, Rules { bisects: false, ..RULES });
        assert_eq!((handled, given_up), (vec![], vec![0, 1, 2, 3]));
    }

    #[test]
    fn retries_have_an_end_and_so_has_age() {
        let mut batch = Batch::new(1, RULES);
        for attempt in 1..=2 {
            assert_eq!(batch.next(), Some((0..1, attempt)));
            assert_eq!(batch.record(Verdict::Failed, false), Step::Retry(attempt));
        }
        assert_eq!(batch.record(Verdict::Failed, false), Step::GiveUp(0..1));
        assert_eq!(batch.next(), None);
        let mut endless = Batch::new(1, Rules { max_retries: None, ..RULES });
        assert!((1..100).all(|attempt| endless.record(Verdict::Failed, false) == Step::Retry(attempt)));
        assert_eq!(endless.record(Verdict::Failed, true), Step::GiveUp(0..1));
    }

    #[test]
    fn a_response_names_the_first_record_that_failed() {
        let numbers = ["10", "11", "12"].map(str::to_owned);
        let failures = |numbers: &[&str]| {
            let failures: serde_json::Value =
                numbers.iter().map(|number| json!({ "itemIdentifier": number })).collect();
            json!({ "batchItemFailures": failures })
        };
        for (response, expected) in [
            (json!(null), Verdict::Handled),
            (json!({}), Verdict::Handled),
            (failures(&[]), Verdict::Handled),
            (failures(&["12", "11"]), Verdict::FailedFrom(1)),
            (failures(&["11", "13"]), Verdict::Failed),
            (json!({ "batchItemFailures": [{}] }), Verdict::Failed),
            (json!({ "batchItemFailures": "11" }), Verdict::Failed),
        ] {
            assert_eq!(verdict(&response, &numbers), expected, "{response}");
        }
    }
}
