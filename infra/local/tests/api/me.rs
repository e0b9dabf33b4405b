//! `GET /user/me` and `POST /user/update`: the caller's own row.

use serde_json::{Value, json};

use support::{SignedIn, TestApp, code, with_app};

fn jwt(who: &SignedIn) -> String {
    format!("jwt {}", who.token)
}

async fn me(app: &TestApp, authorization: &str) -> support::Reply {
    app.send("GET", "/user/me", &[("authorization", authorization)], "").await
}

async fn update(app: &TestApp, authorization: &str, body: &Value) -> support::Reply {
    app.send("POST", "/user/update", &[("authorization", authorization)], body.to_string()).await
}

#[tokio::test]
async fn a_user_sees_its_row_whole_by_either_credential() {
    with_app(async |app| {
        let (phone, who) = app.user().await;
        for authorization in [&who.sid, &jwt(&who)] {
            let reply = me(app, authorization).await;
            assert_eq!(reply.code, 0, "{reply:?}");
            let row = reply.data;
            assert_eq!((&row["id"], &row["phone"]), (&json!(who.user_id), &json!(format!("+86{phone}"))));
            assert_eq!((&row["birth_day"], &row["role"]), (&json!("1990-01-02"), &json!("user")));
            assert_eq!((&row["user_name"], &row["gender"]), (&json!("张三"), &json!(1)));
            assert_eq!((&row["update_time"], &row["city"]), (&Value::Null, &json!("")));
        }
    })
    .await;
}

#[tokio::test]
async fn a_stranger_and_an_ended_session_see_nothing() {
    with_app(async |app| {
        let (phone, who) = app.user().await;
        assert_eq!(me(app, "").await.code, code::NOT_LOGIN);
        assert_eq!(me(app, "jwt a.b.c").await.code, code::NO_AUTH);
        app.change_rights(&phone, "end_sessions").await;
        // The row itself says that the token is too old.
        for (authorization, expected) in [(&who.sid, code::NOT_LOGIN), (&jwt(&who), code::NO_AUTH)] {
            assert_eq!(me(app, authorization).await.code, expected);
            let change = json!({ "user_name": "李四" });
            assert_eq!(update(app, authorization, &change).await.code, expected);
        }
        app.change_rights(&phone, "disable").await;
        for authorization in [&who.sid, &jwt(&who)] {
            assert_eq!(me(app, authorization).await.code, code::ACCOUNT_DISABLED);
        }
        app.change_rights(&phone, "delete").await;
        assert_eq!(me(app, &jwt(&who)).await.code, code::NO_AUTH);
    })
    .await;
}

#[tokio::test]
async fn an_old_token_beside_a_good_session_does_no_harm() {
    with_app(async |app| {
        let (phone, old) = app.user().await;
        app.change_rights(&phone, "end_sessions").await;
        app.advance(61).await;
        let code = app.code(&phone, 3).await;
        let login = app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        let cookie = format!("__sid__={}", login.signed_in().sid);
        let both = [("authorization", &*jwt(&old)), ("cookie", &*cookie)].map(|(name, value)| (name, value.to_owned()));
        let both: Vec<_> = both.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(app.send("GET", "/user/me", &both, "").await.data["id"], json!(old.user_id));
        let body = json!({ "user_name": "李四" }).to_string();
        assert_eq!(app.send("POST", "/user/update", &both, body).await.data["user_name"], "李四");
        let others = json!({ "others": true }).to_string();
        assert_eq!(app.send("POST", "/user/end_sessions", &both, others).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_change_is_answered_as_me_and_shows_everywhere() {
    with_app(async |app| {
        let (_, who) = app.user().await;
        let change = json!({ "user_name": " 李四 ", "gender": "2", "birth_day": "1991-03-04", "city": 310_100 });
        let changed = update(app, &who.sid, &change).await;
        assert_eq!(changed.code, 0, "{changed:?}");
        let row = &changed.data;
        assert_eq!((&row["user_name"], &row["gender"]), (&json!("李四"), &json!(2)));
        assert_eq!((&row["birth_day"], &row["city"]), (&json!("1991-03-04"), &json!("310100")));
        assert!(row["update_time"].is_string());
        assert_eq!(me(app, &who.sid).await.data, changed.data);
        // By token too; and null clears what is optional.
        let cleared = update(app, &jwt(&who), &json!({ "city": null, "user_name": null, "gender": 0 })).await;
        assert_eq!((&cleared.data["city"], &cleared.data["user_name"]), (&json!(""), &json!("李四")));
        let again = update(app, &jwt(&who), &json!({ "city": null })).await;
        assert_eq!((again.code, &again.data["city"]), (0, &json!("")));
        let page = app.send("GET", "/user/index", &[("authorization", &who.sid)], "").await;
        assert_eq!((&page.data[0]["user_name"], &page.data[0]["city"]), (&json!("李四"), &json!("")));
        let log = app.log(&changed.request_id).await.remove(0);
        assert_eq!(log["params"], json!(["user_name", "gender", "birth_day", "city"]));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused_and_changes_nothing() {
    with_app(async |app| {
        let (_, who) = app.user().await;
        let before = me(app, &who.sid).await.data;
        for body in
            [json!({}), json!({ "user_name": "", "gender": 0 }), json!({ "phone": "13900009999", "role": "admin" })]
        {
            let refused = update(app, &who.sid, &body).await;
            assert_eq!((refused.code, refused.msg.as_str()), (code::PARAMS_INVALID, "没有可更新的参数"));
        }
        let bad = update(app, &who.sid, &json!({ "user_name": "ok", "gender": 3, "birth_day": "x" })).await;
        assert_eq!((bad.code, bad.msg.as_str()), (code::PARAMS_INVALID, "gender,birth_day参数无效"));
        let not_an_object = app.send("POST", "/user/update", &[("authorization", &who.sid)], "[]").await;
        assert_eq!(not_an_object.msg, "请求体必须是JSON对象");
        let english = [("authorization", who.sid.as_str()), ("accept-language", "en")];
        let refused = app.send("POST", "/user/update", &english, "{}").await;
        assert_eq!(refused.msg, "no parameters to update");
        assert_eq!(me(app, &who.sid).await.data, before);
    })
    .await;
}

#[tokio::test]
async fn a_hundred_changes_at_once_all_succeed_and_end_no_session() {
    with_app(async |app| {
        let (_, who) = app.user().await;
        let bodies: Vec<_> = (0..100).map(|nth| json!({ "user_name": format!("n{nth}") })).collect();
        let sent = bodies.iter().map(|body| update(app, &who.sid, body));
        for reply in futures_util::future::join_all(sent).await {
            assert_eq!(reply.code, 0, "{reply:?}");
        }
        let name = me(app, &who.sid).await.data["user_name"].clone();
        assert!(bodies.iter().any(|body| body["user_name"] == name));
    })
    .await;
}

#[tokio::test]
async fn a_store_that_fails_has_its_own_code_and_the_next_request_succeeds() {
    with_app(async |app| {
        let (_, who) = app.user().await;
        let change = json!({ "user_name": "李四" });
        for mode in ["refuse", "hang", "throttle"] {
            app.fail(&json!({ "dynamodb": { "mode": mode } })).await;
            for authorization in [&who.sid, &jwt(&who)] {
                assert_eq!(me(app, authorization).await.code, code::DB_ERROR, "{mode}");
                assert_eq!(update(app, authorization, &change).await.code, code::DB_ERROR, "{mode}");
            }
            app.fail(&json!({ "redis": { "mode": mode.replace("throttle", "refuse") } })).await;
            assert_eq!(me(app, &who.sid).await.code, code::REDIS_ERROR, "{mode}");
            assert_eq!(update(app, &who.sid, &change).await.code, code::REDIS_ERROR, "{mode}");
            // A token needs no cache: the row has the rights of now.
            assert_eq!(me(app, &jwt(&who)).await.code, 0, "{mode}");
            assert_eq!(update(app, &jwt(&who), &change).await.code, 0, "{mode}");
            app.fail(&json!({})).await;
            assert_eq!(update(app, &who.sid, &change).await.code, 0, "{mode}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_of_an_earlier_release_names_no_phone_and_finds_its_row() {
    with_app(async |app| {
        let (phone, who) = app.user().await;
        let sid = format!("3f{}", "B".repeat(43));
        // `printf '3f%s' BB…B | sha256sum`
        let key = "iwc:{3f}:session:2214faf1bf4607b60eaa1d7bd908831cb59b48f35b6866426458a090e9d05a93";
        let value = json!({ "user_id": who.user_id, "role": "user" }).to_string().replace('"', "\\\"");
        assert_eq!(app.redis(&[&format!("SET {key} \"{value}\" EX 86400")]).await, "+OK");
        assert_eq!(me(app, &sid).await.data["phone"], json!(format!("+86{phone}")));
        assert_eq!(update(app, &sid, &json!({ "user_name": "李四" })).await.data["user_name"], "李四");
        // The row has the rights of now, also where the cache has lost its copy of them.
        app.change_rights(&phone, "end_sessions").await;
        assert_eq!(app.redis(&["DEL iwc:{3f}:epochs:users"]).await.chars().next(), Some(':'));
        assert_eq!(me(app, &sid).await.code, code::NOT_LOGIN);
        assert_eq!(update(app, &sid, &json!({ "user_name": "王五" })).await.code, code::NOT_LOGIN);
    })
    .await;
}

#[tokio::test]
async fn a_change_killed_after_its_write_succeeds_when_it_is_sent_again() {
    with_app(async |app| {
        let (phone, who) = app.user().await;
        app.fail(&json!({ "invoke": { "mode": "kill_before_reply" } })).await;
        let headers = [("authorization", who.sid.as_str())];
        let body = json!({ "user_name": "李四" }).to_string();
        let lost = support::send("POST", &app.url("/local/iwc/badge/user/update"), &headers, body).await;
        assert_ne!(lost.status, 200, "{}", lost.text());
        app.fail(&json!({})).await;
        assert_eq!(me(app, &who.sid).await.data["user_name"], "李四");
        assert_eq!(update(app, &who.sid, &json!({ "user_name": "李四" })).await.code, 0);
        let get = json!({ "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } } });
        let row = app.dynamodb("GetItem", &get).await["Item"].clone();
        assert_eq!(
            (&row["version"]["N"], &row["changed_by"]["M"]["credential"]["S"]),
            (&json!("3"), &json!("session"))
        );
        assert_eq!(row["changed_by"]["M"]["user_id"]["S"], json!(who.user_id));
    })
    .await;
}
