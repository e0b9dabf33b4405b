//! Alarms of the template, and where they are shown and explained.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::tree::{of_type, read};

use super::{reference, template};

#[test]
fn alarms_reach_the_topic_and_miss_no_function() {
    let template = template();
    let alarms: Vec<_> = of_type(&template, "AWS::CloudWatch::Alarm").collect();
    let body = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Sub"];
    let body = body.as_str().unwrap();
    let shown: Value = serde_json::from_str(body).unwrap();
    assert!(shown["widgets"].as_array().unwrap().len() > 3);
    let operations = read("docs/operations.md");
    for (id, alarm) in &alarms {
        let name = alarm["AlarmName"]["Sub"].as_str().unwrap().trim_start_matches("badge-${Stage}-");
        assert!(operations.contains(&format!("`{name}`")), "{id}: what is to be done");
        assert_eq!(alarm["AlarmActions"], json!([reference("AlarmTopic")]), "{id}");
        // A dashboard cannot name what only some stages have.
        let is_everywhere = template["Resources"][id.as_str()]["Condition"].is_null();
        assert_eq!(body.contains(&format!("\"${{{id}.Arn}}\"")), is_everywhere, "{id} and the dashboard");
        let is_of_cache = id.as_str() == "CacheAlarm";
        assert_eq!(alarm["TreatMissingData"], if is_of_cache { "breaching" } else { "notBreaching" }, "{id}");
    }
    for id in ["SmsRefused", "CacheEcpu", "CacheStorage", "TableThrottles", "Concurrency"] {
        assert_eq!(template["Resources"][format!("{id}Alarm")]["Condition"], "WatchesAll", "{id}");
    }
    let percent =
        |id: &str| template["Resources"][format!("{id}Alarm")]["Properties"]["Metrics"][1]["Expression"].clone();
    assert_eq!(percent("CacheEcpu"), json!({ "Sub": "100 * work / (60 * ${CacheEcpu})" }));
    assert_eq!(percent("CacheStorage"), json!({ "Sub": "100 * stored / (1000000000 * ${CacheGb})" }));
    assert_eq!(percent("Concurrency"), json!({ "Sub": "100 * running / ${Concurrency}" }));
    let ids: BTreeSet<_> = alarms.iter().map(|(id, _)| id.as_str()).collect();
    for id in
        ["ErrorLines", "FunctionErrors", "NearTimeout", "Throttles", "Front", "FailedEvents", "FailedChanges", "Cache"]
    {
        assert!(ids.contains(format!("{id}Alarm").as_str()), "{id}");
    }
    // A metric of Lambda without a dimension is that of all functions.
    for (id, metric) in [("FunctionErrors", "Errors"), ("Throttles", "Throttles")] {
        let alarm = &template["Resources"][format!("{id}Alarm")]["Properties"];
        assert_eq!((&alarm["Namespace"], &alarm["MetricName"]), (&json!("AWS/Lambda"), &json!(metric)));
        assert_eq!(alarm["Dimensions"], Value::Null, "{id}");
    }
    for percent in [50, 80, 100] {
        let alarm = &template["Resources"][format!("Sms{percent}Alarm")]["Properties"];
        assert_eq!(alarm["Threshold"], percent);
        assert_eq!(alarm["Metrics"][1]["Expression"], json!({ "Sub": "100 * sent / ${SmsPerDay}" }));
    }
    let near = &template["Resources"]["NearTimeoutAlarm"]["Properties"];
    let slow = &template["Resources"]["SlowAnswers"]["Properties"];
    assert_eq!(slow["FilterPattern"], "{ $.duration_ms > 2500 && $.path = \"/*\" }");
    assert_eq!(slow["MetricTransformations"][0]["MetricValue"], "$.duration_ms");
    assert_eq!(slow["MetricTransformations"][0]["MetricName"], near["MetricName"]);
    let near = near["Threshold"].as_u64().unwrap();
    let timeout = template["Globals"]["Function"]["Timeout"].as_u64().unwrap() * 1000;
    assert!((timeout / 2..timeout).contains(&near));
}
