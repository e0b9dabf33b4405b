//! Notices: written with the row that they are about, sent by the stream's function, and counted against the budget.

use std::process::Command;

use serde_json::{Value, json};

use support::{Gate, Stop, TestApp, TestAppBuilder, for_crowds, with_app, with_variables};

/// An account that was just deleted; its phone. The phone has three messages with a code.
async fn leave(app: &TestApp) -> String {
    let (phone, who) = app.user().await;
    app.advance(61).await;
    let body = json!({ "veri_code": app.code(&phone, 3).await }).to_string();
    let left = app.send("POST", "/user/delete", &[("authorization", &who.sid)], body).await;
    assert_eq!(left.code, 0, "{left:?}");
    phone
}

async fn row(app: &TestApp, phone: &str) -> Value {
    let key = json!({ "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } } });
    app.dynamodb("GetItem", &key).await["Item"].clone()
}

/// How many notices a phone has got, once the stream was read.
async fn notices(app: &TestApp, phone: &str) -> usize {
    app.streams_are_empty().await;
    app.messages(phone, 3).await.iter().filter(|message| message["code"].is_null()).count()
}

/// The name of the budget's count, and what is counted.
async fn spent(app: &TestApp) -> (String, u64) {
    let key = app.redis(&["EVAL \"return redis.call('KEYS','*:limit:budget:*')[1]\" 0"]).await;
    let count = app.redis(&[&format!("GET {key}")]).await;
    (key, count.parse().unwrap())
}

#[tokio::test]
async fn a_notice_leaves_the_row_when_it_is_sent_and_is_no_change_of_the_user() {
    with_app(async |app| {
        let phone = leave(app).await;
        app.messages(&phone, 4).await;
        assert_eq!(notices(app, &phone).await, 1);
        let row = row(app, &phone).await;
        assert_eq!((&row["notice"], &row["version"]["N"]), (&Value::Null, &json!("2")));
        let events = app.audited(row["id"]["S"].as_str().unwrap()).await;
        assert_eq!(events.len(), 2, "a registration and a deletion: {events:?}");
        let fields = json!(["delete_time", "epoch", "is_delete"]);
        let names: Value = events[1]["fields"]["L"].as_array().unwrap().iter().map(|name| name["S"].clone()).collect();
        assert_eq!(names, fields);
    })
    .await;
}

#[tokio::test]
async fn a_notice_beyond_the_budget_is_not_sent_and_does_not_stay() {
    with_app(async |app| {
        let (phone, who) = app.user().await;
        app.advance(61).await;
        let body = json!({ "veri_code": app.code(&phone, 3).await }).to_string();
        let (budget, _) = spent(app).await;
        app.redis(&[&format!("SET {budget} 999999999 KEEPTTL")]).await;
        assert_eq!(app.send("POST", "/user/delete", &[("authorization", &who.sid)], body).await.code, 0);
        assert_eq!(notices(app, &phone).await, 0);
        assert_eq!(row(app, &phone).await["notice"], Value::Null);
        assert!(app.logs().contains("a notice is not sent: the budget is spent"));
    })
    .await;
}

/// A delivery that comes again after its hour, as one from the queue may.
#[tokio::test]
async fn a_late_notice_is_not_sent() {
    with_app(async |app| {
        let phone = app.phone();
        let mut change: Value = serde_json::from_str(include_str!("../../events/epochs.json")).unwrap();
        let notice = json!({ "kind": { "S": "phone_changed" }, "phone": { "S": format!("+86{phone}") }, "language": { "S": "zh" } });
        image_of(&mut change)["notice"] = json!({ "M": notice });
        for (mins_ago, expected) in [(61, 0), (59, 1)] {
            let at = app.now().await.as_millisecond() - mins_ago * 60_000;
            image_of(&mut change)["update_time"] = json!({ "N": at.to_string() });
            let answer = app.invoke_function("epochs", &change).await;
            assert_eq!(answer, json!({ "batchItemFailures": [] }));
            assert_eq!(app.messages(&phone, expected).await.len(), expected, "{mins_ago} minutes");
        }
        assert!(app.logs().contains("a notice is not sent: it is too late"));
    })
    .await;
}

fn image_of(change: &mut Value) -> &mut Value {
    &mut change["Records"][0]["dynamodb"]["NewImage"]
}

#[tokio::test]
async fn a_function_killed_at_any_call_sends_one_notice_and_counts_it_once() {
    let gate = Gate::default();
    let (variables, targets) = gate.backends().await;
    TestAppBuilder::new()
        .settings(for_crowds)
        .template(|template| with_variables(template, "Epochs", &variables))
        // A second sandbox would make calls of its own.
        .options(|options| options.sandbox_limit = 1)
        .run(async |app| {
            targets.lead_to(app).await;
            app.advance_to_midnight().await;
            for is_done in [false, true] {
                let mut killed = 0;
                loop {
                    // A sandbox that has started: the one before was killed.
                    let other = leave(app).await;
                    app.messages(&other, 4).await;
                    assert_eq!(notices(app, &other).await, 1);
                    let pids = app.function("epochs").await["pids"].as_array().unwrap().clone();
                    let (_, before) = spent(app).await;
                    gate.stop_at(Stop { call: killed, is_done });
                    let phone = leave(app).await;
                    let is_killed = tokio::select! {
                        biased;
                        () = gate.reached() => true,
                        () = app.streams_are_empty() => false,
                    };
                    for pid in pids.iter().filter(|_| is_killed) {
                        Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
                    }
                    gate.open();
                    app.messages(&phone, 4).await;
                    assert_eq!(notices(app, &phone).await, 1, "{killed} {is_done}");
                    assert_eq!(row(app, &phone).await["notice"], Value::Null);
                    let (_, after) = spent(app).await;
                    assert_eq!(after - before, 4 * 45_000, "three codes and a notice, {killed} {is_done}");
                    if !is_killed {
                        break;
                    }
                    killed += 1;
                }
                // Two copies of the epoch, the budget, the task, the row.
                assert_eq!(killed, 5, "{is_done}");
            }
        })
        .await;
}
