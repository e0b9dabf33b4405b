//! Jobs when something fails: three attempts, then the queue; a killed sandbox; and events as others read them.

use std::collections::BTreeSet;
use std::process::Command;

use aws_lambda_events::event::cloudwatch_events::CloudWatchEvent;
use serde_json::{Value, json};
use tokio::sync::watch;

use support::{Gate, Stop, TestApp, TestAppBuilder, report, with_app, with_variables};

const QUEUE: &str = "badge-local-failed-events";

/// Some batches of users.
const MANY: usize = 200;

/// Calls of DynamoDB after which a job has changed a batch of them, and not all: erasing one takes two.
const CALLS: usize = 100;

#[tokio::test]
async fn a_job_that_fails_three_times_is_stored_and_redriven() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        let (first, second) = (app.midnight(1).await, app.midnight(2).await);
        app.control("PUT", "faults", r#"{"redis": {"mode": "refuse"}}"#).await;
        let fired = app.fire("daily", &first).await;
        assert_eq!((&fired["outcome"], &fired["attempts"]), (&json!("error"), &json!(3)));
        let dead = app.dead_letters().await;
        let [entry] = &dead[..] else { panic!("{dead:?}") };
        assert_eq!((&entry["queue"], &entry["condition"]), (&json!(QUEUE), &json!("RetriesExhausted")));
        assert_eq!((&entry["function"], &entry["attempts"]), (&json!("badge-local-daily"), &json!(3)));
        let event: Value = serde_json::from_str(entry["event"].as_str().unwrap()).unwrap();
        assert_eq!(event["time"], first);

        app.control("PUT", "faults", "{}").await;
        let fired = app.fire("daily", &second).await;
        assert_eq!((&fired["outcome"], &fired["attempts"]), (&json!("ok"), &json!(1)), "the next tick runs");

        let again = app.control("POST", "dead_letters/redrive", "").await;
        assert_eq!((&again[0]["id"], &again[0]["outcome"]), (&entry["id"], &json!("ok")));
        assert_eq!(app.dead_letters().await, Vec::<Value>::new());
        assert_eq!(report(&app.fire("daily", &first).await), "done before", "the redrive was that run");
    })
    .await;
}

/// Runs a test on an app whose `function`, and no other one, reaches DynamoDB through a gate. Nobody but the test reads
/// its streams.
async fn alone_behind_a_gate(function: &str, test: impl AsyncFnOnce(&TestApp, &Gate)) {
    let gate = Gate::default();
    let dynamodb = watch::Sender::default();
    let variable = format!("AWS_ENDPOINT_URL_DYNAMODB: '{}'", gate.http(dynamodb.subscribe()).await);
    TestAppBuilder::new()
        .options(|options| options.streams = false)
        .template(|template| with_variables(template, function, &variable))
        .run(async |app| {
            dynamodb.send_replace(app.emulator.dynamodb_url());
            test(app, &gate).await;
        })
        .await;
}

/// Makes users who were deleted at a time, or before there was such a time.
async fn make_deleted(app: &TestApp, deleted_at: Option<i64>) {
    for batch in (0..MANY).collect::<Vec<_>>().chunks(25) {
        let puts = batch.iter().map(|n| {
            let mut item = json!({
                "phone": { "S": format!("+86139{n:08}") }, "id": { "S": format!("id-{n}") }, "is_delete": { "N": "1" }
            });
            match deleted_at {
                Some(time) => item["delete_time"] = json!({ "N": time.to_string() }),
                None => item["shard"] = json!({ "N": "0" }),
            }
            json!({ "PutRequest": { "Item": item } })
        });
        let request = json!({ "RequestItems": { "badge-local-users": puts.collect::<Vec<_>>() } });
        app.dynamodb("BatchWriteItem", &request).await;
    }
    let stream = json!({ "StreamEnabled": true, "StreamViewType": "KEYS_ONLY" });
    let update = json!({ "TableName": "badge-local-users", "StreamSpecification": stream });
    app.dynamodb("UpdateTable", &update).await;
}

/// What DynamoDB itself has seen of the users' table since: each change, and the phone.
async fn changes(app: &TestApp) -> Vec<(String, String)> {
    let streams = dynamodb_streams(app, "ListStreams", &json!({ "TableName": "badge-local-users" })).await;
    let stream = &streams["Streams"][0]["StreamArn"];
    let described = dynamodb_streams(app, "DescribeStream", &json!({ "StreamArn": stream })).await;
    let mut found = Vec::new();
    for shard in described["StreamDescription"]["Shards"].as_array().unwrap() {
        let ask = json!({ "StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON" });
        let mut iterator = dynamodb_streams(app, "GetShardIterator", &ask).await["ShardIterator"].clone();
        loop {
            let page = dynamodb_streams(app, "GetRecords", &json!({ "ShardIterator": iterator })).await;
            let records = page["Records"].as_array().unwrap();
            if records.is_empty() {
                break;
            }
            found.extend(records.iter().map(|record| {
                let phone = &record["dynamodb"]["Keys"]["phone"]["S"];
                (record["eventName"].as_str().unwrap().to_owned(), phone.as_str().unwrap().to_owned())
            }));
            iterator = page["NextShardIterator"].clone();
        }
    }
    found
}

async fn dynamodb_streams(app: &TestApp, operation: &str, body: &Value) -> Value {
    app.dynamodb(&format!("DynamoDBStreams_20120810.{operation}"), body).await
}

/// Fires a job, kills its process when it has made some of its calls, and gives what the retry reports.
async fn kill_in_the_middle(app: &TestApp, gate: &Gate, job: &str, time: &str) -> Value {
    gate.stop_at(Stop { call: CALLS, is_done: true });
    let killed = async {
        gate.reached().await;
        let function = app.function(job).await;
        let pids = function["pids"].as_array().unwrap();
        assert_eq!(pids.len(), 1, "{function}");
        assert!(Command::new("kill").args(["-KILL", &pids[0].to_string()]).status().unwrap().success());
        gate.open();
    };
    let (fired, ()) = tokio::join!(app.fire(job, time), killed);
    assert_eq!((&fired["outcome"], &fired["attempts"]), (&json!("ok"), &json!(2)), "{fired}");
    report(&fired)
}

/// Each of the users was changed in that way, and none twice.
async fn assert_each_once(app: &TestApp, change: &str) {
    let mut changes = changes(app).await;
    // Who is erased was marked before, by each attempt that came so far.
    if change == "REMOVE" {
        changes.retain(|(kind, _)| kind != "MODIFY");
    }
    assert!(changes.iter().all(|(kind, _)| kind == change));
    let phones: BTreeSet<_> = changes.iter().map(|(_, phone)| phone).collect();
    assert_eq!((changes.len(), phones.len()), (MANY, MANY));
}

#[tokio::test]
async fn a_daily_job_killed_in_the_middle_is_finished_by_the_next_attempt_and_erases_nobody_twice() {
    alone_behind_a_gate("Daily", async |app, gate| {
        app.advance_to_midnight().await;
        make_deleted(app, Some(1)).await;
        let report = kill_in_the_middle(app, gate, "daily", &app.midnight(1).await).await;
        assert!((1..MANY as u64).contains(&report["erased"].as_u64().unwrap()), "the rest: {report}");
        assert_each_once(app, "REMOVE").await;
    })
    .await;
}

#[tokio::test]
async fn a_migration_killed_in_the_middle_is_finished_by_the_next_attempt_and_changes_nobody_twice() {
    alone_behind_a_gate("Deployed", async |app, gate| {
        make_deleted(app, None).await;
        let report = kill_in_the_middle(app, gate, "deployed", "2026-11-22T00:00:00Z").await;
        let rest = report["migrations"]["1 date deletions"].as_u64();
        assert!((1..MANY as u64).contains(&rest.unwrap()), "the rest: {report}");
        assert_each_once(app, "MODIFY").await;
    })
    .await;
}

#[tokio::test]
async fn the_input_of_every_schedule_is_a_scheduled_event_as_others_read_it() {
    with_app(async |app| {
        let schedules = app.inspect("state").await["schedules"].as_array().unwrap().clone();
        // A failed event is stored as it was sent.
        app.control("PUT", "faults", r#"{"invoke": {"mode": "kill_before_reply"}}"#).await;
        for schedule in &schedules {
            let name = schedule["name"].as_str().unwrap();
            app.fire(name, "2026-11-21T16:00:00Z").await;
            let entry = app.dead_letters().await.remove(0);
            let event: CloudWatchEvent = serde_json::from_str(entry["event"].as_str().unwrap()).unwrap();
            assert_eq!(event.time.to_rfc3339(), "2026-11-21T16:00:00+00:00");
            assert_eq!(event.resources, [format!("arn:aws:scheduler:us-east-1:000000000000:schedule/default/{name}")]);
            assert_eq!(event.detail_type.as_deref(), Some("Scheduled Event"));
            assert_eq!(event.source.as_deref(), Some("aws.scheduler"));
            assert_eq!((event.version.as_deref(), event.detail), (Some("0"), Some(json!({}))));
            assert!(event.id.is_some_and(|id| !id.contains('<')), "the execution's id");
        }
        assert!(schedules.len() >= 3);
    })
    .await;
}
