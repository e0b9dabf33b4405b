//! Limits: what may be done how often, by whom, and what a refusal costs.

use serde_json::{Value, json};

use support::{Reply, TestApp, applicant, code, other_than, with_app, with_settings};

/// A request for a code, as the gateway sees it come from `source`.
async fn ask(app: &TestApp, phone: &str, source: &str) -> Reply {
    app.post_from("/user/veri_code", source, None, &json!({ "phone": phone })).await
}

fn wait(reply: &Reply) -> u64 {
    assert_eq!(reply.code, code::TOO_MANY_REQUESTS, "{reply:?}");
    reply.data["retry_after"].as_u64().unwrap()
}

/// The `n`th number of a prefix, which is a number without its last four digits.
fn number(prefix: u32, n: u32) -> String {
    format!("138{prefix:04}{n:04}")
}

/// The settings with another maximum in one row.
fn with_max(row: &str, from: &str, to: &str) -> impl FnOnce(&str) -> String {
    let (row, from, to) = (format!("\"{row}\""), from.to_owned(), to.to_owned());
    move |settings| {
        let change = |line: &str| if line.contains(&row) { line.replace(&from, &to) } else { line.to_owned() };
        let changed: Vec<_> = settings.lines().map(change).collect();
        assert_ne!(changed.join("\n"), settings.trim_end());
        changed.join("\n")
    }
}

#[tokio::test]
async fn sixty_messages_in_any_ten_minutes_are_enough_for_an_address() {
    with_app(async |app| {
        for n in 0..30 {
            assert_eq!(ask(app, &number(n, 0), "203.0.113.7").await.code, 0);
        }
        app.advance(300).await;
        for n in 30..60 {
            assert_eq!(ask(app, &number(n, 0), "203.0.113.7").await.code, 0);
        }
        let left = wait(&ask(app, &number(60, 0), "203.0.113.7").await);
        assert!((280..=300).contains(&left), "until the first of them is ten minutes old: {left}");
        assert_eq!(ask(app, &number(60, 0), "203.0.113.8").await.code, 0, "another address is another count");
        app.advance(left).await;
        assert_eq!(ask(app, &number(61, 0), "203.0.113.7").await.code, 0, "the wait was long enough");
    })
    .await;
}

#[tokio::test]
async fn a_wait_is_exact_to_the_second() {
    with_app(async |app| {
        let phone = app.phone();
        app.code(&phone, 1).await;
        app.advance(20).await;
        let left = wait(&ask(app, &phone, "203.0.113.7").await);
        assert!((15..=40).contains(&left), "{left}");
        app.advance(left).await;
        assert_eq!(ask(app, &phone, "203.0.113.7").await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn the_64_bits_of_an_ipv6_subscriber_are_one_address() {
    with_settings(with_max("sends_per_ip", "max = 60", "max = 3"), async |app| {
        for n in 0..3 {
            assert_eq!(ask(app, &number(n, 0), &format!("2001:db8:1:2::{n}")).await.code, 0);
        }
        wait(&ask(app, &number(3, 0), "2001:db8:1:2:ffff::9").await);
        assert_eq!(ask(app, &number(3, 0), "2001:db8:1:3::9").await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn an_address_has_an_allowance_of_a_day_too() {
    with_settings(with_max("sends_per_ip_day", "max = 300", "max = 5"), async |app| {
        for n in 0..5 {
            assert_eq!(ask(app, &number(n, 0), "203.0.113.7").await.code, 0);
        }
        let left = wait(&ask(app, &number(5, 0), "203.0.113.7").await);
        assert!((1..=86_400).contains(&left), "until midnight: {left}");
        assert_eq!(ask(app, &number(5, 0), "203.0.113.8").await.code, 0);
        app.advance(left).await;
        assert_eq!(ask(app, &number(6, 0), "203.0.113.7").await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn networks_of_one_ipv6_customer_share_a_limit() {
    for (row, from, to, inside, outside) in [
        ("sends_per_ip56", "max = 90", "max = 4", "2001:db8:1:ab", "2001:db8:1:ac00::1"),
        ("sends_per_ip48", "max = 120", "max = 4", "2001:db8:1:", "2001:db8:2::1"),
        ("sends_per_ip48_day", "max = 600", "max = 4", "2001:db8:1:", "2001:db8:2::1"),
    ] {
        with_settings(with_max(row, from, to), async |app| {
            for n in 0..4 {
                assert_eq!(ask(app, &number(n, 0), &format!("{inside}{n}1::7")).await.code, 0, "{row}");
            }
            wait(&ask(app, &number(4, 0), &format!("{inside}91::7")).await);
            assert_eq!(ask(app, &number(4, 0), outside).await.code, 0, "{row}");
            assert_eq!(ask(app, &number(5, 0), "203.0.113.7").await.code, 0, "{row}: of IPv4 an address is all");
        })
        .await;
    }
}

#[tokio::test]
async fn a_share_of_each_range_and_of_the_budget_is_kept_for_known_devices() {
    for (row, from, to) in [
        ("sends_per_prefix", "max = 100", "max = 10"),
        ("sends_per_block", "max = 1000", "max = 10"),
        ("sends_per_area", "max = 5000", "max = 10"),
        ("budget", "max_money = 1000.0", "max_money = 0.45"),
    ] {
        with_settings(with_max(row, from, to), async |app| {
            app.advance_to_midnight().await;
            let owner = number(7, 9999);
            let device = app.known_device(&owner).await;
            for n in 0..6 {
                assert_eq!(ask(app, &number(7, n), "203.0.113.7").await.code, 0, "{row}");
            }
            wait(&ask(app, &number(7, 6), "203.0.113.7").await);
            wait(&ask(app, &owner, "203.0.113.7").await);
            let body = json!({ "phone": owner });
            for _ in 0..3 {
                let known = app.post_from("/user/veri_code", "203.0.113.7", Some(&device), &body).await;
                assert_eq!(known.code, 0, "{row}: ten in all");
                app.advance(61).await;
            }
            wait(&app.post_from("/user/veri_code", "203.0.113.7", Some(&device), &body).await);
        })
        .await;
    }
}

#[tokio::test]
async fn unverified_sends_of_strangers_do_not_slow_known_devices() {
    with_settings(with_max("sends_per_prefix", "unproven_free = 30", "unproven_free = 3"), async |app| {
        let owner = number(7, 9999);
        let device = app.known_device(&owner).await;
        for n in 0..10 {
            ask(app, &number(7, n), "203.0.113.7").await;
        }
        wait(&ask(app, &number(7, 10), "203.0.113.7").await);
        let known = app.post_from("/user/veri_code", "203.0.113.7", Some(&device), &json!({ "phone": owner })).await;
        assert_eq!(known.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_try_that_a_limit_refuses_has_no_effect() {
    with_settings(with_max("tries_per_ip", "max = 200", "max = 10"), async |app| {
        let victim = app.phone();
        app.register(&victim).await;
        let code = app.code(&victim, 2).await;
        let from = async |source: &str, path: &str, body: &Value| app.post_from(path, source, None, body).await;
        let attempt = |code: &str| json!({ "phone": victim, "veri_code": code });
        for n in 0..10 {
            let guess = json!({ "phone": number(n, 0), "veri_code": "000000" });
            assert_eq!(from("203.0.113.7", "/user/login", &guess).await.code, code::VERI_CODE_WRONG);
        }
        for _ in 0..20 {
            wait(&from("203.0.113.7", "/user/login", &attempt(&other_than(&code))).await);
            wait(&from("203.0.113.7", "/user/register", &applicant(&victim, &other_than(&code))).await);
        }
        wait(&from("203.0.113.7", "/user/login", &attempt(&code)).await);
        wait(&from("203.0.113.7", "/user/register", &applicant(&victim, &code)).await);
        assert_eq!(from("203.0.113.8", "/user/login", &attempt(&code)).await.code, 0, "nothing counted, nothing used");
    })
    .await;
}

#[tokio::test]
async fn an_address_that_a_header_states_is_not_believed() {
    with_settings(with_max("sends_per_ip", "max = 60", "max = 3"), async |app| {
        let from = async |n: u32| {
            let stated = format!("198.51.100.{n}");
            let headers = [
                ("x-stage-source-ip", "203.0.113.7"),
                ("x-forwarded-for", stated.as_str()),
                ("x-real-ip", &stated),
                ("cf-connecting-ip", &stated),
                ("forwarded", &format!("for={stated}")),
            ];
            app.send("POST", "/user/veri_code", &headers, json!({ "phone": number(n, 0) }).to_string()).await
        };
        for n in 0..3 {
            assert_eq!(from(n).await.code, 0);
        }
        wait(&from(3).await);
    })
    .await;
}

#[tokio::test]
async fn a_hundred_messages_an_hour_are_enough_for_a_prefix() {
    let alone = with_max("sends_per_prefix", "reserve = 0.3, unproven_free = 30", "unproven_free = 1000");
    with_settings(alone, async |app| {
        for n in 0..100 {
            assert_eq!(ask(app, &number(7, n), &format!("203.0.113.{n}")).await.code, 0);
        }
        let left = wait(&ask(app, &number(7, 100), "198.51.100.1").await);
        assert!((3500..=3600).contains(&left), "{left}");
        assert_eq!(ask(app, &number(8, 100), "198.51.100.1").await.code, 0, "another prefix is another count");
    })
    .await;
}

#[tokio::test]
async fn numbers_that_never_use_their_codes_are_sent_fewer() {
    with_app(async |app| {
        for n in 0..31 {
            assert_eq!(ask(app, &number(7, n), &format!("203.0.113.{n}")).await.code, 0);
        }
        wait(&ask(app, &number(7, 31), "198.51.100.1").await);
        // One used code pays for ten; its owner asked before.
        let phone = number(7, 3);
        let code = app.messages(&phone, 1).await[0]["code"].as_str().unwrap().to_owned();
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0);
        for n in 31..41 {
            assert_eq!(ask(app, &number(7, n), &format!("203.0.113.{n}")).await.code, 0, "{n}");
        }
        wait(&ask(app, &number(7, 41), "198.51.100.1").await);
        // The same registration sent again, as after a lost reply, pays for nothing.
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0);
        wait(&ask(app, &number(7, 41), "198.51.100.1").await);
        app.advance(3600).await;
        for n in 50..60 {
            assert_eq!(ask(app, &number(7, n), &format!("203.0.113.{n}")).await.code, 0, "ten an hour stay: {n}");
        }
        wait(&ask(app, &number(7, 60), "198.51.100.1").await);
        app.advance(25 * 3600).await;
        assert_eq!(ask(app, &number(7, 60), "198.51.100.1").await.code, 0, "a quiet day is forgiven");
    })
    .await;
}

#[tokio::test]
async fn the_budget_of_a_day_is_never_exceeded() {
    with_settings(with_max("budget", "1000.0", "0.4"), async |app| {
        // 0.045 a message, and 0.28 for strangers: six of them, and what is left is less than one.
        for n in 0..6 {
            assert_eq!(ask(app, &number(n, 0), "203.0.113.7").await.code, 0);
        }
        let left = wait(&ask(app, &number(8, 0), "203.0.113.7").await);
        assert!((1..=86_400).contains(&left), "until midnight: {left}");
        app.advance(left).await;
        assert_eq!(ask(app, &number(8, 0), "203.0.113.7").await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_counts_nowhere() {
    with_settings(with_max("sends_per_ip", "max = 60", "max = 2"), async |app| {
        let (one, other) = (app.phone(), app.phone());
        assert_eq!(ask(app, &one, "203.0.113.7").await.code, 0);
        for _ in 0..5 {
            wait(&ask(app, &one, "203.0.113.7").await);
        }
        assert_eq!(ask(app, &other, "203.0.113.7").await.code, 0, "five refusals are not sends of the address");
        app.advance(61).await;
        wait(&ask(app, &one, "203.0.113.7").await);
        assert_eq!(ask(app, &one, "203.0.113.8").await.code, 0, "a refusal by address is no send to the phone");
    })
    .await;
}

#[tokio::test]
async fn the_longest_of_several_waits_is_reported() {
    with_settings(with_max("sends_per_ip", "max = 60", "max = 1"), async |app| {
        let phone = app.phone();
        assert_eq!(ask(app, &phone, "203.0.113.7").await.code, 0);
        assert!(wait(&ask(app, &phone, "203.0.113.7").await) > 590, "ten minutes for the address, one for the phone");
    })
    .await;
}

#[tokio::test]
async fn an_address_that_guesses_too_often_gets_no_more_answers() {
    with_settings(with_max("tries_per_ip", "max = 200", "max = 10"), async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let from = async |source: &str, phone: &str, code: &str| {
            let body = json!({ "phone": phone, "veri_code": code });
            app.send("POST", "/user/login", &[("x-stage-source-ip", source)], body.to_string()).await
        };
        for n in 0..10 {
            assert_eq!(from("203.0.113.7", &number(n, 0), "000000").await.code, code::VERI_CODE_WRONG);
        }
        let left = wait(&from("203.0.113.7", &phone, &code).await);
        assert!((580..=600).contains(&left), "{left}");
        assert_eq!(from("203.0.113.8", &phone, &code).await.code, code::USER_NOT_FOUND, "elsewhere the code is good");
        app.advance(left).await;
        app.advance(61).await;
        let code = app.code(&phone, 2).await;
        assert_eq!(from("203.0.113.7", &phone, &code).await.code, code::USER_NOT_FOUND);
        assert_eq!(from("203.0.113.7", &phone, &other_than(&code)).await.code, code::VERI_CODE_WRONG);
    })
    .await;
}

/// The day's figures so far.
async fn figures(app: &TestApp) -> Value {
    app.advance(86_400).await;
    let done = app.control("POST", "schedules/daily", "{}").await;
    let line: Value = serde_json::from_str(done["log"][0].as_str().unwrap()).unwrap();
    line["report"]["figures"].clone()
}

#[tokio::test]
async fn each_refusal_is_counted_under_its_limit() {
    with_settings(with_max("sends_per_ip", "max = 60", "max = 2"), async |app| {
        let phone = app.phone();
        ask(app, &phone, "203.0.113.7").await;
        wait(&ask(app, &phone, "203.0.113.7").await);
        ask(app, &app.phone(), "203.0.113.7").await;
        wait(&ask(app, &app.phone(), "203.0.113.7").await);
        wait(&ask(app, &app.phone(), "203.0.113.7").await);
        let figures = figures(app).await;
        let counted = |name: &str| figures[name].as_u64().unwrap();
        assert_eq!((counted("sms_sent"), counted("refused_cool_down"), counted("refused_sends_per_ip")), (2, 1, 2));
        assert_eq!((counted("refused_budget"), counted("refused_tries_per_ip")), (0, 0));
    })
    .await;
}
