//! `GET /user/index`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bed::{Bed, Reply, applicant, dynamodb, on_a_stage, on_a_stage_with};
use crate::client;

async fn index(bed: &Bed, sid: &str, query: &str) -> Reply {
    let reply = bed.send("GET", &format!("/user/index{query}"), &[("authorization", sid)], "").await;
    assert_eq!(reply.code, 0, "{reply:?}");
    reply
}

/// Registers so many users, whose ids are given oldest first.
async fn populate(bed: &Bed, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let phone = bed.phone();
        let code = bed.code(&phone, 1).await;
        let reply = bed.post("/user/register", &applicant(&phone, &code)).await;
        ids.push(reply.data["user_id"].as_str().unwrap().to_owned());
    }
    ids
}

fn ids(reply: &Reply) -> Vec<String> {
    reply.data.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn rows_have_the_columns_of_the_contract_and_hide_what_is_not_the_callers() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let user_id = bed.register(&phone).await;
        let sid = bed.log_in(&phone).await.sid;
        let reply = index(bed, &sid, "").await;
        let row = &reply.data[0];
        let mut expected = json!({
            "id": user_id, "create_time": row["create_time"], "update_time": null, "user_name": "张三", "gender": 1,
            "birth_day": null, "province": "", "city": "", "is_delete": 0,
        });
        expected["phone"] = json!(format!("+86{}****{}", &phone[..3], &phone[7..]));
        assert_eq!((row, reply.next), (&expected, Some(Value::Null)));
        let time = row["create_time"].as_str().unwrap();
        assert!(time.len() == 19 && &time[4..5] == "-" && &time[10..11] == " " && &time[13..14] == ":", "{time}");
        // The order of the columns is that of the wire.
        let url = format!("{}/local/iwc/badge/user/index", bed.stage.url());
        let raw = client::send("GET", &url, &[("authorization", &sid)], "".into()).await;
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
    on_a_stage(async |bed| {
        let phone = bed.phone();
        bed.register(&phone).await;
        let key = json!({ "phone": { "S": format!("+86{phone}") } });
        dynamodb(
            bed,
            "UpdateItem",
            &json!({
                "TableName": "badge-local-users", "Key": key, "UpdateExpression": "SET #r = :a",
                "ExpressionAttributeNames": { "#r": "role" }, "ExpressionAttributeValues": { ":a": { "S": "admin" } }
            }),
        )
        .await;
        let admin = bed.log_in(&phone).await;
        for authorization in [admin.sid.clone(), format!("jwt {}", admin.token)] {
            let row = index(bed, &authorization, "").await.data[0].clone();
            assert_eq!((&row["phone"], &row["birth_day"]), (&json!(format!("+86{phone}")), &json!("1990-01-02")));
        }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_is_not_listed_cannot_sign_in_and_may_register_anew() {
    on_a_stage(async |bed| {
        let phone = bed.phone();
        let old_id = bed.register(&phone).await;
        let sid = bed.somebody().await.sid;
        dynamodb(
            bed,
            "UpdateItem",
            &json!({
                "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } },
                "UpdateExpression": "SET is_delete = :d REMOVE #s",
                "ExpressionAttributeNames": { "#s": "shard" }, "ExpressionAttributeValues": { ":d": { "N": "1" } }
            }),
        )
        .await;
        assert!(!ids(&index(bed, &sid, "").await).contains(&old_id));
        let code = bed.code(&phone, 2).await;
        let attempt = json!({ "phone": phone, "veri_code": code });
        assert_eq!(bed.post("/user/login", &attempt).await.code, 11004);
        let again = bed.post("/user/register", &applicant(&phone, &code)).await;
        assert_eq!(again.code, 0);
        assert_ne!(again.data["user_id"], json!(old_id));
        assert_eq!(ids(&index(bed, &sid, "?limit=1").await), [again.data["user_id"].as_str().unwrap()]);
    })
    .await;
}

#[tokio::test]
async fn a_page_has_as_many_as_asked_for_and_the_last_one_says_so() {
    on_a_stage(async |bed| {
        let mut everybody = populate(bed, 24).await;
        let somebody = bed.somebody().await;
        everybody.push(somebody.user_id.clone());
        everybody.reverse();
        let sid = &somebody.sid;
        let first = index(bed, sid, "").await;
        assert_eq!(ids(&first), everybody[..20], "twenty, newest first");
        let cursor = first.next.unwrap();
        let second = index(bed, sid, &format!("?cursor={}", cursor.as_str().unwrap())).await;
        assert_eq!((ids(&second), second.next), (everybody[20..].to_vec(), Some(Value::Null)));
        let exact = index(bed, sid, "?limit=25").await;
        assert_eq!((ids(&exact).len(), exact.next), (25, Some(Value::Null)), "full, and still the last");
        let all = index(bed, sid, "?limit=100&cursor=").await;
        assert_eq!((ids(&all), all.next), (everybody, Some(Value::Null)));
    })
    .await;
}

#[tokio::test]
async fn a_limit_or_a_cursor_that_cannot_be_is_refused() {
    on_a_stage(async |bed| {
        let sid = bed.somebody().await.sid;
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
            let reply = bed.send("GET", &format!("/user/index{query}"), &[("authorization", &sid)], "").await;
            assert_eq!((reply.code, reply.msg), (11001, format!("{name}参数无效")), "{query}");
            assert!(reply.data[name].is_string());
        }
    })
    .await;
}

#[tokio::test]
async fn a_walk_over_all_pages_loses_and_repeats_nobody_while_others_register() {
    // With several shards, whose pages have to be merged.
    on_a_stage_with(
        |settings| settings.replace("user_shards = 1", "user_shards = 4"),
        async |bed| {
            let somebody = bed.somebody().await;
            let before: BTreeSet<_> = populate(bed, 40).await.into_iter().chain([somebody.user_id]).collect();
            let mut seen = Vec::new();
            let mut query = "?limit=7".to_owned();
            loop {
                let (page, _) = tokio::join!(index(bed, &somebody.sid, &query), populate(bed, 2));
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
async fn load(bed: &Bed, count: u64) {
    for first in (0..count).step_by(25) {
        let puts: Vec<_> =
            (first..(first + 25).min(count)).map(|n| json!({ "PutRequest": { "Item": item(n) } })).collect();
        let done = dynamodb(bed, "BatchWriteItem", &json!({ "RequestItems": { "badge-local-users": puts } })).await;
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
async fn read_units(bed: &Bed, sid: &str, query: &str) -> f64 {
    let page = index(bed, sid, query).await;
    assert_eq!(ids(&page).len(), 20);
    bed.log(&page.request_id).await[0]["spent"]["read_units"].as_f64().unwrap()
}

#[tokio::test]
async fn a_page_costs_the_same_among_a_hundred_and_a_hundred_thousand_users() {
    on_a_stage(async |bed| {
        let sid = bed.somebody().await.sid;
        load(bed, 100).await;
        let (first, cursor) = {
            let page = index(bed, &sid, "").await;
            (read_units(bed, &sid, "").await, page.next.unwrap().as_str().unwrap().to_owned())
        };
        let deep = read_units(bed, &sid, &format!("?cursor={cursor}")).await;
        assert!(first > 0.0 && first <= 2.0 && deep <= 2.0, "{first} {deep}");
        load(bed, 100_000).await;
        assert!((read_units(bed, &sid, "").await - first).abs() < f64::EPSILON);
        let mut query = String::new();
        for _ in 0..50 {
            let page = index(bed, &sid, &format!("?limit=100{query}")).await;
            query = format!("&cursor={}", page.next.unwrap().as_str().unwrap());
        }
        assert!((read_units(bed, &sid, &query.replacen('&', "?", 1)).await - deep).abs() < f64::EPSILON);
    })
    .await;
}
