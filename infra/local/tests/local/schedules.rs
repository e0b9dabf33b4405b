//! Schedules: fired by the clock and by hand; failing events, dead letters and redrives.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use local::Emulator;
use serde_json::{Value, json};

use support::{Repository, eventually, post, probe, send};

const DAY_S: u64 = 86_400;

/// The input of a schedule whose probe writes it to `file`.
fn note(file: &Path) -> Value {
    json!({
        "do": "note", "file": file, "time": "<aws.scheduler.scheduled-time>", "arn": "<aws.scheduler.schedule-arn>",
        "id": "<aws.scheduler.execution-id>",
    })
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_time_that_the_clock_moves_over_fires_once_and_in_order() {
    let repository = Repository::empty();
    for (name, expression) in [("hourly", "rate(1 hour)"), ("daily", "cron(0 0 * * ? *)")] {
        repository.schedule(name, expression, &note(&repository.file(name)));
    }
    let app = repository.start(|_| {}).await;
    let first = time(&app.schedule("hourly").await["next"]);

    app.advance(30 * DAY_S).await;

    let hourly = app.repository.notes("hourly");
    assert_eq!(hourly.len(), 720);
    for (note, hours) in hourly.iter().zip(0..) {
        assert_eq!(time(&note["time"]), first + SignedDuration::from_hours(hours));
    }
    let daily = app.repository.notes("daily");
    assert_eq!(daily.len(), 30);
    assert!(daily.iter().all(|note| note["time"].as_str().unwrap().ends_with("T00:00:00Z")), "{daily:?}");
    assert!(
        daily.windows(2).all(|two| time(&two[0]["time"]) + SignedDuration::from_hours(24) == time(&two[1]["time"]))
    );
    assert_eq!(daily[0]["arn"], "arn:aws:scheduler:us-east-1:000000000000:schedule/default/daily");
    assert_ne!(daily[0]["id"], daily[1]["id"]);
    assert_eq!(app.function("daily").await["schedules"], json!(["daily"]));
    let state = app.schedule("daily").await;
    assert_eq!((&state["expression"], &state["timezone"]), (&json!("cron(0 0 * * ? *)"), &json!("Etc/UTC")));
    assert_eq!((&state["function"], &state["last_outcome"]), (&json!("test-daily"), &json!("ok")));
    assert_eq!(state["last"], daily[29]["time"]);
}

#[tokio::test]
async fn the_clock_stops_at_each_time_on_the_way() {
    let repository = Repository::empty();
    let mut input = note(&repository.file("notes"));
    input["key"] = json!("a");
    repository.schedule("daily", "rate(1 day)", &input);
    let app = repository.start(|_| {}).await;
    assert_eq!(app.redis(&["SET a 1 EX 129600"]).await, "+OK");

    app.advance(3 * DAY_S).await;

    let held: Vec<Value> = app.repository.notes("notes").iter().map(|note| note["held"].clone()).collect();
    assert_eq!(held, [":1", ":0", ":0"], "a key that lives for a day and a half");
    let clock = &app.inspect("state").await["clock"];
    assert_eq!(clock["offset_ms"], 3 * DAY_S * 1_000);
}

#[tokio::test]
async fn a_schedule_fires_by_itself() {
    let repository = Repository::empty();
    repository.schedule("hourly", "rate(1 hour)", &note(&repository.file("notes")));
    let app = repository.start(|_| {}).await;
    let next = time(&app.schedule("hourly").await["next"]);
    let now = time(&app.inspect("state").await["clock"]["now"]);
    let ahead = next.duration_since(now) - SignedDuration::from_millis(100);
    app.control("POST", "clock", json!({"advance_s": ahead.as_secs_f64()})).await;
    let notes = eventually("the tick", async || Some(app.repository.notes("notes")).filter(|n| !n.is_empty())).await;
    assert_eq!(time(&notes[0]["time"]), next);
    let after = app.schedule("hourly").await;
    assert_eq!((time(&after["last"]), time(&after["next"])), (next, next + SignedDuration::from_hours(1)));
}

#[tokio::test]
async fn every_event_can_be_delivered_twice() {
    let repository = Repository::empty();
    repository.schedule("hourly", "rate(1 hour)", &note(&repository.file("notes")));
    let app = repository.start(|_| {}).await;
    app.control("PUT", "faults", json!({"invoke": {"mode": "duplicate"}})).await;
    app.advance(3 * 3_600).await;
    let notes = app.repository.notes("notes");
    assert_eq!(notes.len(), 6);
    for pair in notes.chunks(2) {
        assert_eq!(pair[0], pair[1], "the same event with the same request id");
    }
    assert_ne!(notes[0]["request_id"], notes[2]["request_id"]);
}

#[tokio::test]
async fn a_schedule_is_fired_by_hand() {
    let repository = Repository::empty();
    repository.schedule("daily", "cron(0 0 * * ? *)", &note(&repository.file("notes")));
    let app = repository.start(|_| {}).await;
    let fired = app.control("POST", "schedules/daily", json!({"time": "2026-11-22T00:00:00+08:00"})).await;
    assert_eq!((&fired["schedule"], &fired["time"]), (&json!("daily"), &json!("2026-11-21T16:00:00Z")));
    assert_eq!((&fired["outcome"], &fired["attempts"], &fired["code"]), (&json!("ok"), &json!(1), &json!(0)));
    assert_eq!((&fired["error"], &fired["log"]), (&Value::Null, &json!(["ready"])));
    assert!(fired["duration_ms"].is_number());
    let note = &app.repository.notes("notes")[0];
    assert_eq!((&note["time"], &note["request_id"]), (&fired["time"], &fired["request_id"]));
    let run = &app.invocations().await[0];
    assert_eq!((&run["trigger"], &run["request_id"]), (&json!("schedule daily"), &fired["request_id"]));
    // Without a time it is now.
    let now = app.control("POST", "schedules/daily", "").await;
    assert!(Timestamp::from_second(time(&now["time"]).as_second()).unwrap() == time(&now["time"]));
    assert_eq!(app.schedule("daily").await["last"], now["time"]);
}

#[tokio::test]
async fn wrong_requests_are_answered_in_json() {
    let app = Repository::empty().start(|_| {}).await;
    for (method, path, body, status) in [
        ("POST", "schedules/other", "", 404),
        ("POST", "schedules/other", "{\"time\": \"soon\"}", 400),
        ("GET", "schedules/other", "", 405),
        ("POST", "dead_letters/redrive", "{\"id\": \"other\"}", 404),
        ("POST", "dead_letters/redrive", "[]", 400),
        ("GET", "dead_letters/redrive", "", 405),
        ("PUT", "faults", "{\"weather\": {}}", 400),
        ("PUT", "faults", "{\"invoke\": {\"mode\": \"duplicate\", \"rate\": 2}}", 400),
        ("POST", "faults", "{}", 405),
    ] {
        let answer = send(method, &app.url(&format!("/_stage/{path}")), &[], body.to_owned()).await;
        assert_eq!(answer.status, status, "{method} {path} {body}");
        assert!(answer.json()["message"].is_string(), "{method} {path} {body}");
    }
}

#[tokio::test]
async fn a_failing_event_becomes_a_dead_letter_and_the_next_one_fires_and_a_redrive_succeeds() {
    let repository = Repository::empty();
    let file = repository.file("works");
    let input = json!({"do": "fail_unless", "file": file, "time": "<aws.scheduler.scheduled-time>"});
    repository.schedule("daily", "cron(0 0 * * ? *)", &input);
    let app = repository.start(|_| {}).await;

    app.advance(2 * DAY_S).await;

    let dead = app.dead_letters().await;
    let [second, first] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!((&first["function"], &first["trigger"]), (&json!("test-daily"), &json!("schedule daily")));
    assert_eq!((&first["attempts"], &first["reason"]), (&json!(3), &json!("Probe: there is no file")));
    let event: Value = serde_json::from_str(first["event"].as_str().unwrap()).unwrap();
    assert!(time(&event["time"]) <= time(&first["time"]));
    assert_eq!(app.schedule("daily").await["last_outcome"], "error");

    // An event that fails again is a dead letter again.
    let again = app.control("POST", "dead_letters/redrive", json!({"id": first["id"]})).await;
    assert_eq!((&again[0]["id"], &again[0]["outcome"]), (&first["id"], &json!("error")));
    let dead = app.dead_letters().await;
    assert_eq!((dead.len(), &dead[0]["event"], &dead[1]), (2, &first["event"], second));

    fs::write(file, "").unwrap();
    let again = app.control("POST", "dead_letters/redrive", "").await;
    assert_eq!((again.as_array().unwrap().len(), &again[1]["outcome"]), (2, &json!("ok")));
    assert_eq!(app.dead_letters().await, Vec::<Value>::new());
    app.advance(DAY_S).await;
    assert_eq!(app.schedule("daily").await["last_outcome"], "ok");
}

#[tokio::test]
async fn an_event_that_lambda_does_not_accept_is_retried_by_the_schedule_s_own_rule() {
    let repository = Repository::empty();
    let policy = "RetryPolicy: { MaximumRetryAttempts: 2 }, DeadLetterConfig: { Type: SQS, QueueLogicalId: Missed }";
    let input = note(&repository.file("notes"));
    repository.add(
        "daily",
        &probe(),
        &format!(
            "Events: {{ Tick: {{ Type: ScheduleV2, Properties: {{ Name: daily, ScheduleExpression: rate(1 day), \
             {policy}, Input: '{input}' }} }} }}"
        ),
    );
    let app = repository.start(|_| {}).await;
    app.control("PUT", "faults", json!({"invoke": {"mode": "refuse"}})).await;
    app.advance(DAY_S).await;
    let dead = app.dead_letters().await;
    let [entry] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!((&entry["queue"], &entry["condition"]), (&json!("Missed"), &json!("RetriesExhausted")));
    assert_eq!((&entry["attempts"], &entry["outcome"]), (&json!(3), &json!("not_taken")));
    assert_eq!(app.schedule("daily").await["last_outcome"], "not_taken");
    assert_eq!(send("POST", &app.url("/_stage/schedules/daily"), &[], "").await.status, 503);
    assert_eq!(app.repository.notes("notes").len(), 0, "the function was never asked");

    app.control("PUT", "faults", json!({})).await;
    let again = app.control("POST", "dead_letters/redrive", json!({"id": entry["id"]})).await;
    assert_eq!(again[0]["outcome"], "ok");
    let event: Value = serde_json::from_str(entry["event"].as_str().unwrap()).unwrap();
    assert_eq!(app.repository.notes("notes")[0]["time"], event["time"]);
}

#[tokio::test]
async fn a_reset_restarts_the_schedules() {
    let repository = Repository::empty();
    repository.schedule("hourly", "rate(1 hour)", &note(&repository.file("notes")));
    let app = repository.start(|_| {}).await;
    app.control("PUT", "faults", json!({"sms": {"mode": "refuse"}})).await;
    app.advance(7_200).await;
    send("POST", &app.url("/_stage/reset"), &[], "").await;
    let after = app.schedule("hourly").await;
    assert_eq!((&after["last"], &after["last_outcome"]), (&Value::Null, &Value::Null));
    app.advance(3_600).await;
    let notes = app.repository.notes("notes");
    assert_eq!(notes.len(), 3);
    assert!(time(&notes[2]["time"]) < time(&notes[1]["time"]), "real time again");
    assert_eq!(app.inspect("state").await["faults"], json!({}));
}

#[tokio::test]
async fn a_reload_keeps_what_has_not_changed() {
    let repository = Repository::empty();
    repository.schedule("hourly", "rate(1 hour)", &note(&repository.file("notes")));
    let app = repository.start(|_| {}).await;
    app.advance(3_600).await;
    let before = app.schedule("hourly").await;
    app.repository.schedule("daily", "cron(0 0 * * ? *)", &note(&app.repository.file("daily")));
    app.emulator.reload().await.unwrap();
    assert_eq!(app.schedule("hourly").await, before);
    app.advance(DAY_S).await;
    assert_eq!((app.repository.notes("notes").len(), app.repository.notes("daily").len()), (25, 1));
}

#[tokio::test]
async fn a_schedule_that_is_disabled_fires_only_by_hand() {
    let repository = Repository::empty();
    let file = repository.file("notes");
    let input = note(&file).to_string().replace("<aws.scheduler.execution-id>", "fixed");
    repository.add("job", &probe(), "Events: { A: { Type: HttpApi } }");
    repository.append(&format!(
        "  Off:\n    Type: AWS::Scheduler::Schedule\n    Properties: {{ Name: off, State: DISABLED, ScheduleExpression: \
         rate(1 minute), Target: {{ Arn: !GetAtt job.Arn, Input: '{input}' }} }}\n"
    ));
    let app = repository.start(|_| {}).await;
    app.advance(3_600).await;
    let state = app.schedule("off").await;
    assert_eq!((&state["enabled"], &state["next"], &state["last"]), (&json!(false), &Value::Null, &Value::Null));
    assert_eq!(app.control("POST", "schedules/off", "").await["outcome"], "ok");
    assert_eq!(app.repository.notes("notes").len(), 1);
}

#[tokio::test]
async fn a_wrong_expression_stops_the_start_with_one_line() {
    let repository = Repository::empty();
    repository.schedule("weekly", "rate(1 fortnight)", &json!({}));
    let error = Emulator::start(repository.options()).await.unwrap_err().to_string();
    assert!(
        error.contains("weekly.Properties.Events.Tick.Properties.ScheduleExpression: rate(1 fortnight):"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1);
}

#[tokio::test]
async fn a_long_move_of_the_clock_answers_before_it_ends_and_continues() {
    let repository = Repository::empty();
    repository.schedule("hourly", "rate(1 hour)", &note(&repository.file("notes")));
    let app = repository.start(|_| {}).await;
    let response = post(&app.url("/_stage/clock"), &json!({ "advance_s": 50 * DAY_S })).await;
    let (first, clock) = (app.repository.notes("notes").len(), response.json());
    assert_eq!(response.status, 202);
    assert!((1_000..1_200).contains(&first), "{first} events had been fired");
    assert!(time(&clock["now"]) < time(&clock["moving_to"]), "{clock}");

    eventually("the end of the move", async || {
        let clock = app.inspect("state").await["clock"].take();
        clock["moving_to"].is_null().then_some(())
    })
    .await;
    assert_eq!(app.repository.notes("notes").len(), 1_200);
    assert_eq!(app.inspect("state").await["clock"]["offset_ms"], 50 * DAY_S * 1_000);
}
