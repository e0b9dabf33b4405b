//! Days whose midnight does not come, or comes twice: each has its figures all the same.

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

/// Runs the schedule of `daily` from a noon to a later one in a time zone, and compares the days that were written.
async fn days_of(zone: &str, from: &str, until: &str, expected: &[&str]) {
    // The hourly job would run thousands of times on the way.
    let template = |template: &str| template.replace("rate(1 hour)", "rate(4000 days)");
    let settings = |settings: &str| settings.replace("Asia/Shanghai", zone);
    TestAppBuilder::new()
        .template(template)
        .settings(settings)
        .run(async |app| {
            advance_to(app, from).await;
            let phone = app.phone();
            app.register(&phone).await;
            advance_to(app, until).await;
            let written = figures(app).await;
            let first = written.iter().position(|day| day == expected[0]);
            assert_eq!(
                first.map(|first| &written[first..]),
                Some(&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
            );
            let runs = app.runs().await;
            let count = |day: &str, name: &str| runs[&format!("figures#{day}")][name]["N"].clone();
            assert_eq!(count(expected[0], "registrations"), "1", "a registration on that day is counted");
            assert_eq!(count(expected[0], "sms_sent"), "1", "and the message");
            assert!(expected[1..].iter().all(|day| count(day, "sms_sent") == "0"), "{runs:?}");
        })
        .await;
}

#[tokio::test]
async fn a_day_before_a_midnight_that_does_not_exist_has_its_figures_in_cairo() {
    // On 30 April 2027 the clocks of Cairo go from 00:00 to 01:00.
    let days = ["2027-04-29", "2027-04-30", "2027-05-01"];
    days_of("Africa/Cairo", "2027-04-29T09:00:00Z", "2027-05-02T09:00:00Z", &days).await;
}

#[tokio::test]
async fn a_day_before_a_midnight_that_does_not_exist_has_its_figures_on_the_azores() {
    // On 28 March 2027 the clocks of the Azores go from 00:00 to 01:00.
    let days = ["2027-03-27", "2027-03-28", "2027-03-29"];
    days_of("Atlantic/Azores", "2027-03-27T12:00:00Z", "2027-03-30T12:00:00Z", &days).await;
}

#[tokio::test]
async fn a_midnight_that_comes_twice_is_one_day() {
    // On 31 October 2027 the clocks of the Azores go from 01:00 to 00:00.
    let days = ["2027-10-30", "2027-10-31", "2027-11-01"];
    days_of("Atlantic/Azores", "2027-10-30T12:00:00Z", "2027-11-02T12:00:00Z", &days).await;
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
