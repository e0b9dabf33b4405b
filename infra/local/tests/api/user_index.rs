//! `GET /user/index`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use support::{Reply, TestApp, applicant, code, send, with_app, with_settings};

async fn index(app: &TestApp, sid: &str, query: &str) -> Reply {
    let reply = app.send("GET", &format!("/user/index{query}"), &[("authorization", sid)], "").await;
    assert_eq!(reply.code, 0, "{reply:?}");
    reply
}

/// Registers so many users, whose ids are given oldest first.
async fn populate(app: &TestApp, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let phone = app.phone();
        let code = app.code(&phone, 1).await;
        let reply = app.post("/user/register", &applicant(&phone, &code)).await;
        ids.push(reply.data["user_id"].as_str().unwrap().to_owned());
    }
    ids
}

fn ids(reply: &Reply) -> Vec<String> {
    reply.data.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn rows_have_the_columns_of_the_contract_and_hide_what_is_not_the_callers() {
    with_app(async |app| {
        let phone = app.phone();
        let user_id = app.register(&phone).await;
        let sid = app.log_in(&phone).await.sid;
        let reply = index(app, &sid, "").await;
        let row = &reply.data[0];
        let mut expected = json!({
            "id": user_id, "create_time": row["create_time"], "update_time": null, "user_name": "张三", "gender": 1,
            "birth_day": null, "province": "", "city": "", "is_delete": 0,
        });
        expected["phone"] = json!(format!("+86*********{}", &phone[9..]));
        assert_eq!((row, reply.next), (&expected, Some(Value::Null)));
        let time = row["create_time"].as_str().unwrap();
        assert!(time.len() == 19 && &time[4..5] == "-" && &time[10..11] == " " && &time[13..14] == ":", "{time}");
        // The order of the columns is that of the wire.
        let url = format!("{}/local/iwc/badge/user/index", app.emulator.url());
        let raw = send("GET", &url, &[("authorization", &sid)], "").await;
        let text = String::from_utf8(raw.body.to_vec()).unwrap();
        let columns = [
            "id",
            "create_time",
            "update_time",
            "user_name",
            "gender",
            "birth_day",
            "province",
            "city",
            "phone",
            "is_delete",
        ];
        let places: Vec<_> = columns.iter().map(|name| text.find(&format!("\"{name}\":")).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    })
    .await;
}

#[tokio::test]
async fn an_admin_sees_every_value() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        let key = json!({ "phone": { "S": format!("+86{phone}") } });
        app.dynamodb(
            "UpdateItem",
            &json!({
                "TableName": "badge-local-users", "Key": key, "UpdateExpression": "SET #r = :a",
                "ExpressionAttributeNames": { "#r": "role" }, "ExpressionAttributeValues": { ":a": { "S": "admin" } }
            }),
        )
        .await;
        let admin = app.log_in(&phone).await;
        for authorization in [admin.sid.clone(), format!("jwt {}", admin.token)] {
            let row = index(app, &authorization, "").await.data[0].clone();
            assert_eq!((&row["phone"], &row["birth_day"]), (&json!(format!("+86{phone}")), &json!("1990-01-02")));
        }
    })
    .await;
}

#[tokio::test]
async fn a_caller_gets_sixty_pages_a_minute() {
    with_app(async |app| {
        let (one, other) = (app.somebody().await, app.somebody().await);
        let jwt = format!("jwt {}", one.token);
        for nth in 0..60 {
            index(app, if nth % 2 == 0 { &one.sid } else { &jwt }, "?limit=1").await;
        }
        for authorization in [&one.sid, &jwt] {
            let refused = app.send("GET", "/user/index", &[("authorization", authorization)], "").await;
            assert_eq!(refused.code, code::TOO_MANY_REQUESTS);
            assert!((1..=60).contains(&refused.data["retry_after"].as_u64().unwrap()), "{refused:?}");
        }
        index(app, &other.sid, "").await;
        app.advance(61).await;
        index(app, &one.sid, "").await;
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_open_to_admins_is_closed_to_users() {
    with_settings(
        |settings| settings.replace("open_to = \"users\"", "open_to = \"admins\""),
        async |app| {
            let (phone, user) = (app.phone(), app.somebody().await);
            app.register(&phone).await;
            app.change_rights(&phone, "promote").await;
            let admin = app.log_in(&phone).await;
            for (who, code) in [(&user, code::FORBIDDEN), (&admin, 0)] {
                for authorization in [who.sid.clone(), format!("jwt {}", who.token)] {
                    let reply = app.send("GET", "/user/index", &[("authorization", &authorization)], "").await;
                    assert_eq!(reply.code, code, "{reply:?}");
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_deleted_user_is_not_listed_cannot_sign_in_and_may_register_anew() {
    with_app(async |app| {
        let phone = app.phone();
        let old_id = app.register(&phone).await;
        let sid = app.somebody().await.sid;
        app.dynamodb(
            "UpdateItem",
            &json!({
                "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } },
                "UpdateExpression": "SET is_delete = :d REMOVE #s",
                "ExpressionAttributeNames": { "#s": "shard" }, "ExpressionAttributeValues": { ":d": { "N": "1" } }
            }),
        )
        .await;
        assert!(!ids(&index(app, &sid, "").await).contains(&old_id));
        let code = app.code(&phone, 2).await;
        let attempt = json!({ "phone": phone, "veri_code": code });
        assert_eq!(app.post("/user/login", &attempt).await.code, code::USER_NOT_FOUND);
        let again = app.post("/user/register", &applicant(&phone, &code)).await;
        assert_eq!(again.code, 0);
        assert_ne!(again.data["user_id"], json!(old_id));
        assert_eq!(ids(&index(app, &sid, "?limit=1").await), [again.data["user_id"].as_str().unwrap()]);
    })
    .await;
}

#[tokio::test]
async fn a_page_has_as_many_as_asked_for_and_the_last_one_says_so() {
    with_app(async |app| {
        let mut everybody = populate(app, 24).await;
        let somebody = app.somebody().await;
        everybody.push(somebody.user_id.clone());
        everybody.reverse();
        let sid = &somebody.sid;
        let first = index(app, sid, "").await;
        assert_eq!(ids(&first), everybody[..20], "twenty, newest first");
        let cursor = first.next.unwrap();
        let second = index(app, sid, &format!("?cursor={}", cursor.as_str().unwrap())).await;
        assert_eq!((ids(&second), second.next), (everybody[20..].to_vec(), Some(Value::Null)));
        let exact = index(app, sid, "?limit=25").await;
        assert_eq!((ids(&exact).len(), exact.next), (25, Some(Value::Null)), "full, and still the last");
        let all = index(app, sid, "?limit=100&cursor=").await;
        assert_eq!((ids(&all), all.next), (everybody, Some(Value::Null)));
    })
    .await;
}

#[tokio::test]
async fn a_limit_or_a_cursor_that_cannot_be_is_refused() {
    with_app(async |app| {
        let sid = app.somebody().await.sid;
        for (query, name) in [
            ("?limit=0", "limit"),
            ("?limit=101", "limit"),
            ("?limit=-1", "limit"),
            ("?limit=1.5", "limit"),
            ("?limit=abc", "limit"),
            ("?limit=1e1", "limit"),
            ("?limit=%2B5", "limit"),
            ("?limit=99999999999", "limit"),
            ("?cursor=x", "cursor"),
            ("?cursor=%00", "cursor"),
            ("?cursor=AAAA", "cursor"),
        ] {
            let reply = app.send("GET", &format!("/user/index{query}"), &[("authorization", &sid)], "").await;
            assert_eq!((reply.code, reply.msg), (code::PARAMS_INVALID, format!("{name}参数无效")), "{query}");
            assert!(reply.data[name].is_string());
        }
    })
    .await;
}

#[tokio::test]
async fn a_walk_over_all_pages_loses_and_repeats_nobody_while_others_register() {
    // With several shards, whose pages have to be merged.
    with_settings(
        |settings| settings.replace("user_shards = 1", "user_shards = 4"),
        async |app| {
            let somebody = app.somebody().await;
            let before: BTreeSet<_> = populate(app, 40).await.into_iter().chain([somebody.user_id]).collect();
            let mut seen = Vec::new();
            let mut query = "?limit=7".to_owned();
            loop {
                let (page, _) = tokio::join!(index(app, &somebody.sid, &query), populate(app, 2));
                seen.extend(ids(&page));
                match page.next.unwrap() {
                    Value::String(cursor) => query = format!("?limit=7&cursor={cursor}"),
                    _ => break,
                }
            }
            assert!(seen.is_sorted_by(|newer, older| newer > older), "newest first, nobody twice");
            let seen: BTreeSet<_> = seen.into_iter().collect();
            assert!(seen.is_superset(&before), "lost: {:?}", before.difference(&seen));
        },
    )
    .await;
}

/// Writes users straight into the table.
async fn load(app: &TestApp, count: u64) {
    for first in (0..count).step_by(25) {
        let puts: Vec<_> =
            (first..(first + 25).min(count)).map(|n| json!({ "PutRequest": { "Item": item(n) } })).collect();
        let done = app.dynamodb("BatchWriteItem", &json!({ "RequestItems": { "badge-local-users": puts } })).await;
        assert_eq!(done["UnprocessedItems"], json!({}));
    }
}

fn item(n: u64) -> Value {
    let millis = 1_600_000_000_000 + n;
    let id = format!("{:08x}-{:04x}-7000-8000-{n:011x}0", millis >> 16, millis & 0xffff);
    json!({
        "phone": { "S": format!("+86137{n:08}") }, "id": { "S": id }, "shard": { "N": "0" }, "role": { "S": "user" },
        "user_name": { "S": "三十二个字符的名字三十二个字符的名字三十二个字符的名字三十二个" }, "gender": { "N": "1" },
        "birth_day": { "S": "1990-01-02" }, "province": { "S": "310000" }, "city": { "S": "310100" },
        "create_time": { "N": millis.to_string() }, "is_delete": { "N": "0" },
        "receipt": { "S": "0123456789abcdef0123456789abcdef" }
    })
}

/// What DynamoDB charges for a page.
async fn read_units(app: &TestApp, sid: &str, query: &str) -> f64 {
    let page = index(app, sid, query).await;
    assert_eq!(ids(&page).len(), 20);
    app.log(&page.request_id).await[0]["spent"]["read_units"].as_f64().unwrap()
}

#[tokio::test]
async fn a_page_costs_the_same_among_a_hundred_and_a_hundred_thousand_users() {
    with_app(async |app| {
        let sid = app.somebody().await.sid;
        load(app, 100).await;
        let (first, cursor) = {
            let page = index(app, &sid, "").await;
            (read_units(app, &sid, "").await, page.next.unwrap().as_str().unwrap().to_owned())
        };
        let deep = read_units(app, &sid, &format!("?cursor={cursor}")).await;
        assert!(first > 0.0 && first <= 2.0 && deep <= 2.0, "{first} {deep}");
        load(app, 100_000).await;
        assert!((read_units(app, &sid, "").await - first).abs() < f64::EPSILON);
        let mut query = String::new();
        for _ in 0..50 {
            let page = index(app, &sid, &format!("?limit=100{query}")).await;
            query = format!("&cursor={}", page.next.unwrap().as_str().unwrap());
        }
        assert!((read_units(app, &sid, &query.replacen('&', "?", 1)).await - deep).abs() < f64::EPSILON);
    })
    .await;
}
