//! Attacks, each as its attacker would run it, with the figures that come of it. `docs/abuse.md` has those of full size
//! (`make attack`); within `make test` they are a tenth of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

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

#[tokio::test]
async fn a_code_guessed_from_a_thousand_addresses_is_not_found() {
    with_app(async |app| {
        let phone = app.phone();
        let right = app.code(&phone, 1).await;
        let url = app.emulator.url();
        let guesses = 10_000 / part();
        let outcomes = each(guesses, async |n| {
            let source = format!("10.7.{}.{}", n % 1000 / 250, n % 250);
            // Never the right one: what counts is how many are judged.
            let guess = format!("{:06}", (right.parse::<usize>().unwrap() + 1 + n) % 1_000_000);
            code(&post(url, "/user/login", &source, &json!({ "phone": phone, "veri_code": guess })).await)
        })
        .await;
        let judged = outcomes.get(&code::VERI_CODE_WRONG).copied().unwrap_or(0);
        print(&format!("guessing: {guesses} guesses from 1,000 addresses, {outcomes:?}: {judged} judged in a day"));
        assert_eq!(judged, 20, "of which only the first five could have met the code that was sent");
        // 20 of 1,000,000 a day, each code being new: 1 in 50,000.
        assert!(judged * 10_000 < 1_000_000);
        assert_eq!(outcomes.values().sum::<usize>(), guesses);
    })
    .await;
}

/// 100,000 numbers of `prefixes` ranges from 10,000 addresses, while 1,000 people sign up.
async fn pump(prefixes: usize, settings: impl FnOnce(&str) -> String) -> (usize, usize, usize, usize) {
    let (numbers, people) = (100_000 / part(), 1000 / part());
    let mut figures = (numbers, 0, people, 0);
    with_settings(settings, async |app| {
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
    assert!(sent <= 1000 / part(), "{sent}");
}

#[tokio::test]
async fn who_is_locked_out_signs_in_after_midnight_and_stays_signed_in_until_then() {
    with_app(async |app| {
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
