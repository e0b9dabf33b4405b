//! Thirty days with a daily and an hourly job: every tick takes effect once, whatever happens to the emulator meanwhile.

use std::collections::BTreeMap;
use std::fs;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use support::{TestApp, TestAppBuilder, root};

const MONTH_S: i64 = 30 * 86_400;

/// The jobs whose month it is. Others may have been added.
const JOBS: [&str; 2] = ["cache_watch", "daily"];

/// The template with the schedules of these jobs alone.
fn with_schedules_of(jobs: &[&str], template: &str) -> String {
    let name_of = |line: &str| line.strip_prefix("            Name: !Sub badge-${Stage}-").map(str::to_owned);
    assert_eq!(template.lines().filter_map(name_of).count(), template.matches("Type: ScheduleV2").count());
    let lines = template.lines().map(|line| match name_of(line) {
        Some(job) if !jobs.contains(&job.as_str()) => format!("{line}\n            State: DISABLED\n"),
        _ => format!("{line}\n"),
    });
    // `deployed` is disabled as it is.
    lines.collect::<String>().replace("State: DISABLED\n            State: DISABLED\n", "State: DISABLED\n")
}

/// An app in a time zone, without schedules until [`begin`].
async fn app_in(zone: &str, is_stored: bool) -> TestApp {
    let builder = TestAppBuilder::new()
        .template(|template| with_schedules_of(&[], template))
        .settings(|settings| settings.replace("Asia/Shanghai", zone));
    builder.options(|options| options.keep = is_stored).start().await
}

/// Sets both schedules going.
async fn begin(app: &TestApp) {
    let template = fs::read_to_string(root().join("infra/template.yaml")).unwrap();
    fs::write(app.repository.file("infra/template.yaml"), with_schedules_of(&JOBS, &template)).unwrap();
    app.emulator.reload().await.unwrap();
}

async fn advance_to(app: &TestApp, end: Timestamp) {
    let left = end.duration_since(app.now().await).as_secs_f64();
    app.control("POST", "clock", json!({ "advance_s": left.max(0.0) })).await;
}

/// The ticks of a job that took effect, by the table of runs. Its log must not say of any that it took effect twice,
/// and each tick must have come `deliveries` times.
async fn effects(app: &TestApp, job: &str, deliveries: usize) -> Vec<Timestamp> {
    let prefix = format!("badge-local-{job}#");
    let runs = app.runs().await;
    let done = runs.iter().filter(|(_, item)| item["lease_until"].is_null());
    let done: Vec<Timestamp> = done.filter_map(|(run, _)| run.strip_prefix(&prefix)?.parse().ok()).collect();

    let log = fs::read_to_string(app.repository.file(&format!("logs/badge-local-{job}.log"))).unwrap();
    let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains("\"scheduled\"")) {
        let line: Value = serde_json::from_str(line).unwrap();
        let (came, effects) = seen.entry(line["scheduled"].as_str().unwrap().to_owned()).or_default();
        *came += 1;
        *effects += usize::from(line["report"].is_object());
    }
    for (tick, (came, effects)) in &seen {
        assert!(*came >= deliveries, "{job} {tick} came {came} times");
        assert!(*effects <= 1, "{job} {tick} took effect {effects} times");
    }
    assert_eq!(seen.len(), done.len(), "{job}");
    done
}

/// Looks whether the thirty days from `start` on were complete.
async fn check(app: &TestApp, start: Timestamp, zone: &str, deliveries: usize) {
    let hourly = effects(app, "cache_watch", deliveries).await;
    assert_eq!(hourly.len(), 720);
    assert!(hourly.windows(2).all(|pair| pair[1].duration_since(pair[0]).as_hours() == 1), "a rate counts real hours");
    let daily = effects(app, "daily", deliveries).await;
    let midnights = daily.iter().map(|tick| tick.in_tz(zone).unwrap().datetime());
    let days: Vec<Date> = midnights.inspect(|tick| assert_eq!(tick.time().hour(), 0)).map(DateTime::date).collect();
    assert_eq!(days.len(), 30);
    assert_eq!(days[0], start.in_tz(zone).unwrap().date().tomorrow().unwrap());
    assert!(days.windows(2).all(|pair| pair[0].tomorrow().unwrap() == pair[1]), "{days:?}");
}

/// Thirty days of next year from a day on, in which the clocks may change.
async fn a_month_from(day: &str, zone: &str) {
    let app = app_in(zone, false).await;
    // Noon, so that no change of an hour makes thirty days one midnight more or less.
    let year = app.now().await.in_tz(zone).unwrap().year() + 1;
    let start: DateTime = format!("{year}-{day}T12:00:00").parse().unwrap();
    let start = start.in_tz(zone).unwrap().timestamp();
    advance_to(&app, start).await;
    begin(&app).await;
    let start = app.now().await;
    app.advance(u64::try_from(MONTH_S).unwrap()).await;
    check(&app, start, zone, 1).await;
    app.finish().await;
}

#[tokio::test]
async fn a_month_over_the_spring_change_loses_no_tick() {
    a_month_from("03-15", "Europe/Berlin").await;
}

#[tokio::test]
async fn a_month_over_the_autumn_change_doubles_no_tick() {
    a_month_from("10-15", "Europe/Berlin").await;
}

#[tokio::test]
async fn a_month_in_which_every_event_comes_twice_has_each_effect_once() {
    let app = app_in("Asia/Shanghai", false).await;
    app.advance_to_midnight().await;
    begin(&app).await;
    app.control("PUT", "faults", r#"{"invoke": {"mode": "duplicate"}}"#).await;
    let start = app.now().await;
    app.advance(u64::try_from(MONTH_S).unwrap()).await;
    check(&app, start, "Asia/Shanghai", 2).await;
    app.finish().await;
}

#[tokio::test]
async fn a_month_with_an_emulator_killed_in_the_middle_has_each_effect_once() {
    let mut app = app_in("Asia/Shanghai", true).await;
    app.advance_to_midnight().await;
    begin(&app).await;
    let start = app.now().await;
    let (middle, end) = (start + SignedDuration::from_hours(15 * 24), start + SignedDuration::from_secs(MONTH_S));
    advance_to(&app, middle).await;
    // The stage goes while the clock is on its way.
    let reached = async {
        while app.now().await < middle + SignedDuration::from_hours(30) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = advance_to(&app, end) => panic!("the month is over"),
        () = reached => {}
    }
    app = app.restart().await;
    assert!((middle..end).contains(&app.now().await), "the clock continues where it was");
    advance_to(&app, end).await;
    // What was running when the emulator was killed continues independently of the clock.
    let under_way = app.repository.file("state/local/events");
    while fs::read_dir(&under_way).unwrap().next().is_some() {
        tokio::task::yield_now().await;
    }
    check(&app, start, "Asia/Shanghai", 1).await;
    app.finish().await;
}
