//! Schedules: fired by the clock, by hand and by nobody; failing, kept and driven again.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stage::Stage;

use crate::bed::{Bed, Repository, eventually, probe};
use crate::client::send;

const DAY_S: i64 = 86_400;

/// What the schedule `name` tells the probe, as the property `Input`: the probe writes it down in `file`.
fn note(file: &Path) -> Value {
    json!({
        "do": "note", "file": file, "time": "<aws.scheduler.scheduled-time>", "arn": "<aws.scheduler.schedule-arn>",
        "id": "<aws.scheduler.execution-id>",
    })
}

impl Repository {
    /// Adds a probe with a schedule; both have the same name.
    fn schedule(&self, name: &str, expression: &str, input: &Value) {
        self.add(
            name,
            &probe(),
            &format!(
                "Events: {{ Tick: {{ Type: ScheduleV2, Properties: {{ Name: {name}, ScheduleExpression: \
                 \"{expression}\", ScheduleExpressionTimezone: Etc/UTC, Input: '{input}' }} }} }}"
            ),
        );
    }

    fn notes(&self, file: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.file(file)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Bed {
    /// Moves the clock.
    async fn advance(&self, seconds: i64) {
        self.door("POST", "clock", &json!({"advance_s": seconds})).await;
    }

    async fn schedule(&self, name: &str) -> Value {
        let state = self.door("GET", "state", &Value::Null).await;
        state["schedules"].as_array().unwrap().iter().find(|schedule| schedule["name"] == name).unwrap().clone()
    }

    async fn dead_letters(&self) -> Vec<Value> {
        self.door("GET", "dead_letters", &Value::Null).await.as_array().unwrap().clone()
    }
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
    let bed = repository.start(|_| {}).await;
    let first = time(&bed.schedule("hourly").await["next"]);

    bed.advance(30 * DAY_S).await;

    let hourly = bed.repository.notes("hourly");
    assert_eq!(hourly.len(), 720);
    for (note, hours) in hourly.iter().zip(0..) {
        assert_eq!(time(&note["time"]), first + SignedDuration::from_hours(hours));
    }
    let daily = bed.repository.notes("daily");
    assert_eq!(daily.len(), 30);
    assert!(daily.iter().all(|note| note["time"].as_str().unwrap().ends_with("T00:00:00Z")), "{daily:?}");
    assert!(
        daily.windows(2).all(|two| time(&two[0]["time"]) + SignedDuration::from_hours(24) == time(&two[1]["time"]))
    );
    assert_eq!(daily[0]["arn"], "arn:aws:scheduler:us-east-1:000000000000:schedule/default/daily");
    assert_ne!(daily[0]["id"], daily[1]["id"]);
    assert_eq!(bed.function("daily").await["schedules"], json!(["daily"]));
    let state = bed.schedule("daily").await;
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
    let bed = repository.start(|_| {}).await;
    assert_eq!(bed.redis("SET a 1 EX 129600").await, "+OK");

    bed.advance(3 * DAY_S).await;

    let held: Vec<Value> = bed.repository.notes("notes").iter().map(|note| note["held"].clone()).collect();
    assert_eq!(held, [":1", ":0", ":0"], "a key that lives for a day and a half");
    let clock = &bed.door("GET", "state", &Value::Null).await["clock"];
    assert_eq!(clock["offset_ms"], 3 * DAY_S * 1_000);
}

#[tokio::test]
async fn a_schedule_fires_by_itself() {
    let repository = Repository::empty();
    repository.schedule("hourly", "rate(1 hour)", &note(&repository.file("notes")));
    let bed = repository.start(|_| {}).await;
    let next = time(&bed.schedule("hourly").await["next"]);
    let now = time(&bed.door("GET", "state", &Value::Null).await["clock"]["now"]);
    let ahead = next.duration_since(now) - SignedDuration::from_millis(100);
    bed.door("POST", "clock", &json!({"advance_s": ahead.as_secs_f64()})).await;
    let notes = eventually("the tick", async || Some(bed.repository.notes("notes")).filter(|n| !n.is_empty())).await;
    assert_eq!(time(&notes[0]["time"]), next);
    let after = bed.schedule("hourly").await;
    assert_eq!((time(&after["last"]), time(&after["next"])), (next, next + SignedDuration::from_hours(1)));
}

#[tokio::test]
async fn every_event_can_be_delivered_twice() {
    let repository = Repository::empty();
    repository.schedule("hourly", "rate(1 hour)", &note(&repository.file("notes")));
    let bed = repository.start(|_| {}).await;
    bed.door("PUT", "faults", &json!({"invoke": {"mode": "duplicate"}})).await;
    bed.advance(3 * 3_600).await;
    let notes = bed.repository.notes("notes");
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
    let bed = repository.start(|_| {}).await;
    let fired = bed.door("POST", "schedules/daily", &json!({"time": "2026-11-22T00:00:00+08:00"})).await;
    assert_eq!((&fired["schedule"], &fired["time"]), (&json!("daily"), &json!("2026-11-21T16:00:00Z")));
    assert_eq!((&fired["outcome"], &fired["attempts"], &fired["code"]), (&json!("ok"), &json!(1), &json!(0)));
    assert_eq!((&fired["error"], &fired["log"]), (&Value::Null, &json!(["ready"])));
    assert!(fired["duration_ms"].is_number());
    let note = &bed.repository.notes("notes")[0];
    assert_eq!((&note["time"], &note["request_id"]), (&fired["time"], &fired["request_id"]));
    let run = &bed.invocations().await[0];
    assert_eq!((&run["trigger"], &run["request_id"]), (&json!("schedule daily"), &fired["request_id"]));
    // Without a time it is now.
    let now = bed.door("POST", "schedules/daily", &Value::Null).await;
    assert!(Timestamp::from_second(time(&now["time"]).as_second()).unwrap() == time(&now["time"]));
    assert_eq!(bed.schedule("daily").await["last"], now["time"]);
}

#[tokio::test]
async fn wrong_wishes_are_answered_in_json() {
    let bed = Repository::empty().start(|_| {}).await;
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
        let answer = send(method, &bed.url(&format!("/_stage/{path}")), &[], body.to_owned()).await;
        assert_eq!(answer.status, status, "{method} {path} {body}");
        assert!(answer.json()["message"].is_string(), "{method} {path} {body}");
    }
}

#[tokio::test]
async fn a_failing_event_is_kept_and_the_next_one_fires_and_a_redrive_takes_it() {
    let repository = Repository::empty();
    let file = repository.file("works");
    let input = json!({"do": "fail_unless", "file": file, "time": "<aws.scheduler.scheduled-time>"});
    repository.schedule("daily", "cron(0 0 * * ? *)", &input);
    let bed = repository.start(|_| {}).await;

    bed.advance(2 * DAY_S).await;

    let letters = bed.dead_letters().await;
    let [second, first] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((&first["function"], &first["trigger"]), (&json!("test-daily"), &json!("schedule daily")));
    assert_eq!((&first["attempts"], &first["reason"]), (&json!(3), &json!("Probe: there is no file")));
    let event: Value = serde_json::from_str(first["event"].as_str().unwrap()).unwrap();
    assert!(time(&event["time"]) <= time(&first["time"]));
    assert_eq!(bed.schedule("daily").await["last_outcome"], "error");

    // What fails again comes back.
    let again = bed.door("POST", "dead_letters/redrive", &json!({"id": first["id"]})).await;
    assert_eq!((&again[0]["id"], &again[0]["outcome"]), (&first["id"], &json!("error")));
    let letters = bed.dead_letters().await;
    assert_eq!((letters.len(), &letters[0]["event"], &letters[1]), (2, &first["event"], second));

    fs::write(file, "").unwrap();
    let again = bed.door("POST", "dead_letters/redrive", &Value::Null).await;
    assert_eq!((again.as_array().unwrap().len(), &again[1]["outcome"]), (2, &json!("ok")));
    assert_eq!(bed.dead_letters().await, Vec::<Value>::new());
    bed.advance(DAY_S).await;
    assert_eq!(bed.schedule("daily").await["last_outcome"], "ok");
}

#[tokio::test]
async fn an_event_that_lambda_does_not_take_is_offered_and_kept_by_the_schedule_s_own_rule() {
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
    let bed = repository.start(|_| {}).await;
    bed.door("PUT", "faults", &json!({"invoke": {"mode": "refuse"}})).await;
    bed.advance(DAY_S).await;
    let letters = bed.dead_letters().await;
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((&letter["queue"], &letter["condition"]), (&json!("Missed"), &json!("RetriesExhausted")));
    assert_eq!((&letter["attempts"], &letter["outcome"]), (&json!(3), &json!("not_taken")));
    assert_eq!(bed.schedule("daily").await["last_outcome"], "not_taken");
    assert_eq!(send("POST", &bed.url("/_stage/schedules/daily"), &[], "").await.status, 503);
    assert_eq!(bed.repository.notes("notes").len(), 0, "the function was never asked");

    bed.door("PUT", "faults", &json!({})).await;
    let again = bed.door("POST", "dead_letters/redrive", &json!({"id": letter["id"]})).await;
    assert_eq!(again[0]["outcome"], "ok");
    let event: Value = serde_json::from_str(letter["event"].as_str().unwrap()).unwrap();
    assert_eq!(bed.repository.notes("notes")[0]["time"], event["time"]);
}

#[tokio::test]
async fn a_reset_begins_the_schedules_anew() {
    let repository = Repository::empty();
    repository.schedule("hourly", "rate(1 hour)", &note(&repository.file("notes")));
    let bed = repository.start(|_| {}).await;
    bed.door("PUT", "faults", &json!({"sms": {"mode": "refuse"}})).await;
    bed.advance(7_200).await;
    send("POST", &bed.url("/_stage/reset"), &[], "").await;
    let after = bed.schedule("hourly").await;
    assert_eq!((&after["last"], &after["last_outcome"]), (&Value::Null, &Value::Null));
    bed.advance(3_600).await;
    let notes = bed.repository.notes("notes");
    assert_eq!(notes.len(), 3);
    assert!(time(&notes[2]["time"]) < time(&notes[1]["time"]), "real time again");
    assert_eq!(bed.door("GET", "state", &Value::Null).await["faults"], json!({}));
}

#[tokio::test]
async fn a_reload_keeps_what_has_not_changed() {
    let repository = Repository::empty();
    repository.schedule("hourly", "rate(1 hour)", &note(&repository.file("notes")));
    let bed = repository.start(|_| {}).await;
    bed.advance(3_600).await;
    let before = bed.schedule("hourly").await;
    bed.repository.schedule("daily", "cron(0 0 * * ? *)", &note(&bed.repository.file("daily")));
    bed.stage.reload().await.unwrap();
    assert_eq!(bed.schedule("hourly").await, before);
    bed.advance(DAY_S).await;
    assert_eq!((bed.repository.notes("notes").len(), bed.repository.notes("daily").len()), (25, 1));
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
    let bed = repository.start(|_| {}).await;
    bed.advance(3_600).await;
    let state = bed.schedule("off").await;
    assert_eq!((&state["enabled"], &state["next"], &state["last"]), (&json!(false), &Value::Null, &Value::Null));
    assert_eq!(bed.door("POST", "schedules/off", &Value::Null).await["outcome"], "ok");
    assert_eq!(bed.repository.notes("notes").len(), 1);
}

#[tokio::test]
async fn a_wrong_expression_stops_the_start_with_one_line() {
    let repository = Repository::empty();
    repository.schedule("weekly", "rate(1 fortnight)", &json!({}));
    let error = Stage::start(repository.options()).await.unwrap_err().to_string();
    assert!(
        error.contains("weekly.Properties.Events.Tick.Properties.ScheduleExpression: rate(1 fortnight):"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1);
}
