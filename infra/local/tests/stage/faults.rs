//! What is made to fail fails, and works again afterwards.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::bed::{Bed, eventually};
use crate::client::{get, post, post_signed};

#[tokio::test]
async fn a_sandbox_killed_before_its_reply_has_done_its_work_and_counts_as_crashed() {
    let bed = Bed::new().await;
    let aws_url = bed.echo().await["env"]["AWS_ENDPOINT_URL_LAMBDA"].as_str().unwrap().to_owned();
    let file = bed.repository.file("notes");
    let event = json!({"do": "note", "file": file});
    let faults = json!({"invoke": {"mode": "kill_before_reply", "rate": 1.0}});
    assert_eq!(bed.door("PUT", "faults", &faults).await, faults);
    assert_eq!(bed.door("GET", "state", &Value::Null).await["faults"], faults);

    assert_eq!(bed.probe(&json!({})).await.status, 500);
    let url = format!("{aws_url}/2015-03-31/functions/test-probe/invocations");
    let taken = post_signed(&url, "lambda", &[("x-amz-invocation-type", "Event")], &event).await;
    let letter = eventually("a dead letter", async || {
        get(&bed.url("/_stage/dead_letters")).await.json().as_array().unwrap().first().cloned()
    })
    .await;

    let id = taken.headers["x-amzn-requestid"].to_str().unwrap();
    assert_eq!((&letter["outcome"], &letter["request_id"]), (&json!("crash"), &json!(id)));
    assert!(letter["reason"].as_str().unwrap().ends_with("signal: killed"), "{letter}");
    let notes = fs::read_to_string(&file).unwrap();
    assert_eq!((notes.lines().count(), notes.matches(id).count()), (3, 3), "every attempt did its work");
    let runs = bed.invocations().await;
    assert!(runs.iter().take(4).all(|run| run["outcome"] == "crash"), "{runs:?}");

    bed.door("PUT", "faults", &json!({})).await;
    let again = bed.door("POST", "dead_letters/redrive", &Value::Null).await;
    assert_eq!(again[0]["outcome"], "ok");
    assert_eq!(bed.probe(&json!({})).await.status, 200);
}

#[tokio::test]
async fn the_provider_refuses_hangs_and_is_slow() {
    let bed = Bed::new().await;
    let send = async |id: &str| {
        let message = json!({"id": id, "phone": "+8613800138000", "text": "123456"});
        post(&bed.url("/_stage/sms"), &message).await.status.as_u16()
    };
    let mut answers = Vec::new();
    for fault in [json!({"mode": "refuse"}), json!({"mode": "hang", "ms": 1}), json!({"mode": "slow", "ms": 1})] {
        bed.door("PUT", "faults", &json!({"sms": fault})).await;
        answers.push(send(fault["mode"].as_str().unwrap()).await);
    }
    bed.door("PUT", "faults", &json!({})).await;
    answers.push(send("healthy").await);
    assert_eq!(answers, [503, 503, 200, 200]);
    let inbox = bed.door("GET", "sms", &Value::Null).await;
    let ids: Vec<&str> = inbox.as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["healthy", "slow"]);
}

#[tokio::test]
async fn no_event_is_lost_while_sandboxes_die_now_and_then() {
    const EVENTS: usize = 60;
    let bed = Bed::new().await;
    let aws_url = bed.echo().await["env"]["AWS_ENDPOINT_URL_LAMBDA"].as_str().unwrap().to_owned();
    let url = format!("{aws_url}/2015-03-31/functions/test-probe/invocations");
    let event = json!({"do": "note", "file": bed.repository.file("notes")});
    bed.door("PUT", "faults", &json!({"invoke": {"mode": "kill_before_reply", "rate": 0.4}})).await;
    let mut sent = BTreeSet::new();
    for _ in 0..EVENTS {
        let taken = post_signed(&url, "lambda", &[("x-amz-invocation-type", "Event")], &event).await;
        assert_eq!(taken.status, 202);
        sent.insert(taken.headers["x-amzn-requestid"].to_str().unwrap().to_owned());
    }
    let ids = |list: Vec<Value>| {
        let ids = list.into_iter().map(|one| one["request_id"].as_str().unwrap().to_owned());
        ids.collect::<BTreeSet<String>>()
    };
    let (done, dead) = eventually("all events", async || {
        let runs = bed.door("GET", "invocations?limit=1000", &Value::Null).await.as_array().unwrap().clone();
        let done = ids(runs.into_iter().filter(|run| run["trigger"] == "async" && run["outcome"] == "ok").collect());
        let dead = ids(bed.door("GET", "dead_letters", &Value::Null).await.as_array().unwrap().clone());
        (done.len() + dead.len() == EVENTS).then_some((done, dead))
    })
    .await;
    assert!(done.is_disjoint(&dead));
    assert_eq!(done.union(&dead).cloned().collect::<BTreeSet<String>>(), sent);
    bed.door("PUT", "faults", &json!({})).await;
    let again = bed.door("POST", "dead_letters/redrive", &Value::Null).await;
    assert_eq!(again.as_array().unwrap().len(), dead.len());
    assert_eq!(bed.door("GET", "dead_letters", &Value::Null).await, json!([]));
}
