//! What a job says of its run.

use serde_json::Value;

use crate::telemetry::Metric;

/// What a job says of its run: numbers and names of ours, nothing of a user.
#[derive(Default)]
pub struct Report {
    /// What was done, for the log.
    pub done: Value,
    /// What is not as it should be though the run succeeded, one sentence each. They make the line one of level `ERROR`
    /// and are no reason to run again.
    pub findings: Vec<String>,
    /// Numbers for CloudWatch.
    pub metrics: Vec<Metric>,
}

impl From<Value> for Report {
    fn from(done: Value) -> Self {
        Self { done, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_a_report_without_findings() {
        let report = Report::from(Value::from(3));
        assert_eq!((report.done, report.findings.len(), report.metrics.len()), (3.into(), 0, 0));
    }
}
