//! What rows of limits can be.

use super::*;

fn read(rows: &str) -> Result<Limits, String> {
    #[derive(Deserialize)]
    struct File {
        limits: Vec<Written>,
    }
    let file: File = toml::from_str(&format!("limits = [{rows}]")).map_err(|error| error.to_string())?;
    Limits::read(file.limits).map_err(|error| error.to_string())
}

const ROWS: &str = r#"
    { name = "cool_down", on = "send", key = "phone", window = "60s", max = 1 },
    { name = "tries", on = "try", key = "phone", window = "day", max = 20 },
    { name = "in_a_row", on = "try", key = "phone", window = "success", max = 100 },
    { name = "device_cool_down", on = "send", key = "device", window = "30s", max = 1 },
    { name = "device_tries", on = "try", key = "device", window = "day", max = 10 },
    { name = "device_in_a_row", on = "try", key = "device", window = "success", max = 90 }"#;

#[test]
fn the_rows_that_a_phone_needs_are_enough() {
    let limits = read(ROWS).unwrap();
    for (client, cool_down, tries, in_a_row) in [(Client::Stranger, 60, 20, 100), (Client::KnownDevice, 30, 10, 90)] {
        let max = |window| limits.tries(client, window).unwrap().max;
        assert_eq!(
            (limits.cool_down_secs(client), max(Window::Day), max(Window::Success)),
            (cool_down, tries, in_a_row)
        );
        assert_eq!(limits.on(Action::Try, client).count(), 2);
    }
}

#[test]
fn a_reserve_is_a_share_that_strangers_leave() {
    for (max, reserve, strangers) in [("100", "0.3", 70), ("7", "0.3", 5), ("1", "0.9", 1), ("9", "0", 9)] {
        let row =
            format!(r#"{{ name = "x", on = "send", key = "area", window = "1h", max = {max}, reserve = {reserve} }}"#);
        let limits = read(&format!("{ROWS}, {row}")).unwrap();
        let row = limits.iter().find(|row| row.name == "x").unwrap();
        assert_eq!((row.max_of(Client::Stranger), row.max_of(Client::KnownDevice)), (strangers, row.max));
    }
}

#[test]
fn the_longest_sliding_row_and_a_longer_one_of_a_day_can_work() {
    for row in [
        r#"{ name = "x", on = "send", key = "ip", window = "10m", max = 10000 }"#,
        r#"{ name = "x", on = "send", key = "ip", window = "day", max = 10001 }"#,
    ] {
        assert!(read(&format!("{ROWS}, {row}")).is_ok(), "{row}");
    }
}

#[test]
fn other_rows_of_a_phone_and_rows_of_an_address_are_none_that_a_phone_needs() {
    let others = r#"
        { name = "hour", on = "send", key = "phone", window = "1h", max = 5 },
        { name = "ip", on = "send", key = "ip", window = "10m", max = 1 },
        { name = "ip_tries", on = "try", key = "ip", window = "day", max = 9 }"#;
    let limits = read(&format!("{others}, {ROWS}")).unwrap();
    assert_eq!([Client::Stranger, Client::KnownDevice].map(|client| limits.cool_down_secs(client)), [60, 30]);
}

#[test]
fn rows_that_cannot_work_are_refused_with_what_they_must_be() {
    for (row, sentence) in [
        (r#"{ name = "X", on = "send", key = "ip", window = "10m", max = 1 }"#, "name"),
        (r#"{ name = "tries", on = "send", key = "ip", window = "10m", max = 1 }"#, "each name once"),
        (r#"{ name = "x", on = "send", key = "ip", window = "10 parsecs", max = 1 }"#, "window"),
        (r#"{ name = "x", on = "send", key = "ip", window = "25h", max = 1 }"#, "window"),
        (r#"{ name = "x", on = "send", key = "ip", window = "-1m", max = 1 }"#, "window"),
        (r#"{ name = "x", on = "send", key = "ip", window = "10m", max = 0 }"#, "above 0"),
        (r#"{ name = "x", on = "send", key = "stage", window = "day", max_money = 0.0 }"#, "above 0"),
        (r#"{ name = "x", on = "send", key = "ip", window = "10m" }"#, "one of"),
        (r#"{ name = "x", on = "send", key = "ip", window = "day", max = 1, max_money = 1.0 }"#, "one of"),
        (r#"{ name = "x", on = "send", key = "ip", window = "10m", max = 10001 }"#, "at most 10000"),
        (r#"{ name = "x", on = "send", key = "stage", window = "10m", max_money = 0.001 }"#, "by the day only"),
        (r#"{ name = "x", on = "send", key = "prefix", window = "1h", max = 9, unproven_max = 1 }"#, "both or none"),
        (
            r#"{ name = "x", on = "send", key = "ip", window = "1h", max = 9, unproven_max = 1, unproven_free = 1 }"#,
            "by prefix, block or area",
        ),
        (
            r#"{ name = "x", on = "send", key = "area", window = "1h", max = 9, unproven_max = 0, unproven_free = 1 }"#,
            "both or none",
        ),
        (
            r#"{ name = "x", on = "send", key = "area", window = "day", max = 9, unproven_max = 1, unproven_free = 1 }"#,
            "both or none",
        ),
        (r#"{ name = "x", on = "send", key = "ip48", window = "1h", max = 9, reserve = 0.3 }"#, "`reserve`"),
        (r#"{ name = "x", on = "send", key = "area", window = "1h", max = 9, reserve = 1.0 }"#, "`reserve`"),
        (r#"{ name = "x", on = "try", key = "prefix", window = "1h", max = 9 }"#, "on `try`"),
        (r#"{ name = "x", on = "try", key = "ip48", window = "1h", max = 9 }"#, "on `try`"),
        (r#"{ name = "x", on = "try", key = "phone", window = "1h", max = 9 }"#, "on `try`"),
        (r#"{ name = "x", on = "try", key = "phone", window = "day", max = 9 }"#, "the wrong tries of a day"),
        (r#"{ name = "x", on = "try", key = "device", window = "success", max = 9 }"#, "the wrong tries in a row"),
        (r#"{ name = "x", on = "try", key = "device", window = "success", max = 101 }"#, "at most 100"),
        (r#"{ name = "x", on = "send", key = "ip", window = "success", max = 9 }"#, "on `send`"),
        (r#"{ name = "x", on = "try", key = "ip", window = "success", max = 9 }"#, "on `try`"),
        (r#"{ name = "x", on = "try", key = "ip", window = "day", max_money = 9.0 }"#, "on `try`"),
        (r#"{ name = "x", on = "list", key = "user", window = "day", max_money = 9.0 }"#, "on `list`"),
        (r#"{ name = "x", on = "list", key = "ip", window = "1m", max = 9 }"#, "on `list`"),
        (r#"{ name = "x", on = "send", key = "user", window = "1m", max = 9 }"#, "on `send`"),
        (r#"{ name = "x", on = "send", key = "phone", window = "9s", max = 1 }"#, "between two messages"),
        (r#"{ name = "x", on = "send", key = "country", window = "9s", max = 1 }"#, "country"),
        (r#"{ name = "x", on = "send", key = "ip", window = "9s", max = 1, answer = 7 }"#, "answer"),
    ] {
        let refusal = read(&format!("{ROWS}, {row}")).err().unwrap();
        assert!(refusal.contains(sentence), "{row}: {refusal}");
    }
    for row in ROWS.trim().split(",\n").map(str::trim) {
        let others: Vec<_> = ROWS.trim().split(",\n").map(str::trim).filter(|other| *other != row).collect();
        let refusal = read(&others.join(",")).err().unwrap();
        assert!(refusal.contains("must have one row on"), "{row}: {refusal}");
    }
}
