//! Which rows of the limits a request passes.

use super::*;
use crate::cache::test_server::cache;
use crate::config::Deployed;
use crate::models::network::Network;

const LIMITS: &str = r#"
    { name = "wait", on = "send", key = "phone", window = "60s", max = 1 },
    { name = "device_wait", on = "send", key = "device", window = "30s", max = 1 },
    { name = "ip", on = "send", key = "ip", window = "10m", max = 60 },
    { name = "ip56", on = "send", key = "ip56", window = "10m", max = 90 },
    { name = "ip48", on = "send", key = "ip48", window = "day", max = 120 },
    { name="prefix", on="send", key="prefix", window="1h", max=9, reserve=0.3, unproven_free=5, unproven_max=2 },
    { name = "area", on = "send", key = "area", window = "1h", max = 5000 },
    { name = "budget", on = "send", key = "stage", window = "day", max_money = 1.0, reserve = 0.3 },
    { name = "tries", on = "try", key = "phone", window = "day", max = 20 },
    { name = "in_a_row", on = "try", key = "phone", window = "success", max = 100 },
    { name = "device_tries", on = "try", key = "device", window = "day", max = 10 },
    { name = "device_in_a_row", on = "try", key = "device", window = "success", max = 90 },
    { name = "ip_tries", on = "try", key = "ip", window = "10m", max = 200 },
    { name = "pages", on = "list", key = "user", window = "1m", max = 60 },"#;

/// Replies of the script that counts.
const COUNTED: &str = "*3\r\n$7\r\ncounted\r\n$-1\r\n$-1\r\n";
const WAIT: &str = "*3\r\n$4\r\nwait\r\n:1500\r\n$-1\r\n";

fn config() -> Config {
    config_of(LIMITS)
}

fn config_of(rows: &str) -> Config {
    let settings = include_str!("../../../../conf/local.toml");
    let (head, rest) = settings.split_once("limits = [").unwrap();
    let (_, tail) = rest.split_once("\n]").unwrap();
    Config::parse("local".to_owned(), &format!("{head}limits = [{rows}\n]{tail}"), Deployed::default()).unwrap()
}

fn call(source_ip: &str) -> Call {
    Call { network: Network::of(source_ip), ..Call::sample() }
}

fn phone() -> Phone {
    Phone::stored("+8613800138000".to_owned())
}

/// Each row: name, subject, seconds of its window, what this client and any client may, what this request costs,
/// and what a debt changes.
fn rows(spend: &Spend<'_>) -> Vec<String> {
    let rows = spend.rows.iter().map(|row| {
        let Row { name, subject, window, max, most, cost, unverified } = row;
        let window = window.map_or(0, |span| span.as_secs());
        let debt = unverified.map_or_else(String::new, |Unverified { free, max }| format!(" debt {free} {max}"));
        format!("{name} {subject} {window} {max} {most} {cost}{debt}")
    });
    rows.collect()
}

#[test]
fn a_message_passes_the_rows_of_its_client_number_and_network() {
    let config = config();
    for (client, source_ip, expected) in [
        (
            Client::Stranger,
            "2001:db8:1:abcd::7",
            &[
                "wait +8613800138000 60 1 1 1",
                "ip 2001:db8:1:abcd::/64 600 60 60 1",
                "ip56 2001:db8:1:ab00::/56 600 90 90 1",
                "ip48 2001:db8:1::/48 0 120 120 1",
                "prefix +861380013 3600 6 9 1 debt 5 2",
                "area +86138 3600 5000 5000 1",
                "budget all 0 700000 1000000 45000",
            ][..],
        ),
        (
            Client::KnownDevice,
            "203.0.113.7",
            &[
                "device_wait +8613800138000 30 1 1 1",
                "ip 203.0.113.7 600 60 60 1",
                "prefix +861380013 3600 9 9 1 debt 5 9",
                "area +86138 3600 5000 5000 1",
                "budget all 0 1000000 1000000 45000",
            ],
        ),
    ] {
        let spend = to_send(&config, &call(source_ip), &phone(), client, None).unwrap();
        assert_eq!(rows(&spend), expected, "{client:?}");
        assert_eq!((&*spend.slot, spend.stat, spend.now_ms), (SENDS, "sms_sent", 1_795_708_799_500));
    }
}

#[test]
fn a_notice_is_limited_by_the_budget_alone_with_its_reserve() {
    let config = config();
    let [one, again] = [(); 2].map(|()| to_notify(&config, &call("203.0.113.7").now, &phone(), "record").unwrap());
    assert_eq!((rows(&one), &*one.slot), (vec!["budget all 0 1000000 1000000 45000".to_owned()], SENDS));
    // By another id under the same record, the cache knows that it was counted before.
    assert!(one.id != again.id && one.idempotency.unwrap().key == again.idempotency.unwrap().key);
}

#[test]
fn a_try_is_counted_by_its_network_and_in_the_slot_of_it() {
    let config = config();
    let [one, other] = ["203.0.113.7", "203.0.113.7"].map(|source_ip| to_try(&config, &call(source_ip)).unwrap());
    assert_eq!(rows(&one), ["ip_tries 203.0.113.7 600 200 200 1"]);
    assert_eq!((&one.slot, one.stat), (&slot_of("203.0.113.7"), ""));
    assert!(one.id != other.id, "two tries of one moment are two");
}

#[test]
fn wrong_tries_have_the_limits_of_their_client() {
    let config = config();
    for (client, per_day, in_a_row) in [
        (Client::Stranger, ("tries", 20), ("in_a_row", 100)),
        (Client::KnownDevice, ("device_tries", 10), ("device_in_a_row", 90)),
    ] {
        let limits = tries(&config, client).unwrap();
        assert_eq!(limits.per_code, config.veri_code.tries);
        let read = [limits.per_day, limits.in_a_row].map(|limit| (limit.name, limit.max));
        assert_eq!(read, [per_day, in_a_row]);
    }
}

#[test]
fn a_day_is_the_stages_and_has_its_rest() {
    let Day { date, left } = day(&call("203.0.113.7").now);
    assert_eq!((date.to_string().as_str(), left), ("2026-11-26", Duration::from_millis(500)));
}

#[test]
fn nobody_is_sent_away_for_less_than_a_second() {
    for (millis, secs) in [(0, 1), (1000, 1), (1001, 2)] {
        let error = too_many(Duration::from_millis(millis));
        assert!(matches!(error, Error::TooManyRequests { retry_after_secs } if retry_after_secs == secs), "{error}");
    }
}

#[test]
fn a_range_lacks_four_six_or_eight_digits() {
    let phone = Phone::stored("+8613800138000".to_owned());
    let ranges = [Subject::Prefix, Subject::Block, Subject::Area].map(|key| range(&phone, key));
    assert_eq!(ranges, ["+861380013", "+8613800", "+86138"]);
}

#[test]
fn a_wait_is_rounded_up_to_whole_seconds() {
    assert_eq!(ceil_secs(Duration::from_millis(1)), 1);
    assert_eq!(ceil_secs(Duration::from_millis(59_001)), 60);
    assert_eq!(ceil_secs(Duration::from_mins(1)), 60);
}

#[tokio::test]
async fn a_network_that_has_to_wait_must_not_try_and_looking_counts_nothing() {
    let (config, call) = (config(), call("203.0.113.7"));
    for (reply, wait) in [(COUNTED, None), (WAIT, Some(1500))] {
        let (cache, requests) = cache(reply).await;
        let wait = wait.map(Duration::from_millis);
        assert_eq!(wait_to_try(&cache, &config, &call).await.unwrap(), wait);
        let refusal = may_try(&cache, &config, &call).await.err();
        let secs = refusal.map(|error| match error {
            Error::TooManyRequests { retry_after_secs } => retry_after_secs,
            other => panic!("{other}"),
        });
        assert_eq!(secs, wait.map(|_| 2));
        for request in requests.all() {
            assert!(
                request.contains(":limit:ip_tries:203.0.113.7\r\n") && request.contains("\r\ncheck\r\n"),
                "{request}"
            );
        }
        assert_eq!(requests.counts(), [2]);
    }
}

#[tokio::test]
async fn a_miss_is_counted_against_its_network() {
    let (cache, requests) = cache(COUNTED).await;
    count_miss(&cache, &config(), &call("203.0.113.7")).await.unwrap();
    let request = requests.all().concat();
    assert!(request.contains(":limit:ip_tries:203.0.113.7\r\n") && request.contains("\r\nspend\r\n"), "{request}");
}

#[tokio::test]
async fn a_used_code_pays_for_the_ranges_that_can_owe() {
    let config = config();
    let (cache, requests) = cache("$-1\r\n").await;
    credit(&cache, &config, &phone(), "mac").await;
    let request = requests.all().concat();
    let keys: Vec<_> = request.split("\r\n").filter(|part| part.starts_with("iwc:")).collect();
    assert_eq!(keys, ["iwc:{sends}:paid:mac", "iwc:{sends}:debt:+861380013"]);
}

#[tokio::test]
async fn where_no_range_can_owe_the_cache_is_not_asked() {
    let rows = LIMITS.replace(", unproven_free=5, unproven_max=2", "");
    let (cache, requests) = cache("$-1\r\n").await;
    credit(&cache, &config_of(&rows), &phone(), "mac").await;
    assert!(requests.all().is_empty());
}

#[tokio::test]
async fn a_user_is_refused_when_the_cache_says_wait_and_not_when_it_does_not_answer() {
    let (config, call, user) = (config(), call("203.0.113.7"), UserId::new(1, 1).unwrap());
    for (reply, is_refused) in [(COUNTED, false), (WAIT, true), ("-ERR\r\n", false)] {
        let (cache, requests) = cache(reply).await;
        let refusal = user_limit(&cache, &config, &call, (Action::List, user)).await;
        assert_eq!(matches!(refusal, Some(Error::TooManyRequests { retry_after_secs: 2 })), is_refused, "{reply}");
        assert_eq!(refusal.is_some(), is_refused, "{reply}");
        assert!(requests.all().concat().contains(&format!(":limit:pages:{user}\r\n")), "{reply}");
    }
    // No row limits exports here.
    let (cache, requests) = cache(WAIT).await;
    assert!(user_limit(&cache, &config, &call, (Action::Export, user)).await.is_none());
    assert!(requests.all().is_empty());
}
