//! `GET /admin/user`, `POST /admin/update` and the list by state: what admins see and change of others.

use serde_json::{Value, json};

use support::{Reply, SignedIn, TestApp, applicant, code, for_crowds, other_than, with_app, with_settings};

fn jwt(who: &SignedIn) -> String {
    format!("jwt {}", who.token)
}

async fn look(app: &TestApp, who: &str, query: &str) -> Reply {
    app.send("GET", &format!("/admin/user?{query}"), &[("authorization", who)], "").await
}

async fn update(app: &TestApp, who: &str, body: &Value) -> Reply {
    app.send("POST", "/admin/update", &[("authorization", who)], body.to_string()).await
}

async fn index(app: &TestApp, who: &str, query: &str) -> Reply {
    app.send("GET", &format!("/user/index{query}"), &[("authorization", who)], "").await
}

#[tokio::test]
async fn an_admin_finds_a_user_of_any_state_by_phone_and_by_id() {
    with_app(async |app| {
        let (_, admin) = app.admin().await;
        let (phone, who) = app.user().await;
        for (change, state) in [(None, "live"), (Some("disable"), "disabled"), (Some("delete"), "deleted")] {
            if let Some(change) = change {
                app.change_rights(&phone, change).await;
            }
            for query in
                [format!("phone={phone}"), format!("id={}", who.user_id), format!("phone=1&id={}", who.user_id)]
            {
                if query.starts_with("phone=1&") {
                    assert_eq!(look(app, &admin.sid, &query).await.msg, "phone参数无效");
                    continue;
                }
                for authorization in [&admin.sid, &jwt(&admin)] {
                    let found = look(app, authorization, &query).await;
                    assert_eq!((found.code, &found.data["state"]), (0, &json!(state)), "{query}");
                    assert_eq!(found.data["phone"], json!(format!("+86{phone}")));
                    assert_eq!(found.data["birth_day"], "1990-01-02");
                    assert_eq!(found.data["delete_time"].is_string(), state == "deleted");
                }
            }
        }
        for query in ["id=0193a5f0-0000-7000-8000-000000000003", "phone=13900009999"] {
            assert_eq!(look(app, &admin.sid, query).await.code, code::USER_NOT_FOUND, "{query}");
        }
        assert_eq!(look(app, &admin.sid, "").await.msg, "id参数有缺失");
        assert_eq!(look(app, &admin.sid, "id=x").await.msg, "id参数无效");
    })
    .await;
}

#[tokio::test]
async fn nobody_but_an_admin_of_now_is_let_in() {
    with_app(async |app| {
        let (phone, before) = app.admin().await;
        let (_, who) = app.user().await;
        let body = json!({ "id": who.user_id, "disabled": true });
        for (authorization, expected) in [
            ("", code::NOT_LOGIN),
            (&*who.sid, code::FORBIDDEN),
            (&*jwt(&who), code::FORBIDDEN),
            ("jwt a.b.c", code::NO_AUTH),
        ] {
            assert_eq!(look(app, authorization, &format!("id={}", before.user_id)).await.code, expected);
            assert_eq!(update(app, authorization, &body).await.code, expected);
        }
        app.change_rights(&phone, "demote").await;
        for (authorization, expected) in [(&before.sid, code::NOT_LOGIN), (&jwt(&before), code::NO_AUTH)] {
            assert_eq!(look(app, authorization, "id=x").await.code, expected);
            assert_eq!(update(app, authorization, &body).await.code, expected);
        }
        assert_eq!(
            app.send("GET", "/user/me", &[("authorization", &who.sid)], "").await.code,
            0,
            "nothing has changed"
        );
    })
    .await;
}

#[tokio::test]
async fn every_change_takes_effect_at_once_and_the_same_request_again_succeeds() {
    with_app(async |app| {
        let (_, admin) = app.admin().await;
        for (change, column, value, ended) in [
            (json!({ "role": "admin" }), "role", json!("admin"), code::NOT_LOGIN),
            (json!({ "disabled": true }), "state", json!("disabled"), code::ACCOUNT_DISABLED),
            (json!({ "end_sessions": true }), "state", json!("live"), code::NOT_LOGIN),
            (json!({ "delete": true }), "state", json!("deleted"), code::NOT_LOGIN),
            (
                json!({ "role": "admin", "disabled": true, "delete": true }),
                "deleted_by_admin",
                json!(1),
                code::ACCOUNT_DISABLED,
            ),
        ] {
            let (_, who) = app.user().await;
            let mut body = change.clone();
            body["id"] = json!(who.user_id);
            for _ in 0..2 {
                let changed = update(app, &admin.sid, &body).await;
                assert_eq!((changed.code, &changed.data[column]), (0, &value), "{change}");
            }
            let me = app.send("GET", "/user/me", &[("authorization", &who.sid)], "").await;
            assert_eq!(me.code, ended, "{change}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_taken_is_given_back() {
    with_app(async |app| {
        let (_, admin) = app.admin().await;
        let (phone, who) = app.user().await;
        let change = async |mut body: Value| {
            body["id"] = json!(who.user_id);
            update(app, &jwt(&admin), &body).await
        };
        assert_eq!(change(json!({ "disabled": true })).await.data["is_disabled"], 1);
        assert_eq!(change(json!({ "disabled": false })).await.data["state"], "live");
        assert_eq!(change(json!({ "delete": true })).await.data["state"], "deleted");
        let gone = change(json!({ "end_sessions": true })).await;
        assert_eq!(gone.code, code::USER_NOT_FOUND);
        let back = change(json!({ "restore": true, "role": "admin" })).await;
        assert_eq!((&back.data["state"], &back.data["role"]), (&json!("live"), &json!("admin")));
        assert_eq!((&back.data["delete_time"], &back.data["deleted_by_admin"]), (&Value::Null, &json!(0)));
        assert_eq!(index(app, &admin.sid, "").await.data[0]["id"], json!(who.user_id), "it is in the list again");
        app.advance(61).await;
        let code = app.code(&phone, 3).await;
        assert_eq!(app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused() {
    with_app(async |app| {
        let (phone, admin) = app.admin().await;
        let (_, who) = app.user().await;
        for (body, expected) in [
            (json!({ "id": admin.user_id, "role": "user" }), code::FORBIDDEN),
            (json!({ "id": admin.user_id, "delete": true }), code::FORBIDDEN),
            (json!({ "id": "0193a5f0-0000-7000-8000-000000000003", "disabled": true }), code::USER_NOT_FOUND),
            (json!({ "disabled": true }), code::PARAMS_INVALID),
            (json!({ "id": who.user_id }), code::PARAMS_INVALID),
            (json!({ "id": who.user_id, "delete": false, "restore": null }), code::PARAMS_INVALID),
            (json!({ "id": who.user_id, "role": "root" }), code::PARAMS_INVALID),
            (json!({ "id": who.user_id, "delete": true, "restore": true }), code::PARAMS_INVALID),
            (json!({ "phone": phone, "disabled": true }), code::PARAMS_INVALID),
            (json!({ "reset_tries": true }), code::PARAMS_INVALID),
        ] {
            assert_eq!(update(app, &admin.sid, &body).await.code, expected, "{body}");
        }
        assert_eq!(app.send("GET", "/user/me", &[("authorization", &who.sid)], "").await.code, 0);
        assert_eq!(update(app, &admin.sid, &json!({ "id": who.user_id, "role": "user" })).await.code, 0, "as it is");
        assert_eq!(app.send("GET", "/user/me", &[("authorization", &who.sid)], "").await.code, 0, "no session ended");
    })
    .await;
}

#[tokio::test]
async fn wrong_tries_are_forgotten_also_of_a_phone_without_a_user() {
    with_app(async |app| {
        // Before the sign-in: it may be a whole day, after which a session has ended.
        app.advance_to_midnight().await;
        let (_, admin) = app.admin().await;
        let phone = app.phone();
        for nth in 1..=4 {
            let sent = app.code(&phone, nth).await;
            for _ in 0..5 {
                let wrong = json!({ "phone": phone, "veri_code": other_than(&sent) });
                assert_eq!(app.post("/user/login", &wrong).await.code, code::VERI_CODE_WRONG);
            }
            app.advance(301).await;
        }
        let asks = json!({ "phone": phone });
        assert_eq!(app.post("/user/veri_code", &asks).await.code, code::TOO_MANY_REQUESTS);
        let reset = update(app, &admin.sid, &json!({ "phone": phone, "reset_tries": true })).await;
        assert_eq!((reset.code, reset.data), (0, json!("")));
        let right = app.code(&phone, 5).await;
        assert_eq!(app.post("/user/register", &applicant(&phone, &right)).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn an_admin_lists_users_by_state() {
    with_app(async |app| {
        let (_, admin) = app.admin().await;
        let mut ids = Vec::new();
        for change in [None, Some("disable"), Some("delete"), Some("delete"), Some("disable")] {
            let phone = app.phone();
            ids.push(json!(app.register(&phone).await));
            if let Some(change) = change {
                app.change_rights(&phone, change).await;
            }
        }
        let listed = async |query: &str| {
            let page = index(app, &admin.sid, query).await;
            assert_eq!(page.code, 0, "{page:?}");
            page.data.as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(listed("?state=deleted").await, [ids[3].clone(), ids[2].clone()]);
        assert_eq!(listed("?state=disabled").await, [ids[4].clone(), ids[1].clone()]);
        assert_eq!(listed("?state=live").await, [ids[0].clone(), json!(admin.user_id)]);
        assert_eq!(listed("").await.len(), 4);
        let first = index(app, &admin.sid, "?state=deleted&limit=1").await;
        let next = format!("?state=deleted&limit=1&cursor={}", first.next.unwrap().as_str().unwrap());
        assert_eq!(listed(&next).await, [ids[2].clone()]);
        assert_eq!(index(app, &admin.sid, "?state=x").await.msg, "state参数无效");
        let (_, who) = app.user().await;
        assert_eq!(index(app, &who.sid, "?state=live").await.code, code::FORBIDDEN);
        assert_eq!(index(app, &jwt(&who), "?state=deleted").await.code, code::FORBIDDEN);
    })
    .await;
}

#[tokio::test]
async fn stores_that_fail_have_their_codes_and_change_nothing() {
    with_app(async |app| {
        let (_, admin) = app.admin().await;
        let (_, who) = app.user().await;
        let (query, body) = (format!("id={}", who.user_id), json!({ "id": who.user_id, "end_sessions": true }));
        for authorization in [&admin.sid, &jwt(&admin)] {
            app.fail(&json!({ "dynamodb": { "mode": "refuse" } })).await;
            assert_eq!(look(app, authorization, &query).await.code, code::DB_ERROR);
            assert_eq!(update(app, authorization, &body).await.code, code::DB_ERROR);
            // Without the cache nobody knows whether a token's role still holds.
            app.fail(&json!({ "redis": { "mode": "refuse" } })).await;
            assert_eq!(look(app, authorization, &query).await.code, code::REDIS_ERROR);
            assert_eq!(update(app, authorization, &body).await.code, code::REDIS_ERROR);
            app.fail(&json!({})).await;
        }
        assert_eq!(app.send("GET", "/user/me", &[("authorization", &who.sid)], "").await.code, 0);
        assert_eq!(update(app, &admin.sid, &body).await.code, 0);
        assert_eq!(app.send("GET", "/user/me", &[("authorization", &who.sid)], "").await.code, code::NOT_LOGIN);
    })
    .await;
}

#[tokio::test]
async fn who_has_left_can_be_deleted_for_good() {
    with_app(async |app| {
        let (_, admin) = app.admin().await;
        let (phone, who) = app.user().await;
        app.advance(61).await;
        let leave = json!({ "veri_code": app.code(&phone, 3).await }).to_string();
        assert_eq!(app.send("POST", "/user/delete", &[("authorization", &who.sid)], leave).await.code, 0);
        let delete = json!({ "id": who.user_id, "delete": true });
        for _ in 0..2 {
            let deleted = update(app, &admin.sid, &delete).await;
            assert_eq!((deleted.code, &deleted.data["deleted_by_admin"]), (0, &json!(1)));
        }
        app.advance(61).await;
        let back = json!({ "phone": phone, "veri_code": app.code(&phone, 5).await, "restore": true });
        assert_eq!(app.post("/user/login", &back).await.code, code::USER_NOT_FOUND);
        let restored = update(app, &admin.sid, &json!({ "id": who.user_id, "restore": true })).await;
        assert_eq!((restored.code, &restored.data["deleted_by_admin"]), (0, &json!(0)));
    })
    .await;
}

/// Both have read the row before either writes it.
#[tokio::test]
async fn a_restoration_beside_a_deletion_for_good_restores_nothing() {
    with_settings(for_crowds, async |app| {
        let (_, admin) = app.admin().await;
        for round in 0..6 {
            let (phone, who) = app.user().await;
            app.advance(61).await;
            let leave = json!({ "veri_code": app.code(&phone, 3).await }).to_string();
            assert_eq!(app.send("POST", "/user/delete", &[("authorization", &who.sid)], leave).await.code, 0);
            app.messages(&phone, 4).await;
            app.advance(61).await;
            let back = json!({ "phone": phone, "veri_code": app.code(&phone, 5).await, "restore": true });
            app.fail(&json!({ "dynamodb": { "mode": "slow", "ms": 200 } })).await;
            let delete = json!({ "id": who.user_id, "delete": true });
            let (deleted, _) = tokio::join!(update(app, &admin.sid, &delete), app.post("/user/login", &back));
            app.fail(&json!({})).await;
            assert_eq!((deleted.code, &deleted.data["deleted_by_admin"]), (0, &json!(1)), "{round}");
            let found = look(app, &admin.sid, &format!("id={}", who.user_id)).await;
            assert_eq!((&found.data["is_delete"], &found.data["deleted_by_admin"]), (&json!(1), &json!(1)), "{round}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_admin_resets_the_tries_of_others_alone() {
    with_app(async |app| {
        let ((own, admin), (other, _)) = (app.admin().await, app.user().await);
        for authorization in [&admin.sid, &jwt(&admin)] {
            for (phone, expected) in [(&own, code::FORBIDDEN), (&other, 0), (&app.phone(), 0)] {
                let reset = update(app, authorization, &json!({ "phone": phone, "reset_tries": true })).await;
                assert_eq!(reset.code, expected, "{phone}");
            }
        }
    })
    .await;
}

/// More disabled users in a row than a page looks at.
#[tokio::test]
async fn the_live_are_found_behind_many_who_are_disabled() {
    with_app(async |app| {
        let (_, admin) = app.admin().await;
        let row = app.dynamodb("Scan", &json!({ "TableName": "badge-local-users" })).await["Items"][0].clone();
        let rows: Vec<_> = (0..1_300)
            .map(|n| {
                let mut row = row.clone();
                row["phone"] = json!({ "S": format!("+86137{n:08}") });
                row["id"] = json!({ "S": format!("ffffffff-ffff-7000-8000-00000000{n:04x}") });
                row["is_disabled"] = json!({ "N": "1" });
                json!({ "PutRequest": { "Item": row } })
            })
            .collect();
        for few in rows.chunks(25) {
            app.dynamodb("BatchWriteItem", &json!({ "RequestItems": { "badge-local-users": few } })).await;
        }
        let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = index(app, &admin.sid, &format!("?state=live{cursor}")).await;
            assert_eq!(page.code, 0, "{page:?}");
            found.extend(page.data.as_array().unwrap().iter().map(|user| user["id"].clone()));
            pages += 1;
            match page.next.as_ref().and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!((found, pages), (vec![json!(admin.user_id)], 2));
    })
    .await;
}
