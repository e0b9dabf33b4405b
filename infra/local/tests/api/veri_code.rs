//! `POST /user/veri_code`, and what becomes of a code.

use serde_json::json;

use support::{
    EXPIRED_TEST_NUMBER, TEST_CODE, TEST_NUMBER, TestApp, applicant, code, other_than, with_app, with_settings,
    with_test_numbers,
};

#[tokio::test]
async fn a_code_arrives_and_the_reply_says_how_long_it_is_good() {
    with_app(async |app| {
        let phone = app.phone();
        let reply = app.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert_eq!((reply.code, reply.data), (0, json!({ "expires_in": 300, "retry_after": 60 })));
        let messages = app.messages(&phone, 1).await;
        let code = messages[0]["code"].as_str().unwrap();
        app.add_secret(code);
        assert_eq!(messages[0]["phone"], format!("+86{phone}"));
        assert!(code.len() == 6 && messages[0]["text"].as_str().unwrap().contains("5分钟内有效"));
    })
    .await;
}

#[tokio::test]
async fn a_registered_phone_gets_the_same_reply() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        app.advance(300).await;
        let reply = app.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert_eq!((reply.code, reply.data), (0, json!({ "expires_in": 300, "retry_after": 60 })));
    })
    .await;
}

#[tokio::test]
async fn sixty_seconds_lie_between_two_messages_to_one_phone_in_any_spelling() {
    with_app(async |app| {
        let phone = app.phone();
        app.code(&phone, 1).await;
        for spelling in [phone.clone(), format!("+86 {phone}"), format!(" {phone} "), format!("0086{phone}")] {
            let reply = app.post("/user/veri_code", &json!({ "phone": spelling })).await;
            assert_eq!(reply.code, code::TOO_MANY_REQUESTS);
            assert!((1..=60).contains(&reply.data["retry_after"].as_u64().unwrap()));
        }
        app.advance(30).await;
        let reply = app.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert!((5..=30).contains(&reply.data["retry_after"].as_u64().unwrap()), "{reply:?}");
        app.advance(30).await;
        assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, 0);
        assert_eq!(app.messages(&phone, 2).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn asking_again_sends_the_same_code_and_tells_what_is_left_of_it() {
    with_app(async |app| {
        let phone = app.phone();
        let first = app.code(&phone, 1).await;
        app.advance(100).await;
        let reply = app.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert!((181..=200).contains(&reply.data["expires_in"].as_u64().unwrap()), "{reply:?}");
        let messages = app.messages(&phone, 2).await;
        assert_eq!(messages[0]["code"], first);
        assert!(messages[0]["text"].as_str().unwrap().contains("3分钟内有效"));
        app.advance(201).await;
        let reply = app.post("/user/register", &applicant(&phone, &first)).await;
        assert_eq!(
            reply.code,
            code::VERI_CODE_WRONG,
            "300 s after it was made a code has expired, whenever it was sent again"
        );
    })
    .await;
}

#[tokio::test]
async fn the_count_of_wrong_tries_survives_a_resend() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let attempt = |code: &str| json!({ "phone": phone, "veri_code": code });
        for _ in 0..3 {
            assert_eq!(app.post("/user/login", &attempt(&other_than(&code))).await.code, code::VERI_CODE_WRONG);
        }
        app.advance(61).await;
        assert_eq!(app.code(&phone, 2).await, code);
        for _ in 0..2 {
            assert_eq!(app.post("/user/login", &attempt(&other_than(&code))).await.code, code::VERI_CODE_WRONG);
        }
        assert_eq!(
            app.post("/user/login", &attempt(&code)).await.code,
            code::VERI_CODE_WRONG,
            "five wrong tries end a code"
        );
        app.advance(61).await;
        let next = app.code(&phone, 3).await;
        assert_eq!(
            app.post("/user/login", &attempt(&next)).await.code,
            code::USER_NOT_FOUND,
            "the next code is a new one"
        );
    })
    .await;
}

#[tokio::test]
async fn right_tries_do_not_count() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        for _ in 0..30 {
            let reply = app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
            assert_eq!(reply.code, code::USER_NOT_FOUND);
        }
    })
    .await;
}

#[tokio::test]
async fn twenty_wrong_tries_close_a_phone_until_midnight() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let wait = close(app, &phone, &code).await;
        assert!((1..=86_400).contains(&wait));
        let right = app.post("/user/register", &applicant(&phone, &code)).await;
        assert_eq!(right.code, code::TOO_MANY_REQUESTS);
        app.advance(61).await;
        assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, code::TOO_MANY_REQUESTS);
        app.advance(wait).await;
        let code = app.code(&phone, 2).await;
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0);
    })
    .await;
}

/// Closes a phone by wrong tries of a live code; returns the seconds to midnight. Five of them end the code, and the others
/// count too.
async fn close(app: &TestApp, phone: &str, code: &str) -> u64 {
    let wrong = json!({ "phone": phone, "veri_code": other_than(code) });
    for _ in 0..20 {
        assert_eq!(app.post("/user/login", &wrong).await.code, code::VERI_CODE_WRONG);
    }
    let refused = app.post("/user/login", &wrong).await;
    assert_eq!(refused.code, code::TOO_MANY_REQUESTS);
    refused.data["retry_after"].as_u64().unwrap()
}

#[tokio::test]
async fn nothing_is_counted_against_a_phone_without_a_live_code() {
    with_app(async |app| {
        let phone = app.phone();
        let never_sent = json!({ "phone": phone, "veri_code": "000000" });
        for _ in 0..25 {
            assert_eq!(app.post("/user/login", &never_sent).await.code, code::VERI_CODE_WRONG);
            assert_eq!(app.post("/user/register", &applicant(&phone, "000000")).await.code, code::VERI_CODE_WRONG);
        }
        let code = app.code(&phone, 1).await;
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0);
        app.advance(61).await;
        let code = app.code(&phone, 2).await;
        let attempt = json!({ "phone": phone, "veri_code": code });
        assert_eq!(app.post("/user/login", &attempt).await.code, 0);
        let wrong = json!({ "phone": phone, "veri_code": other_than(&code) });
        for guess in [&attempt, &wrong].repeat(15) {
            assert_eq!(app.post("/user/login", guess).await.code, code::VERI_CODE_WRONG, "the code is used");
        }
        app.advance(301).await;
        for _ in 0..25 {
            assert_eq!(app.post("/user/login", &wrong).await.code, code::VERI_CODE_WRONG, "it has expired");
        }
        let code = app.code(&phone, 3).await;
        assert_eq!(app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_message_is_good_for_a_minute_at_least_and_the_code_before_it_for_its_rest() {
    with_app(async |app| {
        let phone = app.phone();
        let first = app.code(&phone, 1).await;
        app.advance(230).await;
        let again = app.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert!((60..=70).contains(&again.data["expires_in"].as_u64().unwrap()), "{again:?}");
        let messages = app.messages(&phone, 2).await;
        assert_eq!(messages[0]["code"], first);
        assert!(messages[0]["text"].as_str().unwrap().contains("，1分钟内有效"));
        app.advance(60).await;
        let late = app.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert_eq!((late.code, late.data), (0, json!({ "expires_in": 300, "retry_after": 60 })));
        let messages = app.messages(&phone, 3).await;
        let second = messages[0]["code"].as_str().unwrap().to_owned();
        app.add_secret(&second);
        assert!(second != first && messages[0]["text"].as_str().unwrap().contains("，5分钟内有效"));
        app.advance(11).await;
        let expired = app.post("/user/register", &applicant(&phone, &first)).await;
        assert_eq!(expired.code, code::VERI_CODE_WRONG, "its own time is over");
        assert_eq!(app.post("/user/register", &applicant(&phone, &second)).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_try_counts_against_both_codes_and_using_one_ends_both() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        app.advance(300).await;
        let two_codes = async |nth| {
            let old = app.code(&phone, nth).await;
            app.advance(245).await;
            (old, app.code(&phone, nth + 1).await)
        };
        let attempt = |code: &str| json!({ "phone": phone, "veri_code": code });
        let (old, new) = two_codes(2).await;
        assert_eq!(app.post("/user/login", &attempt(&old)).await.code, 0, "the old one stays good for its rest");
        for used in [&old, &new] {
            assert_eq!(app.post("/user/login", &attempt(used)).await.code, code::VERI_CODE_WRONG);
        }
        app.advance(301).await;
        let (old, new) = two_codes(4).await;
        let wrong = (0..3).map(|n| format!("{n:06}")).find(|code| *code != old && *code != new).unwrap();
        for _ in 0..5 {
            assert_eq!(app.post("/user/login", &attempt(&wrong)).await.code, code::VERI_CODE_WRONG);
        }
        for ended in [&old, &new] {
            assert_eq!(app.post("/user/login", &attempt(ended)).await.code, code::VERI_CODE_WRONG);
        }
    })
    .await;
}

#[tokio::test]
async fn a_hundred_failures_in_a_row_close_a_phone_until_a_success() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        let (phone, source) = (app.phone(), |n: u64| format!("203.0.113.{n}"));
        let device = app.known_device(&phone).await;
        let (mut messages, mut judged) = (1, 0);
        for day in 0..7 {
            let asked = app.post("/user/veri_code", &json!({ "phone": phone })).await.code;
            assert_eq!(asked, if day < 5 { 0 } else { code::TOO_MANY_REQUESTS }, "day {day}");
            messages += usize::from(asked == 0);
            let newest = app.messages(&phone, messages).await[0]["code"].as_str().unwrap().to_owned();
            let guess = json!({ "phone": phone, "veri_code": other_than(&newest) });
            let mut wait = 0;
            for _ in 0..21 {
                let reply = app.post_from("/user/login", &source(day), None, &guess).await;
                judged += u32::from(reply.code == code::VERI_CODE_WRONG);
                wait = reply.data["retry_after"].as_u64().unwrap_or(wait);
            }
            assert!((1..=86_400).contains(&wait), "until midnight: {wait}");
            app.advance(wait).await;
        }
        assert_eq!(judged, 100);
        let ask = json!({ "phone": phone });
        assert_eq!(app.post_from("/user/veri_code", "203.0.113.99", Some(&device), &ask).await.code, 0);
        let code = app.messages(&phone, messages + 1).await[0]["code"].as_str().unwrap().to_owned();
        let right = json!({ "phone": phone, "veri_code": code });
        let stranger = app.post_from("/user/login", "203.0.113.98", None, &right).await;
        assert_eq!(stranger.code, code::TOO_MANY_REQUESTS);
        assert_eq!(app.post_from("/user/login", "203.0.113.99", Some(&device), &right).await.code, 0);
        app.advance(61).await;
        assert_eq!(app.post("/user/veri_code", &ask).await.code, 0, "a success opens the phone to strangers");
    })
    .await;
}

#[tokio::test]
async fn ten_messages_a_day_are_enough_for_a_phone() {
    with_app(async |app| {
        app.advance_to_midnight().await;
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let wait = close(app, &phone, &code).await;
        app.advance(wait).await;
        for _ in 0..10 {
            assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, 0);
            app.advance(61).await;
        }
        let reply = app.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert_eq!(reply.code, code::TOO_MANY_REQUESTS);
        let wait = reply.data["retry_after"].as_u64().unwrap();
        assert!((85_000..86_400).contains(&wait), "{wait}");
        assert_eq!(app.messages(&phone, 11).await.len(), 11);
        app.advance(wait).await;
        assert_eq!(app.post("/user/veri_code", &json!({ "phone": phone })).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn the_cache_alone_reveals_no_code() {
    with_app(async |app| {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let dump = redis_dump(&app.emulator.cache_url()).await;
        assert!(dump.contains("seed") && dump.contains(&phone));
        // A word: six digits may be a part of a time or of a MAC.
        assert!(!dump.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == code), "{dump}");
    })
    .await;
}

/// Every key of the cache with everything in it.
async fn redis_dump(url: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let script = "local all = {} for _, key in ipairs(redis.call('KEYS', '*')) do \
                  local kind = redis.call('TYPE', key).ok table.insert(all, key) \
                  if kind == 'hash' then for _, part in ipairs(redis.call('HGETALL', key)) do table.insert(all, part) end \
                  elseif kind == 'list' then for _, part in ipairs(redis.call('LRANGE', key, 0, -1)) do table.insert(all, part) end \
                  else table.insert(all, redis.call('GET', key)) end end return table.concat(all, ' ')";
    let mut stream = tokio::net::TcpStream::connect(url.strip_prefix("redis://").unwrap()).await.unwrap();
    stream.write_all(format!("EVAL \"{script}\" 0\r\nQUIT\r\n").as_bytes()).await.unwrap();
    let mut dump = String::new();
    stream.read_to_string(&mut dump).await.unwrap();
    dump
}

#[tokio::test]
async fn a_test_number_has_a_fixed_code_and_no_limits_of_sending() {
    with_settings(with_test_numbers, async |app| {
        let phone = TEST_NUMBER;
        for _ in 0..12 {
            let reply = app.post("/user/veri_code", &json!({ "phone": phone })).await;
            assert_eq!((reply.code, reply.data), (0, json!({ "expires_in": 300, "retry_after": 60 })));
        }
        assert_eq!(app.inspect("sms").await, json!([]));
        for _ in 0..19 {
            assert_eq!(app.post("/user/register", &applicant(phone, "000000")).await.code, code::VERI_CODE_WRONG);
        }
        assert_eq!(app.post("/user/register", &applicant(phone, TEST_CODE)).await.code, 0);
        let attempt = |code: &str| json!({ "phone": phone, "veri_code": code });
        for _ in 0..2 {
            assert_eq!(app.post("/user/login", &attempt(TEST_CODE)).await.code, 0);
        }
        assert_eq!(app.post("/user/login", &attempt("000000")).await.code, code::VERI_CODE_WRONG);
        let closed = app.post("/user/login", &attempt(TEST_CODE)).await;
        assert_eq!(closed.code, code::TOO_MANY_REQUESTS, "wrong tries count as elsewhere: twenty a day");
        let expired = app.post("/user/register", &applicant(EXPIRED_TEST_NUMBER, TEST_CODE)).await;
        assert_eq!(expired.code, code::VERI_CODE_WRONG, "an expired test number is any number");
    })
    .await;
}
