//! Metrics: what CloudWatch would read out of the log, in its embedded metric format.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use support::with_app;

#[tokio::test]
async fn the_figures_of_a_day_are_metrics_of_its_stage() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        app.register(&app.phone()).await;
        app.advance_to_midnight().await;
        let invocations = app.inspect("invocations?function=daily").await;
        let line: Value = serde_json::from_str(invocations[0]["log"][0].as_str().unwrap()).unwrap();
        let figures = line["report"]["figures"].as_object().unwrap();
        assert_eq!(figures["registrations"], 1);
        let tick: jiff::Timestamp = line["scheduled"].as_str().unwrap().parse().unwrap();
        assert_eq!(line["_aws"]["Timestamp"], tick.as_millisecond());
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "badge");
        assert_eq!(directive["Dimensions"], json!([["stage"]]));
        assert_eq!(line["stage"], "local");
        let metrics = directive["Metrics"].as_array().unwrap();
        assert_eq!(metrics.len(), figures.len());
        for metric in metrics {
            let name = metric["Name"].as_str().unwrap();
            assert_eq!((&metric["Unit"], &line[name]), (&json!("Count"), &figures[name]), "{name}");
        }

        let again = app.control("POST", "schedules/daily", json!({ "time": tick })).await;
        assert!(!again["log"][0].as_str().unwrap().contains("_aws"), "what is done once counts once: {again}");
    })
    .await;
}

/// The metric filters of `infra/template.yaml` look at these members.
#[tokio::test]
async fn a_message_that_the_provider_took_can_be_counted_by_its_line() {
    with_app(async |app| {
        app.code(&app.phone(), 1).await;
        // The message is in the inbox before its run has ended.
        let line = timeout(Duration::from_mins(1), async {
            loop {
                let invocations = app.inspect("invocations?function=send_sms").await;
                if let Some(line) = invocations[0]["log"][0].as_str() {
                    break serde_json::from_str::<Value>(line).unwrap();
                }
            }
        });
        let line = line.await.unwrap();
        assert_eq!((&line["function"], &line["stage"]), (&json!("badge-local-send_sms"), &json!("local")));
        assert_eq!((&line["code"], &line["level"]), (&json!(0), &json!("INFO")));
        assert!(line["spent"]["http"].as_u64().unwrap() > 0, "{line}");
    })
    .await;
}
