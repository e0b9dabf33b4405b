//! Days whose midnight does not come, or comes twice: each has its figures all the same.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use support::{TestApp, TestAppBuilder, report, with_app};

async fn advance_to(app: &TestApp, to: &str) {
    app.control("POST", "clock", json!({ "to": to })).await;
}

/// The items of days in the table of runs, by their dates.
async fn figures(app: &TestApp) -> Vec<String> {
    let runs = app.runs().await;
    runs.keys().filter_map(|run| run.strip_prefix("figures#").map(str::to_owned)).collect()
}

/// The next day in a time zone on which the clocks go from one time of the day to another.
fn next_change(zone: &TimeZone, now: Timestamp, from: &str, to: &str) -> Date {
    let mut before = zone.to_offset(now);
    for change in zone.following(now).take(20) {
        let [left, met] = [before, change.offset()].map(|offset: Offset| offset.to_datetime(change.timestamp()));
        if [left, met].map(DateTime::time) == [from, to].map(|time| time.parse().unwrap()) {
            return met.date();
        }
        before = change.offset();
    }
    panic!("no such change")
}

/// Runs the schedule of `daily` over three days in a time zone, with a change of the clocks on the second one, and compares the
/// days that were written.
async fn days_around(zone: &str, from: &str, to: &str) {
    // The hourly job would run thousands of times on the way.
    let template = |template: &str| template.replace("rate(1 hour)", "rate(4000 days)");
    let settings = |settings: &str| settings.replace("Asia/Shanghai", zone);
    TestAppBuilder::new()
        .template(template)
        .settings(settings)
        .run(async |app| {
            let tz = TimeZone::get(zone).unwrap();
            let change = next_change(&tz, app.now().await, from, to);
            let day = |nth: i32| change.saturating_add(nth.days());
            let noon = |nth| day(nth).at(12, 0, 0, 0).to_zoned(tz.clone()).unwrap().timestamp().to_string();
            let expected = [-1, 0, 1].map(|nth| day(nth).to_string());
            advance_to(app, &noon(-1)).await;
            let phone = app.phone();
            app.register(&phone).await;
            advance_to(app, &noon(2)).await;
            let written = figures(app).await;
            let first = written.iter().position(|day| *day == expected[0]);
            assert_eq!(first.map(|first| &written[first..]), Some(&expected[..]));
            let runs = app.runs().await;
            let count = |day: &str, name: &str| runs[&format!("figures#{day}")][name]["N"].clone();
            assert_eq!(count(&expected[0], "registrations"), "1", "a registration on that day is counted");
            assert_eq!(count(&expected[0], "sms_sent"), "1", "and the message");
            assert!(expected[1..].iter().all(|day| count(day, "sms_sent") == "0"), "{runs:?}");
        })
        .await;
}

#[tokio::test]
async fn a_day_before_a_midnight_that_does_not_exist_has_its_figures_in_cairo() {
    days_around("Africa/Cairo", "00:00", "01:00").await;
}

#[tokio::test]
async fn a_day_before_a_midnight_that_does_not_exist_has_its_figures_on_the_azores() {
    days_around("Atlantic/Azores", "00:00", "01:00").await;
}

#[tokio::test]
async fn a_midnight_that_comes_twice_is_one_day() {
    days_around("Atlantic/Azores", "01:00", "00:00").await;
}

#[tokio::test]
async fn days_on_which_the_schedule_was_off_are_written_by_the_next_run() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        assert_eq!(report(&app.fire("daily", &app.midnight(1).await).await)["days"].as_array().unwrap().len(), 1);
        let fired = app.fire("daily", &app.midnight(6).await).await;
        let days = report(&fired)["days"].as_array().unwrap().clone();
        assert_eq!(days.len(), 5, "{fired}");
        assert!(days.is_sorted_by_key(|day| day.as_str().unwrap().to_owned()));
        assert_eq!(report(&fired)["day"], days[4]);
        let runs = app.runs().await;
        let item = |day: &Value| runs[&format!("figures#{}", day.as_str().unwrap())].clone();
        for day in &days {
            assert_eq!(item(day)["registrations"]["N"], "0", "{day}");
        }
        // The cache has forgotten what happened on the first days: that is unknown, and not zero.
        assert!(days[..3].iter().all(|day| item(day)["logins"].is_null()), "{runs:?}");
        assert!(days[3..].iter().all(|day| item(day)["logins"]["N"] == "0"), "{runs:?}");
        // After a longer time the stage counts as a new one.
        let fired = app.fire("daily", &app.midnight(60).await).await;
        assert_eq!(report(&fired)["days"].as_array().unwrap().len(), 1, "{fired}");
    })
    .await;
}
