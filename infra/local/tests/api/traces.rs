//! What is left of a user who had two phones, names and birth days, left, came back, left again and was erased: nothing.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use support::{Reply, SignedIn, TestApp, applicant, code, other_than, with_app};

const DAY: u64 = 86_400;

/// Distinctive values: none of them is in a log, a key or a row by chance.
const PHONES: [&str; 2] = ["13687592461", "13792584736"];
const NAMES: [&str; 2] = ["无痕甲", "无痕乙"];
const BIRTH_DAYS: [&str; 2] = ["1987-06-05", "1985-11-23"];

/// Lists all keys with all that they hold. A type that it cannot read is an error, so nothing is passed over.
const WHOLE_CACHE: &str = "local how = {string={'GET'}, hash={'HGETALL'}, list={'LRANGE',0,-1}, set={'SMEMBERS'}, \
    zset={'ZRANGE',0,-1,'WITHSCORES'}} local all = 'all:' for _, key in ipairs(redis.call('KEYS','*')) do \
    local c = how[redis.call('TYPE', key).ok] local held = redis.call(c[1], key, unpack(c, 2)) \
    if type(held) == 'table' then held = table.concat(held, ' ') end all = all .. ' ' .. key .. ' ' .. held end return all";

/// Every form of a value that somebody could have stored: as it is, as people write it, escaped, and as a hash without a key,
/// which everybody can compute for all numbers.
fn forms() -> Vec<String> {
    let mut forms = Vec::new();
    for phone in PHONES {
        // The first is a part of `+86…` and of `86…` too.
        forms.push(phone.to_owned());
        forms.extend(["-", " "].map(|gap| [&phone[..3], &phone[3..7], &phone[7..]].join(gap)));
        forms.push(phone[3..].to_owned());
        for spelling in [phone.to_owned(), format!("86{phone}"), format!("+86{phone}")] {
            forms.push(const_hex::encode(&Sha256::digest(&spelling)[..8]));
        }
    }
    for name in NAMES {
        let escaped = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>();
        forms.extend([name.to_owned(), escaped.concat()]);
    }
    for birth_day in BIRTH_DAYS {
        forms.extend([birth_day.to_owned(), birth_day.replace('-', ""), birth_day.replace('-', "/")]);
    }
    forms
}

/// Everything that the stage has stored, by place: each table whole, and the cache.
async fn places(app: &TestApp) -> Vec<(String, String)> {
    let mut places = vec![("the cache".to_owned(), app.redis(&[&format!("EVAL \"{WHOLE_CACHE}\" 0")]).await)];
    assert!(places[0].1.starts_with("all:"), "{}", places[0].1);
    let tables = app.dynamodb("ListTables", &json!({})).await["TableNames"].as_array().unwrap().clone();
    for table in tables.iter().map(|name| name.as_str().unwrap()) {
        let (mut text, mut start) = (String::new(), Value::Null);
        loop {
            let mut scan = json!({ "TableName": table, "ConsistentRead": true });
            if !start.is_null() {
                scan["ExclusiveStartKey"] = start;
            }
            let mut page = app.dynamodb("Scan", &scan).await;
            text += &page["Items"].to_string();
            start = page["LastEvaluatedKey"].take();
            if start.is_null() {
                break;
            }
        }
        places.push((table.to_owned(), text));
    }
    assert!(places.len() >= 4, "{places:?}");
    places
}

async fn send(app: &TestApp, who: &SignedIn, method: &str, path: &str, body: &Value) -> Reply {
    app.send(method, path, &[("authorization", &who.sid)], body.to_string()).await
}

/// A login with the code of the next message, the `nth` to this phone; before it a wrong try.
async fn log_in(app: &TestApp, phone: &str, nth: usize, restore: bool) -> SignedIn {
    app.advance(61).await;
    let right = app.code(phone, nth).await;
    let mut attempt = json!({ "phone": phone, "veri_code": other_than(&right), "restore": restore });
    assert_eq!(app.post("/user/login", &attempt).await.code, code::VERI_CODE_WRONG);
    attempt["veri_code"] = json!(right);
    let reply = app.post("/user/login", &attempt).await;
    assert_eq!(reply.code, 0, "{reply:?}");
    reply.signed_in()
}

/// The same for a deletion.
async fn delete(app: &TestApp, who: &SignedIn, phone: &str, nth: usize) {
    app.advance(61).await;
    let right = app.code(phone, nth).await;
    for (veri_code, expected) in [(other_than(&right), code::VERI_CODE_WRONG), (right, 0)] {
        let reply = send(app, who, "POST", "/user/delete", &json!({ "veri_code": veri_code })).await;
        assert_eq!(reply.code, expected, "{reply:?}");
    }
    // The confirmation.
    app.messages(phone, nth + 1).await;
}

#[tokio::test]
async fn who_moved_left_returned_left_and_was_erased_is_in_no_table_no_cache_and_no_log() {
    with_app(async |app| {
        let [old, new] = PHONES;
        for secret in forms() {
            app.add_secret(&secret);
        }
        let admins_phone = app.phone();
        app.register(&admins_phone).await;
        app.change_rights(&admins_phone, "promote").await;
        let admin = app.log_in(&admins_phone).await;

        let mut body = applicant(old, &app.code(old, 1).await);
        (body["user_name"], body["birth_day"]) = (json!(NAMES[0]), json!(BIRTH_DAYS[0]));
        let user_id = app.post("/user/register", &body).await.data["user_id"].as_str().unwrap().to_owned();
        // A session that the change ends, and one that stays.
        log_in(app, old, 2, false).await;
        let who = log_in(app, old, 3, false).await;
        let change = json!({ "user_name": NAMES[1], "birth_day": BIRTH_DAYS[1], "city": "310100" });
        assert_eq!(send(app, &who, "POST", "/user/update", &change).await.data["user_name"], NAMES[1]);

        app.advance(61).await;
        let (old_code, new_code) = (app.code(old, 4).await, app.code(new, 1).await);
        for (veri_code, expected) in [(other_than(&new_code), code::VERI_CODE_WRONG), (new_code.clone(), 0)] {
            let change = json!({ "phone": new, "veri_code": veri_code, "old_veri_code": old_code });
            assert_eq!(send(app, &who, "POST", "/user/change_phone", &change).await.code, expected);
        }
        app.messages(old, 5).await;

        // Reading it leaves log lines.
        for path in ["/user/me", "/user/export", "/user/sessions", "/user/index"] {
            assert_eq!(send(app, &who, "GET", path, &json!({})).await.code, 0, "{path}");
        }
        for query in [format!("user?phone={new}"), format!("user?id={user_id}"), format!("audit?id={user_id}")] {
            assert_eq!(send(app, &admin, "GET", &format!("/admin/{query}"), &json!({})).await.code, 0, "{query}");
        }
        assert_eq!(
            send(app, &admin, "GET", &format!("/admin/user?phone={old}"), &json!({})).await.code,
            code::USER_NOT_FOUND
        );
        app.post("/user/login", &json!({ "phone": new, "veri_code": NAMES[0] })).await;

        delete(app, &who, new, 2).await;
        let who = log_in(app, new, 4, true).await;
        delete(app, &who, new, 5).await;
        // The last try of a stranger leaves a count that has no end of its own.
        app.advance(61).await;
        let right = app.code(new, 7).await;
        let wrong = json!({ "phone": new, "veri_code": other_than(&right), "restore": true });
        assert_eq!(app.post("/user/login", &wrong).await.code, code::VERI_CODE_WRONG);

        // The search finds what is there: this is a test of itself.
        app.streams_are_empty().await;
        let found = |place: &str, text: &str| match place {
            "the cache" => text.contains(new),
            "badge-local-users" => [new, NAMES[1], BIRTH_DAYS[1]].iter().all(|value| text.contains(value)),
            "badge-local-audit" => text.contains(&user_id),
            _ => true,
        };
        for (place, text) in places(app).await {
            assert!(found(&place, &text), "{place} should have the user still: {text}");
        }

        // Every midnight on the way comes.
        app.advance(17 * DAY).await;
        app.streams_are_empty().await;
        let mut places = places(app).await;
        places.push(("the logs".to_owned(), app.logs()));
        assert!(places.iter().any(|(_, text)| text.contains("\"erased\":1")), "the report says how many");
        places.push(("the dead letters".to_owned(), json!(app.dead_letters().await).to_string()));
        for (place, text) in places {
            for form in forms() {
                assert!(!text.contains(&form), "{form} is in {place}: {text}");
            }
        }
        // What stays are events of an id that nothing else knows.
        let events = app.audited(&user_id).await;
        assert_eq!(events.last().unwrap()["fields"]["L"], json!([{ "S": "erased" }]), "{events:?}");
    })
    .await;
}
