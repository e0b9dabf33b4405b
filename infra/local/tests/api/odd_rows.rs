//! A row of the users' table that the service did not write: it hides nobody else.

use serde_json::{Value, json};

use support::{Reply, TestApp, applicant, code, with_app};

async fn index(app: &TestApp, sid: &str, query: &str) -> Reply {
    let reply = app.send("GET", &format!("/user/index{query}"), &[("authorization", sid)], "").await;
    assert_eq!(reply.code, 0, "{reply:?}");
    reply
}

fn ids(reply: &Reply) -> Vec<String> {
    reply.data.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// Sets an attribute of a user's row.
async fn set(app: &TestApp, phone: &str, name: &str, value: &Value) {
    let update = json!({
        "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } },
        "UpdateExpression": "SET #name = :value", "ExpressionAttributeNames": { "#name": name },
        "ExpressionAttributeValues": { ":value": value }
    });
    app.dynamodb("UpdateItem", &update).await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_left_out_and_logged() {
    with_app(async |app| {
        let mut users = Vec::new();
        for _ in 0..9 {
            let phone = app.phone();
            let code = app.code(&phone, 1).await;
            let reply = app.post("/user/register", &applicant(&phone, &code)).await;
            users.push((reply.data["user_id"].as_str().unwrap().to_owned(), phone));
        }
        let sid = app.somebody().await.sid;
        let odd = [
            (1, "gender", json!({ "S": "secret" })),
            (2, "create_time", json!({ "BOOL": true })),
            (5, "user_name", json!({ "M": { "secret": { "S": "x" } } })),
        ];
        for (at, name, value) in &odd {
            set(app, &users[*at].1, name, value).await;
        }
        // What no reader knows is no reason.
        set(app, &users[3].1, "tags", &json!({ "L": [{ "BOOL": true }] })).await;

        let good = |at: &usize| !odd.iter().any(|(odd, ..)| odd == at);
        let expected: Vec<_> = (0..users.len()).rev().filter(good).map(|at| users[at].0.clone()).collect();
        let page = index(app, &sid, "").await;
        assert_eq!(ids(&page)[1..], expected);
        assert_eq!(page.next, Some(Value::Null));
        let lines = app.log(&page.request_id).await;
        let (warnings, calls): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["level"] == "WARN");
        assert_eq!((warnings.len(), calls.len()), (odd.len(), 1), "{lines:?}");
        for (at, ..) in &odd {
            let (id, phone) = &users[*at];
            let line =
                warnings.iter().find(|line| line["user_id"] == *id).unwrap_or_else(|| panic!("{id}: {warnings:?}"));
            let masked = line["phone"].as_str().unwrap();
            assert!(masked.contains('*') && !line.to_string().contains(phone), "{line}");
            assert!(!line.to_string().contains("secret"), "{line}");
        }

        // A page is as large as asked for, and a walk meets everybody who can be read.
        let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
        loop {
            let page = index(app, &sid, &query).await;
            seen.extend(ids(&page));
            match page.next.unwrap() {
                Value::String(cursor) => {
                    assert_eq!(page.data.as_array().unwrap().len(), 2);
                    query = format!("?limit=2&cursor={cursor}");
                }
                _ => break,
            }
        }
        assert_eq!(seen[1..], expected);
    })
    .await;
}

#[tokio::test]
async fn a_user_whose_row_cannot_be_read_hears_of_a_fault_of_ours() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        set(app, &phone, "gender", &json!({ "S": "x" })).await;
        let code = app.code(&phone, 2).await;
        let attempt = json!({ "phone": phone, "veri_code": code });
        assert_eq!(app.post("/user/login", &attempt).await.code, code::INTERNAL_ERROR);
        set(app, &phone, "gender", &json!({ "N": "1" })).await;
        assert_eq!(app.post("/user/login", &attempt).await.code, 0, "the code is still good");
    })
    .await;
}
