//! Numbers for CloudWatch. They stand in the line itself, in the [embedded metric format], and cost no call.
//!
//! [embedded metric format]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// What CloudWatch keeps our metrics under.
const NAMESPACE: &str = "badge";

/// The member of every line that tells the metrics of one stage from another's.
const DIMENSION: &str = "stage";

/// One number. Its name becomes a member of the line, so it is none that a line has anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// At most 1,024 characters.
    pub name: String,
    /// What the value counts.
    pub unit: Unit,
    /// The value.
    pub value: u64,
}

/// Units that CloudWatch knows (API Reference, `MetricDatum`), spelled as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// So many things.
    Count,
    /// A time.
    Seconds,
}

impl Metric {
    /// So many things.
    pub fn count(name: impl Into<String>, value: u64) -> Self {
        Self { name: name.into(), unit: Unit::Count, value }
    }

    /// A time in seconds.
    pub fn seconds(name: impl Into<String>, value: u64) -> Self {
        Self { name: name.into(), unit: Unit::Seconds, value }
    }
}

/// The members of a line that make CloudWatch take its numbers; none when there are no numbers.
#[derive(Default)]
pub(crate) struct Embedded {
    /// What the numbers are of, in milliseconds since 1970; not more than two weeks ago, or CloudWatch drops them.
    pub(crate) time_epoch_ms: i64,
    /// At most 100.
    pub(crate) metrics: Vec<Metric>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: i64,
    cloud_watch_metrics: [Directive<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'a str,
    dimensions: [[&'a str; 1]; 1],
    metrics: Vec<Definition<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition<'a> {
    name: &'a str,
    unit: Unit,
}

impl Serialize for Embedded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        if !self.metrics.is_empty() {
            let metrics =
                self.metrics.iter().map(|metric| Definition { name: &metric.name, unit: metric.unit }).collect();
            let directive = Directive { namespace: NAMESPACE, dimensions: [[DIMENSION]], metrics };
            let metadata = Metadata { timestamp: self.time_epoch_ms, cloud_watch_metrics: [directive] };
            members.serialize_entry("_aws", &metadata)?;
            for metric in &self.metrics {
                members.serialize_entry(&metric.name, &metric.value)?;
            }
        }
        members.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(metrics: Vec<Metric>) -> Value {
        serde_json::to_value(Embedded { time_epoch_ms: 1_795_276_800_000, metrics }).unwrap()
    }

    #[test]
    fn metrics_are_members_that_the_embedded_metric_format_points_at() {
        let members = written(vec![Metric::count("logins", 7), Metric::seconds("age", 0)]);
        let expected = json!({
            "Timestamp": 1_795_276_800_000_i64,
            "CloudWatchMetrics": [{
                "Namespace": "badge",
                "Dimensions": [["stage"]],
                "Metrics": [{ "Name": "logins", "Unit": "Count" }, { "Name": "age", "Unit": "Seconds" }],
            }],
        });
        assert_eq!(members, json!({ "_aws": expected, "logins": 7, "age": 0 }));
    }

    #[test]
    fn without_metrics_there_is_nothing_for_cloudwatch() {
        assert_eq!(written(Vec::new()), json!({}));
    }
}
