//! Attacks, each as its attacker would run it, with the figures that come of it. `docs/abuse.md` has those of full size
//! (`make attack`); within `make test` they are a tenth of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::{PREFIX, TestApp, applicant, code, other_than, send, with_app, with_settings};

/// Requests that are under way at the same moment.
const AT_ONCE: usize = 24;

/// 1 in `make attack`.
#[expect(clippy::disallowed_methods, reason = "how large a test is, is no setting of the service")]
fn part() -> usize {
    std::env::var("BADGE_ATTACK_PART").map_or(10, |part| part.parse().unwrap())
}

/// Does all of `0..count`, [`AT_ONCE`] at a time, and counts what came of it.
async fn each(count: usize, one: impl AsyncFn(usize) -> i64) -> BTreeMap<i64, usize> {
    let next = AtomicUsize::new(0);
    let worker = async || {
        let mut outcomes = BTreeMap::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return outcomes;
            }
            *outcomes.entry(one(n).await).or_insert(0) += 1;
        }
    };
    let mut sums = BTreeMap::new();
    for (code, count) in futures_util::future::join_all((0..AT_ONCE).map(|_| worker())).await.into_iter().flatten() {
        *sums.entry(code).or_insert(0) += count;
    }
    sums
}

async fn post(url: &str, path: &str, source: &str, body: &Value) -> Value {
    let url = format!("{url}{PREFIX}{path}");
    let answer = send("POST", &url, &[("x-stage-source-ip", source)], body.to_string()).await;
    serde_json::from_slice(&answer.body).unwrap()
}

fn code(reply: &Value) -> i64 {
    reply["code"].as_i64().unwrap()
}

#[expect(clippy::print_stdout, reason = "an attack is run for its figures")]
fn print(figures: &str) {
    println!("{figures}");
}

/// The messages that the provider was given for numbers that begin so.
async fn messages(app: &TestApp, beginning: &str) -> usize {
    let all = app.inspect("sms").await;
    all.as_array().unwrap().iter().filter(|sms| sms["phone"].as_str().unwrap().starts_with(beginning)).count()
}

/// Asks for a code, on a known device or not, and signs in with it, or registers.
async fn enter(app: &TestApp, path: &str, phone: &str, source: &str, device: Option<&str>) -> i64 {
    let before = sent(app, phone).await;
    let asked = app.post_from("/user/veri_code", source, device, &json!({ "phone": phone })).await;
    if asked.code != 0 {
        return asked.code;
    }
    let veri_code = newest(app, phone, before + 1).await;
    app.post_from(path, source, device, &applicant(phone, &veri_code)).await.code
}

/// How many messages a phone has received.
async fn sent(app: &TestApp, phone: &str) -> usize {
    app.inspect(&format!("sms?phone={phone}")).await.as_array().unwrap().len()
}

/// The code of the newest message to a phone, once there are so many.
async fn newest(app: &TestApp, phone: &str, at_least: usize) -> String {
    app.messages(phone, at_least).await[0]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_guessed_from_a_thousand_addresses_is_not_found() {
    with_app(async |app| {
        let phone = app.phone();
        let device = app.known_device(&phone).await;
        let url = app.emulator.url();
        let (days, guesses) = (7, 10_000 / part());
        let (mut judged, mut owner_took) = (Vec::new(), Duration::ZERO);
        for day in 0..days {
            app.advance_to_midnight().await;
            // The attacker has a code sent as long as that is possible.
            let before = sent(app, &phone).await;
            let asked = app.post_from("/user/veri_code", "10.7.0.0", None, &json!({ "phone": phone })).await;
            let right: usize = match asked.code {
                0 => newest(app, &phone, before + 1).await.parse().unwrap(),
                _ => 0,
            };
            let outcomes = each(guesses, async |n| {
                let source = format!("10.7.{}.{}", n % 1000 / 250, n % 250);
                // Never the right one: what counts is how many are judged.
                let guess = format!("{:06}", (right + 1 + n) % 1_000_000);
                code(&post(url, "/user/login", &source, &json!({ "phone": phone, "veri_code": guess })).await)
            });
            // Meanwhile, on the last day, the owner comes on a device that is known.
            let owner = async {
                let begin = Instant::now();
                let code =
                    if day + 1 < days { 0 } else { enter(app, "/user/login", &phone, "192.0.2.1", Some(&device)).await };
                (code, begin.elapsed())
            };
            let (outcomes, (owner, took)) = tokio::join!(outcomes, owner);
            assert_eq!(owner, 0, "she gets a code and signs in");
            assert!(took < Duration::from_mins(1), "{took:?}");
            owner_took = took;
            // Once she has used her code there is none to guess, and a wrong try is one without being counted.
            if day + 1 < days {
                judged.push(outcomes.get(&code::VERI_CODE_WRONG).copied().unwrap_or(0));
            }
            assert_eq!(outcomes.values().sum::<usize>(), guesses);
        }
        print(&format!(
            "guessing: {guesses} guesses a day from 1,000 addresses: {judged:?} judged; the owner signed in meanwhile, in {} ms",
            owner_took.as_millis()
        ));
        assert_eq!(judged, [20, 20, 20, 20, 20, 0], "a hundred in a row, of which 25 could have met a code");
    })
    .await;
}

/// 100,000 numbers of `prefixes` ranges from 10,000 addresses, while 1,000 people sign up.
async fn pump(prefixes: usize, settings: impl FnOnce(&str) -> String) -> (usize, usize, usize, usize) {
    let (numbers, people) = (100_000 / part(), 1000 / part());
    let mut figures = (numbers, 0, people, 0);
    with_settings(settings, async |app| {
        app.advance_to_midnight().await;
        let url = app.emulator.url();
        let attack = each(numbers, async |n| {
            let phone = format!("137{:04}{:04}", n % prefixes, n / prefixes);
            let source = format!("10.{}.{}.{}", n % 10_000 / 2500, n % 2500 / 50, n % 50);
            code(&post(url, "/user/veri_code", &source, &json!({ "phone": phone })).await)
        });
        let sign_ups = each(people, async |n| {
            let (phone, source) = (format!("139{:04}{:04}", n * 7, n), format!("192.0.{}.{}", n / 250, n % 250));
            let asked = post(url, "/user/veri_code", &source, &json!({ "phone": phone })).await;
            if code(&asked) != 0 {
                return code(&asked);
            }
            let sms = app.messages(&phone, 1).await[0]["code"].as_str().unwrap().to_owned();
            code(&post(url, "/user/register", &source, &applicant(&phone, &sms)).await)
        });
        let (attack, sign_ups) = tokio::join!(attack, sign_ups);
        let sent = messages(app, "+86137").await;
        assert_eq!(sent, attack.get(&0).copied().unwrap_or(0), "{attack:?}");
        assert_eq!(attack.values().sum::<usize>(), numbers);
        print(&format!("pumping {prefixes} prefixes: {attack:?}; sign-ups: {sign_ups:?}"));
        figures = (numbers, sent, people, sign_ups.get(&0).copied().unwrap_or(0));
    })
    .await;
    figures
}

#[tokio::test]
async fn pumping_is_stopped_and_real_people_are_not() {
    // What a prefix may get before it owes proof does not shrink with the test, so the ranges do a little more.
    let shapes: &[usize] = if part() == 1 { &[10, 100, 1000, 10_000] } else { &[4] };
    for &prefixes in shapes {
        let (numbers, sent, people, served) = pump(prefixes, str::to_owned).await;
        assert!(sent * 50 < numbers, "{sent} of {numbers}: less than 2 %");
        assert!(served * 100 >= people * 99, "{served} of {people}: at least 99 %");
    }
}

#[tokio::test]
async fn whatever_the_ranges_the_budget_holds() {
    // Numbers of so many ranges that no row but the budget sees a pattern: 0.045 a message, 45 for 1,000.
    let budget = 45.0 / f64::from(u32::try_from(part()).unwrap());
    let small = |settings: &str| settings.replace("max_money = 1000.0", &format!("max_money = {budget:?}"));
    let (_, sent, _, _) = pump(10_000, small).await;
    assert!(sent <= 700 / part(), "{sent}: strangers leave a reserve");
}

/// Numbers of an area one after the other, from each of the addresses until it is refused, for so many spans of 10 minutes;
/// the messages.
async fn pump_from(app: &TestApp, addresses: &[String], spans: usize) -> usize {
    app.advance_to_midnight().await;
    let mut number = 0;
    for _ in 0..spans {
        for address in addresses {
            loop {
                // Another area after each 1,000, so that no range of numbers is what stops it.
                let phone = format!("1{}{:04}{:04}", 30 + number / 1000, number * 7 % 10_000, number % 10_000);
                let asked = app.post_from("/user/veri_code", address, None, &json!({ "phone": phone })).await;
                if asked.code != 0 {
                    assert_eq!(asked.code, code::TOO_MANY_REQUESTS, "{asked:?}");
                    break;
                }
                number += 1;
            }
        }
        app.advance(600).await;
    }
    number
}

#[tokio::test]
async fn one_address_pumps_for_two_hours_and_gets_no_further_than_its_day() {
    with_app(async |app| {
        let sent = pump_from(app, &["203.0.113.7".to_owned()], 12).await;
        print(&format!("one IPv4 address, 2 h: {sent} messages"));
        assert_eq!(sent, 300);
        let three = ["203.0.113.8", "203.0.113.9", "203.0.113.10"].map(str::to_owned);
        let sent = pump_from(app, &three, 1).await;
        print(&format!("three IPv4 addresses at once: {sent} messages"));
        assert_eq!(sent, 180);
    })
    .await;
}

#[tokio::test]
async fn a_network_of_ipv6_pumps_no_more_than_two_addresses() {
    with_app(async |app| {
        // 2^16 networks of /64 in 2^8 of /56; a few of each are enough to fill every count.
        let networks: Vec<_> = (0..64).map(|n| format!("2001:db8:7:{:x}::1", n % 16 * 256 + n / 16)).collect();
        let sent = pump_from(app, &networks, 12).await;
        print(&format!("one IPv6 /48, 2 h: {sent} messages"));
        assert_eq!(sent, 600);
        let one_customer: Vec<_> = (0..16).map(|n| format!("2001:db8:8:{n:x}::1")).collect();
        let sent = pump_from(app, &one_customer, 1).await;
        print(&format!("one IPv6 /56, 10 min: {sent} messages"));
        assert_eq!(sent, 90);
    })
    .await;
}

#[tokio::test]
async fn known_people_of_an_attacked_area_are_served() {
    // A thousand people: of the area and of another one, and of each half with a known device.
    let (free, people) = (1500 / part(), 250 / part());
    let scaled = |settings: &str| settings.replace("unproven_free = 1500", &format!("unproven_free = {free}"));
    with_settings(scaled, async |app| {
        let url = app.emulator.url();
        let source = |n: usize| format!("192.0.2.{}", n % 250);
        let phone = |area: &str, n: usize| format!("{area}{:04}{:04}", 9000 + n * 7 % 1000, n);
        let known: Vec<_> =
            ["138", "137"].into_iter().flat_map(|area| (0..people).map(move |n| phone(area, n))).collect();
        let mut devices = Vec::new();
        for (n, phone) in known.iter().enumerate() {
            let asked = post(url, "/user/veri_code", &source(n), &json!({ "phone": phone })).await;
            assert_eq!(code(&asked), 0);
            let made = post(url, "/user/register", &source(n), &applicant(phone, &newest(app, phone, 1).await)).await;
            devices.push(made["data"]["device"].as_str().unwrap().to_owned());
        }
        app.advance(3601).await;
        let attack = each(free * 2, async |n| {
            let phone = format!("138{:04}{:04}", n % 8000, n);
            let source = format!("10.{}.{}.7", n / 250, n % 250);
            code(&post(url, "/user/veri_code", &source, &json!({ "phone": phone })).await)
        })
        .await;
        let mut served = [0; 4];
        for n in 0..people {
            let elsewhere = people + n;
            let enters = [
                ("/user/login", known[n].clone(), Some(devices[n].as_str())),
                ("/user/register", phone("138", 5000 + n), None),
                ("/user/login", known[elsewhere].clone(), Some(devices[elsewhere].as_str())),
                ("/user/register", phone("137", 5000 + n), None),
            ];
            for (served, (path, phone, device)) in served.iter_mut().zip(enters) {
                *served += usize::from(enter(app, path, &phone, &source(n + 100), device).await == 0);
            }
        }
        let [known, new, known_elsewhere, new_elsewhere] = served;
        print(&format!(
            "pumping an area: {attack:?}; of {people} each: {known} known and {new} new people of the area, \
             {known_elsewhere} known and {new_elsewhere} new ones of another are served"
        ));
        assert!((known + known_elsewhere) * 100 >= 2 * people * 99 && new_elsewhere * 100 >= people * 95);
    })
    .await;
}

#[tokio::test]
async fn who_is_locked_out_signs_in_after_midnight_and_stays_signed_in_until_then() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        let phone = app.phone();
        app.register(&phone).await;
        let victim = app.log_in(&phone).await;
        app.advance(61).await;
        let code = app.code(&phone, 3).await;
        let url = app.emulator.url();
        for n in 0..20 {
            let guess = json!({ "phone": phone, "veri_code": other_than(&code) });
            post(url, "/user/login", &format!("10.0.0.{n}"), &guess).await;
        }
        let refused = app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        assert_eq!(refused.code, code::TOO_MANY_REQUESTS);
        for credential in [victim.sid.clone(), format!("jwt {}", victim.token)] {
            let index = app.send("GET", "/user/index", &[("authorization", &credential)], "").await;
            assert_eq!(index.code, 0, "what she has goes on");
        }
        let wait = refused.data["retry_after"].as_u64().unwrap();
        assert!(wait <= 86_400, "until midnight");
        app.advance(wait).await;
        let code = app.code(&phone, 4).await;
        assert_eq!(app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_used_code_and_an_ended_session_cannot_be_replayed() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let code = app.code(&phone, 2).await;
        let attempt = json!({ "phone": phone, "veri_code": code });
        let victim = app.post("/user/login", &attempt).await.signed_in();
        assert_eq!(app.post("/user/login", &attempt).await.code, code::VERI_CODE_WRONG);
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, code::VERI_CODE_WRONG);
        let headers = [("authorization", victim.sid.as_str())];
        assert_eq!(app.send("POST", "/user/logout", &headers, "").await.code, 0);
        assert_eq!(app.send("GET", "/user/index", &headers, "").await.code, code::NOT_LOGIN);
        let cookie = format!("__sid__={}", victim.sid);
        assert_eq!(app.send("GET", "/user/index", &[("cookie", &cookie)], "").await.code, code::NOT_LOGIN);
    })
    .await;
}
