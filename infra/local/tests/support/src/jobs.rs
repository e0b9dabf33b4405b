//! Jobs of the service: firing them, and what they have written.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use crate::app::TestApp;

impl TestApp {
    /// Fires a job for a scheduled time, and waits.
    pub async fn fire(&self, job: &str, time: &str) -> Value {
        self.control("POST", &format!("schedules/{job}"), json!({ "time": time })).await
    }

    /// Every item of the table of runs, by its key.
    pub async fn runs(&self) -> BTreeMap<String, Value> {
        let scan = self.dynamodb("Scan", &json!({ "TableName": "badge-local-runs" })).await;
        let items = scan["Items"].as_array().unwrap().iter();
        items.map(|item| (item["run"]["S"].as_str().unwrap().to_owned(), item.clone())).collect()
    }

    /// The emulated time.
    pub async fn now(&self) -> Timestamp {
        self.inspect("state").await["clock"]["now"].as_str().unwrap().parse().unwrap()
    }

    /// Midnight in Shanghai, that many days from today in emulated time.
    pub async fn midnight(&self, days: i64) -> String {
        let today = self.now().await.to_zoned(TimeZone::get("Asia/Shanghai").unwrap()).date();
        let midnight = today.checked_add(Span::new().days(days)).unwrap().in_tz("Asia/Shanghai").unwrap();
        midnight.timestamp().to_string()
    }
}

/// The report in the log line of a job that [`TestApp::fire`] has run.
#[must_use]
pub fn report(fired: &Value) -> Value {
    let line: Value = serde_json::from_str(fired["log"][0].as_str().unwrap()).unwrap();
    line["report"].clone()
}
