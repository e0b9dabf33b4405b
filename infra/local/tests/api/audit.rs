//! The audit: each change of a user is one event, in order, whatever fails.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use support::{TestApp, TestAppBuilder, env_option, eventually, with_app};

const USERS: &str = "badge-local-users";

/// A row as the service writes it.
fn row(phone: &str, id: &str, version: u32) -> Value {
    json!({
        "phone": { "S": phone }, "id": { "S": id }, "role": { "S": "user" }, "user_name": { "S": "王小明" },
        "gender": { "N": "1" }, "birth_day": { "S": "1977-07-07" }, "province": { "S": "" }, "city": { "S": "" },
        "create_time": { "N": "1795276800000" }, "is_delete": { "N": "0" }, "receipt": { "S": "r" }, "shard": { "N": "3" },
        "version": { "N": version.to_string() }, "changed_by": by("code"),
    })
}

fn by(credential: &str) -> Value {
    json!({ "M": { "role": { "S": "user" }, "credential": { "S": credential }, "request_id": { "S": "r-1" } } })
}

fn id(n: usize) -> String {
    format!("0193a5f0-0000-7000-8000-0000000{n:04x}3")
}

fn phone(n: usize) -> String {
    format!("+861380013{n:04}")
}

async fn put(app: &TestApp, row: Value) {
    app.dynamodb("PutItem", &json!({ "TableName": USERS, "Item": row })).await;
}

/// A write as the service's builder makes it.
async fn change(app: &TestApp, phone: &str, set: &str, values: &Value) {
    let mut values = values.clone();
    values[":one"] = json!({ "N": "1" });
    values[":by"] = by("session");
    values[":at"] = json!({ "N": "1795276900000" });
    let expression = format!("SET version = version + :one, changed_by = :by, update_time = :at{set}");
    let update = json!({
        "TableName": USERS, "Key": { "phone": { "S": phone } }, "UpdateExpression": expression,
        "ExpressionAttributeValues": values,
    });
    app.dynamodb("UpdateItem", &update).await;
}

/// A change of phone, as the service writes it: the row is gone there, and here as it is now.
async fn move_row(app: &TestApp, from: &str, mut moved: Value) {
    moved["update_time"] = json!({ "N": "1795276900000" });
    let transaction = json!({ "TransactItems": [
        { "Delete": { "TableName": USERS, "Key": { "phone": { "S": from } } } },
        { "Put": { "TableName": USERS, "Item": moved } },
    ] });
    app.dynamodb("TransactWriteItems", &transaction).await;
}

fn versions(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["version"]["N"].as_str().unwrap()).collect()
}

fn fields(event: &Value) -> Vec<&str> {
    event["fields"]["L"].as_array().unwrap().iter().map(|name| name["S"].as_str().unwrap()).collect()
}

/// Everything that the audit has, as text.
async fn all(app: &TestApp) -> String {
    app.streams_are_empty().await;
    app.dynamodb("Scan", &json!({ "TableName": "badge-local-audit" })).await.to_string()
}

#[tokio::test]
async fn each_change_makes_one_event_that_says_who_and_what_and_no_person() {
    with_app(async |app| {
        let phone = app.phone();
        let user_id = app.register(&phone).await;
        for change in ["promote", "disable", "enable", "end_sessions", "delete"] {
            app.change_rights(&phone, change).await;
        }
        let events = app.audited(&user_id).await;
        assert_eq!(versions(&events), ["1", "2", "3", "4", "5", "6"]);
        let who = |event: &Value| event["changed_by"]["M"]["role"]["S"].clone();
        assert_eq!((who(&events[0]), who(&events[1])), (json!("user"), json!("operator")));
        assert_eq!(fields(&events[1]), ["epoch", "role"]);
        assert_eq!(events[1]["values"], json!({ "M": { "role": { "S": "admin" } } }));
        assert_eq!(fields(&events[2]), ["epoch", "is_disabled"]);
        assert_eq!(events[3]["values"], json!({ "M": { "is_disabled": { "N": "0" } } }));
        assert_eq!(fields(&events[4]), ["epoch"]);
        assert_eq!(events[5]["values"], json!({ "M": { "is_delete": { "N": "1" } } }));
        for event in &events {
            assert!(!event["changed_by"]["M"]["request_id"]["S"].as_str().unwrap().is_empty(), "{event}");
            let number = |name: &str| event[name]["N"].as_str().unwrap().parse::<i64>().unwrap();
            assert_eq!(number("expires_at"), number("at") / 1000 + 180 * 86_400, "{event}");
        }
        let all = all(app).await;
        for secret in [&*phone, "张三", "1990"] {
            assert!(!all.contains(secret), "{all}");
        }
        assert_eq!(app.dead_letters().await, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn a_batch_that_comes_twice_makes_no_second_event() {
    with_app(async |app| {
        app.fail(&json!({ "stream": { "duplicate_rate": 1 } })).await;
        put(app, row(&phone(0), &id(0), 1)).await;
        assert_eq!(versions(&app.audited(&id(0)).await), ["1"]);
        let runs = app.function("audit").await["invocations"].as_u64().unwrap();
        assert!(runs >= 2 && runs.is_multiple_of(2), "{runs}");
    })
    .await;
}

/// 10,000 with `AUDIT_CHANGES=10000`.
#[tokio::test]
async fn changes_are_events_exactly_once_and_in_order_though_batches_are_doubled_and_lost() {
    const PEOPLE: usize = 20;
    // Every 25th change is one of the phone.
    const MOVES_AFTER: usize = 25;
    let changes = env_option("AUDIT_CHANGES").unwrap_or(1_000_usize) / PEOPLE;
    let small = |template: &str| template.replacen("BatchSize: 100", "BatchSize: 10", 1);
    let app = TestAppBuilder::new().template(small).start().await;
    let faults = json!({
        "stream": { "duplicate_rate": 0.05, "lose_rate": 0.05 },
        // Also in the middle of a batch.
        "dynamodb": { "mode": "throttle", "rate": 0.05 },
    });
    app.fail(&faults).await;
    let live = async |n: usize| {
        put(&app, row(&phone(n), &id(n), 1)).await;
        for at in 0..changes {
            let here = phone(n + at / MOVES_AFTER * PEOPLE);
            if at > 0 && at % MOVES_AFTER == 0 {
                let moved = row(&here, &id(n), u32::try_from(at + 2).unwrap());
                move_row(&app, &phone(n + (at / MOVES_AFTER - 1) * PEOPLE), moved).await;
            } else {
                change(&app, &here, ", city = :city", &json!({ ":city": { "S": at.to_string() } })).await;
            }
        }
    };
    futures_util::future::join_all((0..PEOPLE).map(live)).await;
    let mut counted = BTreeMap::new();
    for n in 0..PEOPLE {
        let events = app.audited(&id(n)).await;
        let expected: Vec<_> = (1..=changes + 1).map(|version| version.to_string()).collect();
        assert_eq!(versions(&events), expected, "user {n}");
        let moves = events[1..].iter().filter(|event| fields(event) == ["phone"]).count();
        assert_eq!(moves, (changes - 1) / MOVES_AFTER, "user {n}");
        assert!(events[1..].iter().all(|event| [["city"], ["phone"]].contains(&fields(event).try_into().unwrap())));
        *counted.entry("events").or_insert(0) += events.len();
    }
    assert_eq!(counted["events"], PEOPLE * (changes + 1));
    let scan = app.dynamodb("Scan", &json!({ "TableName": "badge-local-audit", "Select": "COUNT" })).await;
    assert!(scan["Count"].as_u64().unwrap() > 0);
    assert_eq!(app.dead_letters().await, Vec::<Value>::new());
    app.finish().await;
}

#[tokio::test]
async fn a_change_of_phone_is_one_event_and_the_order_goes_on() {
    with_app(async |app| {
        put(app, row(&phone(1), &id(1), 1)).await;
        change(app, &phone(1), ", city = :city", &json!({ ":city": { "S": "310100" } })).await;
        move_row(app, &phone(1), row(&phone(2), &id(1), 3)).await;
        change(app, &phone(2), ", city = :city", &json!({ ":city": { "S": "310200" } })).await;
        let events = app.audited(&id(1)).await;
        assert_eq!(versions(&events), ["1", "2", "3", "4"]);
        assert_eq!((fields(&events[2]), fields(&events[3])), (vec!["phone"], vec!["city"]));
        let all = all(app).await;
        assert!(!all.contains(&phone(1)[3..]) && !all.contains(&phone(2)[3..]), "{all}");
    })
    .await;
}

#[tokio::test]
async fn an_erasure_is_the_event_of_its_mark_and_of_whoever_takes_the_phone() {
    with_app(async |app| {
        let mut deleted = row(&phone(3), &id(3), 1);
        deleted["is_delete"] = json!({ "N": "1" });
        put(app, deleted).await;
        change(app, &phone(3), "", &json!({})).await;
        app.dynamodb("DeleteItem", &json!({ "TableName": USERS, "Key": { "phone": { "S": phone(3) } } })).await;
        let events = app.audited(&id(3)).await;
        assert_eq!((versions(&events), fields(&events[1])), (vec!["1", "2"], vec!["erased"]));

        put(app, row(&phone(4), &id(4), 1)).await;
        put(app, row(&phone(4), &id(5), 1)).await;
        let (old, new) = (app.audited(&id(4)).await, app.audited(&id(5)).await);
        assert_eq!((versions(&old), fields(&old[1])), (vec!["1", "2"], vec!["erased"]));
        assert_eq!(versions(&new), ["1"]);
        let all = all(app).await;
        assert!(!all.contains("王小明") && !all.contains("1977") && !all.contains(&phone(3)[3..]), "{all}");
    })
    .await;
}

#[tokio::test]
async fn a_write_by_hand_is_an_event_of_nobody_beside_that_of_the_same_counter() {
    with_app(async |app| {
        put(app, row(&phone(6), &id(6), 1)).await;
        let mut by_hand = row(&phone(6), &id(6), 1);
        by_hand["role"] = json!({ "S": "admin" });
        put(app, by_hand).await;
        let events = app.audited(&id(6)).await;
        let [first, second] = &events[..] else { panic!("{events:?}") };
        assert_eq!((fields(second), &second["changed_by"]), (vec!["role"], &Value::Null));
        assert!(
            !first["changed_by"].is_null() && second["version"]["N"].as_str().unwrap().starts_with("1."),
            "{second}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_function_that_fails_loses_nothing_and_nobody_waits_for_it() {
    let app = TestAppBuilder::new().options(|options| options.keep = true).start().await;
    app.fail(&json!({ "dynamodb": { "mode": "refuse" } })).await;
    put(&app, row(&phone(7), &id(7), 1)).await;
    change(&app, &phone(7), ", city = :city", &json!({ ":city": { "S": "310100" } })).await;
    eventually("the function has failed", async || {
        let outcomes = app.function("audit").await["last_outcomes"].clone();
        outcomes.as_array().unwrap().contains(&json!("error")).then_some(())
    })
    .await;
    assert_ne!(app.inspect("state").await["streams"][0]["pending"], 0);
    let app = app.restart().await;
    assert_eq!(versions(&app.audited(&id(7)).await), ["1", "2"], "also after the emulator was killed");
    app.finish().await;
}

#[tokio::test]
async fn a_change_that_cannot_be_written_goes_to_the_queue_alone_and_can_be_redriven() {
    let impatient = |template: &str| template.replacen("MaximumRetryAttempts: 20", "MaximumRetryAttempts: 1", 1);
    let app = TestAppBuilder::new().template(impatient).start().await;
    put(&app, row(&phone(8), &id(8), 1)).await;
    put(&app, row(&phone(9), "no id", 1)).await;
    put(&app, row(&phone(10), &id(10), 1)).await;
    assert_eq!(versions(&app.audited(&id(8)).await), ["1"]);
    assert_eq!(versions(&app.audited(&id(10)).await), ["1"], "what stands behind it is written");
    let dead = app.dead_letters().await;
    let [entry] = &dead[..] else { panic!("{dead:?}") };
    let expected = (json!("badge-local-failed-changes"), json!("RetriesExhausted"), json!("stream badge-local-users"));
    assert_eq!((entry["queue"].clone(), entry["condition"].clone(), entry["trigger"].clone()), expected);
    let again = app.control("POST", "dead_letters/redrive", "").await;
    assert_eq!(again[0]["outcome"], "error", "it cannot be read now either");
    assert_eq!(app.dead_letters().await.len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_reset_leaves_no_event_and_no_dead_letter_behind() {
    let no_retry = |template: &str| template.replacen("MaximumRetryAttempts: 20", "MaximumRetryAttempts: 0", 1);
    let app = TestAppBuilder::new().template(no_retry).start().await;
    // A reset meets the batches at another step each time.
    for round in 0..20 {
        for n in 0..20 {
            put(&app, row(&phone(n), &id(n), 1)).await;
            put(&app, row(&phone(n + 20), "no id", 1)).await;
        }
        app.control("POST", "reset", "").await;
        app.streams_are_empty().await;
        let scan = app.dynamodb("Scan", &json!({ "TableName": "badge-local-audit" })).await;
        assert_eq!((&scan["Count"], app.dead_letters().await.len()), (&json!(0), 0), "{round}");
    }
    put(&app, row(&phone(0), &id(0), 1)).await;
    assert_eq!(versions(&app.audited(&id(0)).await), ["1"]);
    app.finish().await;
}
