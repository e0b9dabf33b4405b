//! A table of expressions with the times at which they fire, and of expressions that are refused.
//!
//! Rows marked `aws` have their expression and its meaning from AWS's pages (see `expression`); the time follows from
//! that. Rows marked `hand` follow from a calendar and the time zone's rules: Berlin
//! changes its clocks at 01:00 UTC on the last Sundays of March and October, New York and Los Angeles at 02:00 local
//! time on the second Sunday of March and the first of November, Shanghai never.

use jiff::Timestamp;

use super::expression::Timetable;

const UTC: &str = "UTC";
const BERLIN: &str = "Europe/Berlin";
const SHANGHAI: &str = "Asia/Shanghai";
const NEW_YORK: &str = "America/New_York";
const LOS_ANGELES: &str = "America/Los_Angeles";

/// A Sunday.
const NOW: &str = "2026-11-22T07:00:00Z";

/// Source, expression, time zone, the time before, the next time; `never` if there is none.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const NEXT: &[Row] = &[
    // Rates, counted from the time before.
    ("aws", "rate(5 minutes)", UTC, NOW, "2026-11-22T07:05:00Z"),
    ("aws", "rate(1 minute)", UTC, NOW, "2026-11-22T07:01:00Z"),
    ("aws", "rate(1 hour)", UTC, NOW, "2026-11-22T08:00:00Z"),
    ("aws", "rate(12 hours)", UTC, NOW, "2026-11-22T19:00:00Z"),
    // A day is 24 hours, also on the days of 23 and of 25.
    ("aws", "rate(1 day)", BERLIN, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"),
    ("aws", "rate(1 day)", BERLIN, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"),
    ("hand", "rate(10 days)", SHANGHAI, NOW, "2026-12-02T07:00:00Z"),
    // Once.
    ("aws", "at(2022-11-20T13:00:00)", LOS_ANGELES, "2022-01-01T00:00:00Z", "2022-11-20T21:00:00Z"),
    ("aws", "at(2022-11-20T13:00:00)", LOS_ANGELES, "2022-11-20T21:00:00Z", "never"),
    ("hand", "at(2026-11-22T15:00:00)", SHANGHAI, "2026-11-22T06:59:59Z", "2026-11-22T07:00:00Z"),
    ("hand", "at(2026-07-01T00:00:00)", BERLIN, "2026-01-01T00:00:00Z", "2026-06-30T22:00:00Z"),
    // Minutes and hours.
    ("aws", "cron(0 10 * * ? *)", UTC, NOW, "2026-11-22T10:00:00Z"),
    ("aws", "cron(15 12 * * ? *)", UTC, "2026-11-22T12:15:00Z", "2026-11-23T12:15:00Z"),
    ("aws", "cron(0/15 * * * ? *)", UTC, "2026-11-22T07:45:00Z", "2026-11-22T08:00:00Z"),
    ("aws", "cron(1/10 * * * ? *)", UTC, NOW, "2026-11-22T07:01:00Z"),
    ("aws", "cron(1/10 * * * ? *)", UTC, "2026-11-22T07:51:00Z", "2026-11-22T08:01:00Z"),
    ("aws", "cron(0/10 * ? * MON-FRI *)", UTC, NOW, "2026-11-23T00:00:00Z"),
    ("aws", "cron(0/5 8-17 ? * MON-FRI *)", UTC, "2026-11-23T17:55:00Z", "2026-11-24T08:00:00Z"),
    ("aws", "cron(0/5 8-17 ? * MON-FRI *)", UTC, "2026-11-27T17:55:00Z", "2026-11-30T08:00:00Z"),
    ("aws", "cron(0/30 20-2 ? * MON-FRI *)", UTC, NOW, "2026-11-23T00:00:00Z"),
    ("aws", "cron(0/30 20-2 ? * MON-FRI *)", UTC, "2026-11-23T02:30:00Z", "2026-11-23T20:00:00Z"),
    ("hand", "cron(* * * * ? *)", UTC, "2026-11-22T07:00:30Z", "2026-11-22T07:01:00Z"),
    ("hand", "cron(*/20 * * * ? *)", UTC, "2026-11-22T07:20:00Z", "2026-11-22T07:40:00Z"),
    ("hand", "cron(10-20/5,50 * * * ? *)", UTC, "2026-11-22T07:20:00Z", "2026-11-22T07:50:00Z"),
    ("hand", "cron(0 0/6 * * ? *)", UTC, NOW, "2026-11-22T12:00:00Z"),
    ("hand", "cron(0 8,20 * * ? *)", UTC, "2026-11-22T08:00:00Z", "2026-11-22T20:00:00Z"),
    ("hand", "cron(59 23 31 12 ? *)", UTC, NOW, "2026-12-31T23:59:00Z"),
    // Days of the month.
    ("aws", "cron(0 8 1 * ? *)", UTC, NOW, "2026-12-01T08:00:00Z"),
    ("aws", "cron(0 0 1-15 * ? *)", UTC, NOW, "2026-12-01T00:00:00Z"),
    ("aws", "cron(0 0 7 * ? *)", UTC, NOW, "2026-12-07T00:00:00Z"),
    ("hand", "cron(0 0 31 * ? *)", UTC, NOW, "2026-12-31T00:00:00Z"),
    ("hand", "cron(0 0 31 2 ? *)", UTC, NOW, "never"),
    ("hand", "cron(0 0 29 2 ? *)", UTC, NOW, "2028-02-29T00:00:00Z"),
    ("hand", "cron(0 0 1/10 * ? *)", UTC, NOW, "2026-12-01T00:00:00Z"),
    ("aws", "cron(0 0 L * ? *)", UTC, NOW, "2026-11-30T00:00:00Z"),
    ("hand", "cron(0 0 L 2 ? *)", UTC, NOW, "2027-02-28T00:00:00Z"),
    ("hand", "cron(0 0 L 2 ? 2028)", UTC, NOW, "2028-02-29T00:00:00Z"),
    // The weekday closest to a day: 3 December 2026 is a Thursday, 3 October a Saturday, 3 January 2027 a Sunday.
    ("aws", "cron(0 0 3W 12 ? *)", UTC, NOW, "2026-12-03T00:00:00Z"),
    ("aws", "cron(0 0 3W 10 ? 2026)", UTC, "2026-09-01T00:00:00Z", "2026-10-02T00:00:00Z"),
    ("aws", "cron(0 0 3W 1 ? 2027)", UTC, NOW, "2027-01-04T00:00:00Z"),
    // It does not leave the month: 1 August 2026 is a Saturday, 31 May 2026 a Sunday, November has no 31st.
    ("hand", "cron(0 0 1W 8 ? 2026)", UTC, "2026-07-01T00:00:00Z", "2026-08-03T00:00:00Z"),
    ("hand", "cron(0 0 31W 5 ? 2026)", UTC, "2026-05-01T00:00:00Z", "2026-05-29T00:00:00Z"),
    ("hand", "cron(0 0 31W 11,12 ? 2026)", UTC, NOW, "2026-12-31T00:00:00Z"),
    ("hand", "cron(0 0 LW 5 ? 2026)", UTC, "2026-05-01T00:00:00Z", "2026-05-29T00:00:00Z"),
    ("hand", "cron(0 0 LW 10 ? 2026)", UTC, "2026-10-01T00:00:00Z", "2026-10-30T00:00:00Z"),
    // Days of the week: 1 is Sunday.
    ("aws", "cron(0 18 ? * MON-FRI *)", UTC, NOW, "2026-11-23T18:00:00Z"),
    ("aws", "cron(0 0 ? * L *)", UTC, NOW, "2026-11-28T00:00:00Z"),
    ("aws", "cron(0 9 ? * 2#1 *)", UTC, NOW, "2026-12-07T09:00:00Z"),
    ("aws", "cron(0 0 ? * 3#2 *)", UTC, NOW, "2026-12-08T00:00:00Z"),
    ("aws", "cron(15 10 ? * 6L 2022-2023)", UTC, "2022-01-01T00:00:00Z", "2022-01-28T10:15:00Z"),
    ("aws", "cron(15 10 ? * 6L 2022-2023)", UTC, "2022-12-30T10:15:00Z", "2023-01-27T10:15:00Z"),
    ("aws", "cron(15 10 ? * 6L 2022-2023)", UTC, "2023-12-29T10:15:00Z", "never"),
    ("hand", "cron(0 0 ? * 1 *)", UTC, NOW, "2026-11-29T00:00:00Z"),
    ("hand", "cron(0 0 ? * 7 *)", UTC, NOW, "2026-11-28T00:00:00Z"),
    ("hand", "cron(0 0 ? * SUN,WED *)", UTC, NOW, "2026-11-25T00:00:00Z"),
    ("hand", "cron(0 0 ? * FRI-MON *)", UTC, "2026-11-23T00:00:00Z", "2026-11-27T00:00:00Z"),
    ("hand", "cron(0 0 ? * 1#5 *)", UTC, NOW, "2026-11-29T00:00:00Z"),
    ("hand", "cron(0 0 ? * THU#5 *)", UTC, NOW, "2026-12-31T00:00:00Z"),
    ("hand", "cron(0 0 ? * SUNL *)", UTC, NOW, "2026-11-29T00:00:00Z"),
    ("hand", "cron(0 12 ? * * *)", UTC, NOW, "2026-11-22T12:00:00Z"),
    // Months and years.
    ("aws", "cron(0 0 1 JAN,FEB,MAR ? *)", UTC, NOW, "2027-01-01T00:00:00Z"),
    ("hand", "cron(0 0 1 OCT-DEC ? *)", UTC, NOW, "2026-12-01T00:00:00Z"),
    ("hand", "cron(0 0 1 1/3 ? *)", UTC, "2026-04-01T00:00:00Z", "2026-07-01T00:00:00Z"),
    ("hand", "cron(0 0 1 NOV-FEB ? *)", UTC, "2026-02-01T00:00:00Z", "2026-11-01T00:00:00Z"),
    ("hand", "cron(0 0 1 1 ? 2030)", UTC, NOW, "2030-01-01T00:00:00Z"),
    ("hand", "cron(0 0 1 1 ? 2026/5)", UTC, NOW, "2031-01-01T00:00:00Z"),
    ("hand", "cron(0 0 1 1 ? 1970-2020)", UTC, NOW, "never"),
    ("hand", "cron(0 0 1 1 ? 2199)", UTC, NOW, "2199-01-01T00:00:00Z"),
    // Time zones.
    ("aws", "cron(30 8 * * ? *)", NEW_YORK, NOW, "2026-11-22T13:30:00Z"),
    ("aws", "cron(30 8 * * ? *)", NEW_YORK, "2026-07-01T00:00:00Z", "2026-07-01T12:30:00Z"),
    ("hand", "cron(0 0 * * ? *)", SHANGHAI, NOW, "2026-11-22T16:00:00Z"),
    ("hand", "cron(0 0 1 * ? *)", SHANGHAI, NOW, "2026-11-30T16:00:00Z"),
    ("hand", "cron(0 0 * * ? *)", BERLIN, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
    ("hand", "cron(0 0 * * ? *)", BERLIN, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
    // A local time that does not exist is skipped: 8 March in Los Angeles, 29 March in Berlin.
    ("aws", "cron(30 2 * * ? *)", LOS_ANGELES, "2026-03-07T10:30:00Z", "2026-03-09T09:30:00Z"),
    ("hand", "cron(30 2 * * ? *)", BERLIN, "2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"),
    ("hand", "cron(0 * * * ? *)", BERLIN, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"),
    // A local time that comes twice fires once, the first time: 1 November in Los Angeles, 25 October in Berlin.
    ("aws", "cron(30 1 * * ? *)", LOS_ANGELES, "2026-10-31T08:30:00Z", "2026-11-01T08:30:00Z"),
    ("aws", "cron(30 1 * * ? *)", LOS_ANGELES, "2026-11-01T08:30:00Z", "2026-11-02T09:30:00Z"),
    ("hand", "cron(30 2 * * ? *)", BERLIN, "2026-10-24T22:00:00Z", "2026-10-25T00:30:00Z"),
    ("hand", "cron(30 2 * * ? *)", BERLIN, "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
    ("hand", "cron(0/30 * * * ? *)", BERLIN, "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"),
];

/// Expressions that are refused, and a word of the reason.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("rate(1 fortnight)", "fortnight"),
    ("rate(1 minutes)", "minute"),
    ("rate(1 hours)", "hour"),
    ("rate(5 hour)", "hours"),
    ("rate(0 hours)", "whole number"),
    ("rate(-5 minutes)", "whole number"),
    ("rate(1.5 hours)", "whole number"),
    ("rate(+5 minutes)", "whole number"),
    ("rate(five minutes)", "whole number"),
    ("rate(5 MINUTES)", "MINUTES"),
    ("rate(30 seconds)", "seconds"),
    ("rate(5)", "unit"),
    ("rate()", "unit"),
    ("cron(0 0 * *)", "six fields, not 4"),
    ("cron(0 0 * * ?)", "six fields, not 5"),
    ("cron(0 0 0 * * ? *)", "six fields, not 7"),
    ("cron()", "six fields, not 0"),
    ("cron(0 0 1 * MON *)", "both given"),
    ("cron(0 0 * * * *)", "both given"),
    ("cron(0 0 ? * ? *)", "says the days"),
    ("cron(? 0 * * ? *)", "minutes"),
    ("cron(60 0 * * ? *)", "minutes"),
    ("cron(0 24 * * ? *)", "hours"),
    ("cron(0 0 0 * ? *)", "day-of-month"),
    ("cron(0 0 32 * ? *)", "day-of-month"),
    ("cron(0 0 L-3 * ? *)", "day-of-month"),
    ("cron(0 0 W * ? *)", "day-of-month"),
    ("cron(0 0 32W * ? *)", "day-of-month"),
    ("cron(0 0 1,15W * ? *)", "day-of-month"),
    ("cron(0 0 1 0 ? *)", "month"),
    ("cron(0 0 1 13 ? *)", "month"),
    ("cron(0 0 1 January ? *)", "month"),
    ("cron(0 0 ? * 0 *)", "day-of-week"),
    ("cron(0 0 ? * 8 *)", "day-of-week"),
    ("cron(0 0 ? * 2/2 *)", "takes no step"),
    ("cron(0 0 ? * 3#6 *)", "from 1 to 5"),
    ("cron(0 0 ? * 3#1,6#3 *)", "from 1 to 5"),
    ("cron(0 0 ? * 3W *)", "day-of-week"),
    ("cron(0/0 0 * * ? *)", "step"),
    ("cron(0/60 0 * * ? *)", "step"),
    ("cron(0/ 0 * * ? *)", "step"),
    ("cron(1,,2 0 * * ? *)", "minutes"),
    ("cron(-5 0 * * ? *)", "minutes"),
    ("cron(+5 0 * * ? *)", "minutes"),
    ("cron(0 0 1 1 ? 1969)", "year"),
    ("cron(0 0 1 1 ? 2200)", "year"),
    ("cron(0 0 1 1 ? 2030-2026)", "ends before it begins"),
    ("at(2026-11-22)", "like"),
    ("at(2026-11-22 13:00:00)", "like"),
    ("at(2026-11-22T13:00:00Z)", "like"),
    ("at(2026-02-30T13:00:00)", "like"),
    ("at(2026-11-22T25:00:00)", "like"),
    ("0 0 * * ? *", "rate(…), cron(…) or at(…)"),
    ("cron(0 0 * * ? *", "rate(…), cron(…) or at(…)"),
    ("every(5 minutes)", "rate(…), cron(…) or at(…)"),
    ("", "rate(…), cron(…) or at(…)"),
];

#[test]
fn every_expression_fires_next_when_the_table_says() {
    let mut wrong = Vec::new();
    for (source, expression, zone, before, expected) in NEXT {
        let before: Timestamp = before.parse().unwrap();
        let next = Timetable::new(expression, zone).unwrap().next(before, before);
        let next = next.map_or_else(|| "never".to_owned(), |time| time.to_string());
        if next != *expected {
            wrong.push(format!("{source} {expression} {zone} after {before}: {next}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(NEXT.len() + REFUSED.len() >= 60);
}

#[test]
fn what_aws_would_refuse_is_refused_with_a_reason() {
    for (expression, reason) in REFUSED {
        let problem = Timetable::new(expression, UTC).expect_err(expression);
        assert!(problem.starts_with(expression) && problem.contains(reason), "{problem}");
        assert!(!problem.contains('\n'));
    }
    assert!(Timetable::new("rate(1 hour)", "Mars/Olympus").unwrap_err().contains("Mars/Olympus"));
}
