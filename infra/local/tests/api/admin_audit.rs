//! `GET /admin/audit`.

use serde_json::{Value, json};

use support::{Reply, TestApp, code, with_app};

const NOBODY: &str = "0193a5f0-0000-7000-8000-000000000003";

async fn audit(app: &TestApp, credential: &str, query: &str) -> Reply {
    app.send("GET", &format!("/admin/audit{query}"), &[("authorization", credential)], "").await
}

fn versions(reply: &Reply) -> Vec<u64> {
    reply.data.as_array().unwrap().iter().map(|event| event["version"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn an_admin_sees_who_changed_what_newest_first_page_by_page() {
    with_app(async |app| {
        let (sid, phone) = (app.admin().await.1.sid, app.phone());
        let user_id = app.register(&phone).await;
        for change in ["promote", "disable", "enable", "demote"] {
            app.change_rights(&phone, change).await;
        }
        app.streams_are_empty().await;
        let all = audit(app, &sid, &format!("?id={user_id}")).await;
        assert_eq!((all.code, versions(&all), &all.next), (0, vec![5, 4, 3, 2, 1], &Some(Value::Null)));
        let (newest, first) = (&all.data[0], &all.data[4]);
        assert_eq!(
            (&newest["values"], &newest["changed_by"]["role"]),
            (&json!({ "role": "user" }), &json!("operator"))
        );
        assert_eq!(all.data[2]["values"], json!({ "is_disabled": 1 }), "{newest}");
        assert_eq!(first["changed_by"]["credential"], "code");
        assert!(first["fields"].as_array().unwrap().contains(&json!("phone")), "{first}");
        let time = first["at"].as_str().unwrap();
        assert!(time.len() == 19 && &time[10..11] == " ", "{time}");

        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let page = audit(app, &sid, &format!("?id={user_id}&limit=2&cursor={cursor}")).await;
            assert_eq!(page.code, 0, "{page:?}");
            seen.extend(versions(&page));
            match page.next {
                Some(Value::String(next)) => cursor = next,
                last => {
                    assert_eq!(last, Some(Value::Null));
                    break;
                }
            }
        }
        assert_eq!(seen, [5, 4, 3, 2, 1]);
        for secret in [&*phone, "张三", "1990"] {
            assert!(!all.data.to_string().contains(secret), "{:?}", all.data);
        }
    })
    .await;
}

#[tokio::test]
async fn others_than_admins_are_refused() {
    with_app(async |app| {
        let phone = app.phone();
        let user_id = app.register(&phone).await;
        let somebody = app.log_in(&phone).await;
        let query = format!("?id={user_id}");
        let bearer = format!("Bearer {}", somebody.token);
        for credential in [&somebody.sid, &bearer] {
            assert_eq!(audit(app, credential, &query).await.code, code::FORBIDDEN);
        }
        assert_eq!(app.send("GET", &format!("/admin/audit{query}"), &[], "").await.code, code::NOT_LOGIN);
        assert_eq!(app.post(&format!("/admin/audit{query}"), &json!({})).await.code, code::METHOD_NOT_ALLOWED);
    })
    .await;
}

#[tokio::test]
async fn an_admin_who_is_none_any_more_is_refused_at_once() {
    with_app(async |app| {
        let phone = app.phone();
        let user_id = app.register(&phone).await;
        app.change_rights(&phone, "promote").await;
        let admin = app.log_in(&phone).await;
        let (query, bearer) = (format!("?id={user_id}"), format!("Bearer {}", admin.token));
        assert_eq!(audit(app, &bearer, &query).await.code, 0);
        app.change_rights(&phone, "demote").await;
        assert_eq!(audit(app, &bearer, &query).await.code, code::NO_AUTH);
        assert_eq!(audit(app, &admin.sid, &query).await.code, code::NOT_LOGIN);
    })
    .await;
}

#[tokio::test]
async fn parameters_that_cannot_be_are_refused_by_name_and_an_unknown_user_is_not_found() {
    with_app(async |app| {
        let sid = app.admin().await.1.sid;
        for (query, message) in [
            (String::new(), "id参数有缺失"),
            ("?id=".to_owned(), "id参数有缺失"),
            ("?id=x".to_owned(), "id参数无效"),
            (format!("?id={NOBODY}&limit=0"), "limit参数无效"),
            (format!("?id={NOBODY}&limit=101&cursor=x"), "limit,cursor参数无效"),
            (format!("?id={NOBODY}&cursor=LTE"), "cursor参数无效"),
        ] {
            let reply = audit(app, &sid, &query).await;
            assert_eq!((reply.code, reply.msg.as_str()), (code::PARAMS_INVALID, message), "{query}");
        }
        let reply = audit(app, &sid, &format!("?id={NOBODY}")).await;
        assert_eq!(reply.code, code::USER_NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn a_user_without_events_has_an_empty_page_and_events_outlive_their_user() {
    with_app(async |app| {
        let (sid, phone) = (app.admin().await.1.sid, app.phone());
        let user_id = app.register(&phone).await;
        app.streams_are_empty().await;
        let key = json!({ "phone": { "S": format!("+86{phone}") } });
        app.dynamodb("DeleteItem", &json!({ "TableName": "badge-local-users", "Key": key })).await;
        let query = format!("?id={user_id}");
        assert_eq!(versions(&audit(app, &sid, &query).await), [1], "the user is gone, the event is not");

        let other = app.phone();
        let user_id = app.register(&other).await;
        app.streams_are_empty().await;
        let key = json!({ "id": { "S": user_id }, "version": { "N": "1" } });
        app.dynamodb("DeleteItem", &json!({ "TableName": "badge-local-audit", "Key": key })).await;
        let reply = audit(app, &sid, &format!("?id={user_id}")).await;
        assert_eq!((reply.code, reply.data), (0, json!([])), "a user whose events have ended");
    })
    .await;
}

#[tokio::test]
async fn an_export_has_the_events_and_does_not_say_which_admin() {
    with_app(async |app| {
        let (admins_phone, phone) = (app.phone(), app.phone());
        app.register(&admins_phone).await;
        app.change_rights(&admins_phone, "promote").await;
        let admin = app.log_in(&admins_phone).await;
        let user_id = app.register(&phone).await;
        let change = json!({ "id": user_id, "end_sessions": true }).to_string();
        let changed = app.send("POST", "/admin/update", &[("authorization", &admin.sid)], change).await;
        assert_eq!(changed.code, 0, "{changed:?}");
        let user = app.log_in(&phone).await;
        app.streams_are_empty().await;
        let seen = audit(app, &admin.sid, &format!("?id={user_id}")).await;
        assert_eq!(seen.data[0]["changed_by"]["user_id"], json!(admin.user_id), "an admin sees it");
        let export = app.send("GET", "/user/export", &[("authorization", &user.sid)], "").await;
        let events = &export.data["events"];
        assert_eq!((export.code, events.as_array().unwrap().len()), (0, 2), "{events}");
        assert_eq!((&events[0]["changed_by"]["role"], &events[0]["fields"]), (&json!("admin"), &json!(["epoch"])));
        assert!(!export.data.to_string().contains(&admin.user_id), "{events}");
    })
    .await;
}

#[tokio::test]
async fn a_store_that_fails_is_told_in_time_and_the_next_request_is_answered() {
    with_app(async |app| {
        let sid = app.admin().await.1.sid;
        let query = format!("?id={NOBODY}");
        for (backend, expected) in [("dynamodb", code::DB_ERROR), ("redis", code::REDIS_ERROR)] {
            for mode in ["refuse", "hang", "throttle"] {
                app.fail(&json!({ backend: { "mode": mode } })).await;
                let reply = audit(app, &sid, &query).await;
                assert_eq!(reply.code, expected, "{backend} {mode}");
                let took = app.duration(&reply).await;
                assert!(took.as_millis() < 3000, "{backend} {mode}: {took:?}");
                app.fail(&json!({})).await;
                assert_eq!(audit(app, &sid, &query).await.code, code::USER_NOT_FOUND, "{backend} {mode}");
            }
        }
    })
    .await;
}
