//! Jobs: what schedules start, once for each scheduled time.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use local::Options;
use serde_json::{Value, json};

use support::{TestApp, TestAppBuilder, code, env_option, for_crowds, report, with_app, with_settings};

/// It would run 8,760 times a year.
fn without_the_hourly_job(template: &str) -> String {
    assert!(template.contains("rate(1 hour)"));
    template.replace("rate(1 hour)", "rate(400 days)")
}

#[tokio::test]
async fn a_year_in_berlin_has_every_midnight_once_over_both_clock_changes() {
    let in_berlin = |settings: &str| settings.replace("Asia/Shanghai", "Europe/Berlin");
    TestAppBuilder::new()
        .template(without_the_hourly_job)
        .settings(in_berlin)
        .run(async |app| {
            app.advance_to_midnight().await;
            app.advance(365 * 86_400).await;
            let invocations = app.inspect("invocations?function=daily&limit=1000").await;
            let mut days: Vec<jiff::civil::DateTime> = invocations
                .as_array()
                .unwrap()
                .iter()
                .map(|one| {
                    let line: Value = serde_json::from_str(one["log"][0].as_str().unwrap()).unwrap();
                    assert!(line["report"].is_object(), "{line}");
                    let tick: jiff::Timestamp = line["scheduled"].as_str().unwrap().parse().unwrap();
                    tick.in_tz("Europe/Berlin").unwrap().datetime()
                })
                .collect();
            days.sort_unstable();
            assert_eq!(days.len(), 1 + 365);
            assert!(days.iter().all(|day| day.time() == jiff::civil::Time::midnight()));
            assert!(days.windows(2).all(|pair| pair[0].date().tomorrow().unwrap() == pair[1].date()), "no day is lost");
        })
        .await;
}

#[tokio::test]
async fn a_day_has_its_figures() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        let phone = app.phone();
        app.register(&phone).await;
        app.log_in(&phone).await;
        assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, code::TOO_MANY_REQUESTS);
        let other = app.phone();
        app.register(&other).await;
        app.code(&app.phone(), 1).await;

        let fired = app.fire("daily", &app.midnight(1).await).await;
        assert_eq!(fired["outcome"], "ok", "{fired}");
        let expected = json!({
            "registrations": 2, "logins": 1, "sms_sent": 4, "sms_verified": 3, "refused_cool_down": 1,
            "refused_sends_per_day": 0, "refused_sends_per_ip": 0, "refused_sends_per_prefix": 0,
            "refused_sends_per_block": 0, "refused_sends_per_area": 0, "refused_budget": 0, "refused_tries_per_day": 0,
            "refused_tries_per_ip": 0, "refused_device_cool_down": 0, "refused_device_sends_per_day": 0,
            "refused_sends_per_ip_day": 0, "refused_sends_per_ip56": 0, "refused_sends_per_ip48": 0,
            "refused_sends_per_ip48_day": 0, "refused_tries_in_a_row": 0, "refused_device_tries_per_day": 0,
            "refused_device_tries_in_a_row": 0, "refused_pages_per_user": 0,
            "refused_exports_per_user": 0
        });
        assert_eq!(report(&fired)["figures"], expected);
        let day = report(&fired)["day"].as_str().unwrap().to_owned();
        let item = &app.runs().await[&format!("figures#{day}")];
        for (name, count) in expected.as_object().unwrap() {
            assert_eq!(item[name]["N"], count.to_string(), "{name}");
        }
        assert!(item["expires_at"].is_null(), "daily stats stay");
        let again = app.fire("daily", &app.midnight(1).await).await;
        assert_eq!(report(&again), "done before");
    })
    .await;
}

#[tokio::test]
async fn a_run_is_forgotten_after_a_month_and_figures_are_not() {
    TestAppBuilder::new()
        .template(without_the_hourly_job)
        .run(async |app| {
            let tick = app.midnight(0).await;
            app.fire("daily", &tick).await;
            let run = format!("badge-local-daily#{tick}");
            let before = app.runs().await;
            let figures: Vec<&String> = before.keys().filter(|key| key.starts_with("figures#")).collect();
            assert!(before.contains_key(&run) && figures.len() == 1, "{before:?}");
            app.advance(29 * 86_400).await;
            assert!(app.runs().await.contains_key(&run));
            app.advance(2 * 86_400).await;
            let after = app.runs().await;
            assert!(!after.contains_key(&run) && after.contains_key(figures[0]), "{after:?}");
        })
        .await;
}

/// Marks a user as deleted so many days before the tick at midnight.
async fn delete(app: &TestApp, phone: &str, days_before: i64) {
    let tick: jiff::Timestamp = app.midnight(1).await.parse().unwrap();
    let time = tick.as_millisecond() - days_before * 86_400_000 - 1;
    let update = json!({
        "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } },
        "UpdateExpression": "SET is_delete = :d, delete_time = :t REMOVE #s",
        "ExpressionAttributeNames": { "#s": "shard" },
        "ExpressionAttributeValues": { ":d": { "N": "1" }, ":t": { "N": time.to_string() } }
    });
    app.dynamodb("UpdateItem", &update).await;
}

async fn users(app: &TestApp) -> usize {
    let scan = app.dynamodb("Scan", &json!({ "TableName": "badge-local-users" })).await;
    scan["Items"].as_array().unwrap().len()
}

#[tokio::test]
async fn who_was_deleted_fifteen_days_ago_is_removed_for_good() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        let (old, young, live) = (app.phone(), app.phone(), app.phone());
        for phone in [&old, &young, &live] {
            app.register(phone).await;
        }
        delete(app, &old, 15).await;
        delete(app, &young, 14).await;
        let fired = app.fire("daily", &app.midnight(1).await).await;
        assert_eq!(report(&fired)["erased"], 1);
        assert_eq!(users(app).await, 2);
        let fired = app.fire("daily", &app.midnight(2).await).await;
        assert_eq!(report(&fired)["erased"], 1);
        assert_eq!(users(app).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_deployment_is_checked_and_its_data_brought_up_to_date_once() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let update = json!({
            "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } },
            "UpdateExpression": "SET is_delete = :d", "ExpressionAttributeValues": { ":d": { "N": "1" } }
        });
        app.dynamodb("UpdateItem", &update).await;
        let fired = app.fire("deployed", "2026-11-22T00:00:00Z").await;
        assert_eq!(fired["outcome"], "ok", "{fired}");
        let checks = json!({
            "users table": "ok", "runs table": "ok", "audit table": "ok",
            "cache": "ok", "secret veri_code": "ok", "secret jwt": "ok", "secret sms": "ok",
            "settings": "ok"
        });
        assert_eq!(report(&fired), json!({ "checks": checks, "migrations": { "1 date deletions": 1 } }));
        let item = app.dynamodb("Scan", &json!({ "TableName": "badge-local-users" })).await["Items"][0].clone();
        assert!(item["delete_time"]["N"].is_string() && item["shard"].is_null(), "{item}");
        let fired = app.fire("deployed", "2026-11-22T00:00:01Z").await;
        assert_eq!(report(&fired)["migrations"], json!({ "1 date deletions": "done before" }));
        assert!(app.runs().await["migration#1 date deletions"]["expires_at"].is_null(), "remembered for ever");
    })
    .await;
}

#[tokio::test]
async fn an_incomplete_stage_is_named_and_ends_in_the_dead_letters() {
    with_app(async |app| {
        app.dynamodb("DeleteTable", &json!({ "TableName": "badge-local-users" })).await;
        let fired = app.fire("deployed", "2026-11-22T00:00:00Z").await;
        assert_eq!((&fired["outcome"], &fired["attempts"]), (&json!("error"), &json!(3)));
        let line: Value = serde_json::from_str(fired["log"][0].as_str().unwrap()).unwrap();
        assert!(line["error"].as_str().unwrap().contains("tables"), "{line}");
        let dead = app.dead_letters().await;
        assert_eq!(dead.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_message_is_sent_once_however_often_its_task_is_delivered() {
    with_settings(
        |settings| settings.replace("\"60s\"", "\"1s\""),
        async |app| {
            app.control("PUT", "faults", r#"{"invoke": {"mode": "duplicate", "rate": 1}}"#).await;
            let phone = app.phone();
            app.code(&phone, 1).await;
            app.advance(2).await;
            app.code(&phone, 2).await;
            assert_eq!(app.messages(&phone, 2).await.len(), 2);
            app.control("PUT", "faults", r#"{"sms": {"mode": "refuse", "rate": 1}}"#).await;
            app.advance(2).await;
            assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, 0);
            loop {
                let dead = app.dead_letters().await;
                if let Some(entry) = dead.first() {
                    assert!(entry.to_string().contains("503"), "the reason is stored: {entry}");
                    break;
                }
                tokio::task::yield_now().await;
            }
        },
    )
    .await;
}

#[tokio::test]
async fn every_message_is_accepted_once_or_in_the_dead_letters() {
    let messages = env_option("SMS_MESSAGES").unwrap_or(500_usize);
    // Few messages need many faults, so that some end in the dead letters.
    let rate = if messages < 10_000 { 0.2 } else { 0.05 };
    let stored = |options: &mut Options| options.keep = true;
    TestAppBuilder::new()
        .settings(for_crowds)
        .options(stored)
        .run(async |app| {
            let begin = Instant::now();
            let refusing = json!({ "mode": "refuse", "rate": rate });
            app.fail(&json!({ "sms": refusing, "invoke": { "mode": "duplicate", "rate": rate } })).await;
            let mut asked = BTreeSet::new();
            for _ in 0..messages {
                let phone = app.phone();
                assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, 0);
                asked.insert(format!("+86{phone}"));
            }
            // An event lies there until all that came of it has ended.
            let under_way = app.repository.file("state/local/events");
            let end = Instant::now() + Duration::from_mins(2);
            while fs::read_dir(&under_way).unwrap().next().is_some() {
                assert!(Instant::now() < end, "some do not end");
                tokio::task::yield_now().await;
            }
            let took = begin.elapsed();

            let phone = |message: &Value| message["phone"].as_str().unwrap().to_owned();
            let inbox = app.inspect("sms").await;
            let accepted: BTreeSet<String> = inbox.as_array().unwrap().iter().map(phone).collect();
            assert_eq!(accepted.len(), inbox.as_array().unwrap().len(), "nobody gets two");
            // The inbox knows a message that comes again by its id; none is to come again.
            let log = fs::read_to_string(app.repository.file("logs/badge-local-send_sms.log")).unwrap();
            let runs = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let posted = runs.filter(|run| run["code"] == 0 && run["spent"]["http"].as_u64() > Some(0)).count();
            assert_eq!(posted, accepted.len());
            let dead = app.dead_letters().await;
            assert!(dead.iter().all(|one| one["reason"].to_string().contains("status 503")), "{dead:?}");
            // Of a doubled event one delivery can fail and the other one succeed; or both fail.
            let events = dead.iter().map(|one| serde_json::from_str(one["event"].as_str().unwrap()).unwrap());
            let dead: BTreeSet<String> = events.map(|event: Value| phone(&event["task"])).collect();
            let seen: BTreeSet<String> = accepted.union(&dead).cloned().collect();
            assert_eq!(seen, asked, "nothing is lost");
            let (accepted, only_dead) = (accepted.len(), dead.difference(&accepted).count());
            println!("{messages} messages: {accepted} accepted, {only_dead} in the dead letters, {took:?}");
        })
        .await;
}
