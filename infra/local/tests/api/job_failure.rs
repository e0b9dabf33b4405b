//! Jobs when something fails: three attempts, then the queue; a killed sandbox; and events as others read them.

use std::collections::BTreeSet;
use std::process::Command;

use aws_lambda_events::event::cloudwatch_events::CloudWatchEvent;
use serde_json::{Value, json};

use crate::bed::{Bed, dynamodb, on_a_stage};
use crate::job::{fire, midnight, report};

const QUEUE: &str = "badge-local-failed-events";

/// Enough that a job is in the middle of them for a while.
const MANY: usize = 500;

async fn letters(bed: &Bed) -> Vec<Value> {
    bed.door("GET", "dead_letters", "").await.as_array().unwrap().clone()
}

#[tokio::test]
async fn a_job_that_fails_three_times_is_kept_and_driven_again() {
    on_a_stage(async |bed| {
        let (first, second) = (midnight(bed, 1).await, midnight(bed, 2).await);
        bed.door("PUT", "faults", r#"{"redis": {"mode": "refuse"}}"#).await;
        let fired = fire(bed, "daily", &first).await;
        assert_eq!((&fired["outcome"], &fired["attempts"]), (&json!("error"), &json!(3)));
        let kept = letters(bed).await;
        let [letter] = &kept[..] else { panic!("{kept:?}") };
        assert_eq!((&letter["queue"], &letter["condition"]), (&json!(QUEUE), &json!("RetriesExhausted")));
        assert_eq!((&letter["function"], &letter["attempts"]), (&json!("badge-local-daily"), &json!(3)));
        let event: Value = serde_json::from_str(letter["event"].as_str().unwrap()).unwrap();
        assert_eq!(event["time"], first);

        bed.door("PUT", "faults", "{}").await;
        let fired = fire(bed, "daily", &second).await;
        assert_eq!((&fired["outcome"], &fired["attempts"]), (&json!("ok"), &json!(1)), "the next tick runs");

        let again = bed.door("POST", "dead_letters/redrive", "").await;
        assert_eq!((&again[0]["id"], &again[0]["outcome"]), (&letter["id"], &json!("ok")));
        assert_eq!(letters(bed).await, Vec::<Value>::new());
        assert_eq!(report(&fire(bed, "daily", &first).await), "done before", "the redrive was that run");
    })
    .await;
}

/// Makes users who were deleted at a time, or before there was such a time.
async fn make_deleted(bed: &Bed, deleted_at: Option<i64>) {
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
        dynamodb(bed, "BatchWriteItem", &request).await;
    }
    let stream = json!({ "StreamEnabled": true, "StreamViewType": "KEYS_ONLY" });
    let update = json!({ "TableName": "badge-local-users", "StreamSpecification": stream });
    dynamodb(bed, "UpdateTable", &update).await;
}

/// What DynamoDB itself has seen of the users' table since: each change, and the phone.
async fn changes(bed: &Bed) -> Vec<(String, String)> {
    let streams = dynamodb_streams(bed, "ListStreams", &json!({ "TableName": "badge-local-users" })).await;
    let stream = &streams["Streams"][0]["StreamArn"];
    let described = dynamodb_streams(bed, "DescribeStream", &json!({ "StreamArn": stream })).await;
    let mut found = Vec::new();
    for shard in described["StreamDescription"]["Shards"].as_array().unwrap() {
        let ask = json!({ "StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON" });
        let mut iterator = dynamodb_streams(bed, "GetShardIterator", &ask).await["ShardIterator"].clone();
        loop {
            let page = dynamodb_streams(bed, "GetRecords", &json!({ "ShardIterator": iterator })).await;
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

async fn dynamodb_streams(bed: &Bed, operation: &str, body: &Value) -> Value {
    crate::bed::dynamodb_of("DynamoDBStreams_20120810", bed, operation, body).await
}

/// Fires a job, kills its process once it has changed some users, and gives what the retry reports.
async fn kill_in_the_middle(bed: &Bed, job: &str, time: &str) -> Value {
    let killed = async {
        while changes(bed).await.is_empty() {
            tokio::task::yield_now().await;
        }
        let state = bed.door("GET", "state", "").await;
        let function = state["functions"].as_array().unwrap().iter().find(|one| one["binary"] == job).unwrap().clone();
        let pids = function["pids"].as_array().unwrap();
        assert_eq!(pids.len(), 1, "{function}");
        assert!(Command::new("kill").args(["-KILL", &pids[0].to_string()]).status().unwrap().success());
    };
    let (fired, ()) = tokio::join!(fire(bed, job, time), killed);
    assert_eq!((&fired["outcome"], &fired["attempts"]), (&json!("ok"), &json!(2)), "{fired}");
    report(&fired)
}

/// Each of the users was changed in that way, and none twice.
async fn assert_each_once(bed: &Bed, change: &str) {
    let changes = changes(bed).await;
    assert!(changes.iter().all(|(kind, _)| kind == change));
    let phones: BTreeSet<_> = changes.iter().map(|(_, phone)| phone).collect();
    assert_eq!((changes.len(), phones.len()), (MANY, MANY));
}

#[tokio::test]
async fn a_daily_job_killed_in_the_middle_is_finished_by_the_next_attempt_and_erases_nobody_twice() {
    on_a_stage(async |bed| {
        make_deleted(bed, Some(1)).await;
        let report = kill_in_the_middle(bed, "daily", &midnight(bed, 1).await).await;
        assert!((1..MANY as u64).contains(&report["erased"].as_u64().unwrap()), "the rest: {report}");
        assert_each_once(bed, "REMOVE").await;
    })
    .await;
}

#[tokio::test]
async fn a_migration_killed_in_the_middle_is_finished_by_the_next_attempt_and_changes_nobody_twice() {
    on_a_stage(async |bed| {
        make_deleted(bed, None).await;
        let report = kill_in_the_middle(bed, "deployed", "2026-11-22T00:00:00Z").await;
        let rest = report["migrations"]["1 date deletions"].as_u64();
        assert!((1..MANY as u64).contains(&rest.unwrap()), "the rest: {report}");
        assert_each_once(bed, "MODIFY").await;
    })
    .await;
}

#[tokio::test]
async fn the_input_of_every_schedule_is_a_scheduled_event_as_others_read_it() {
    on_a_stage(async |bed| {
        let schedules = bed.door("GET", "state", "").await["schedules"].as_array().unwrap().clone();
        // What fails is kept as it was sent.
        bed.door("PUT", "faults", r#"{"invoke": {"mode": "kill_before_reply"}}"#).await;
        for schedule in &schedules {
            let name = schedule["name"].as_str().unwrap();
            fire(bed, name, "2026-11-21T16:00:00Z").await;
            let letter = letters(bed).await.remove(0);
            let event: CloudWatchEvent = serde_json::from_str(letter["event"].as_str().unwrap()).unwrap();
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
