//! `POST /user/delete`, the way back by `login`, and what is left in the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use support::{PREFIX, Reply, SignedIn, TestApp, applicant, code, other_than, send, with_app};

const PATH: &str = "/user/delete";
const DAY: u64 = 86_400;

/// A user who has just signed in, and the phone.
async fn user(app: &TestApp) -> (String, SignedIn) {
    let user = app.user().await;
    app.advance(61).await;
    user
}

async fn delete(app: &TestApp, sid: &str, code: &str) -> Reply {
    app.send("POST", PATH, &[("authorization", sid)], json!({ "veri_code": code }).to_string()).await
}

async fn log_in(app: &TestApp, phone: &str, code: &str, restore: &Value) -> Reply {
    app.post("/user/login", &json!({ "phone": phone, "veri_code": code, "restore": restore })).await
}

async fn index(app: &TestApp, authorization: &str) -> i64 {
    app.send("GET", "/user/index", &[("authorization", authorization)], "").await.code
}

async fn row(app: &TestApp, phone: &str) -> Value {
    let key = json!({ "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } } });
    app.dynamodb("GetItem", &key).await["Item"].clone()
}

#[tokio::test]
async fn a_right_code_deletes_the_account_and_ends_every_session() {
    with_app(async |app| {
        let (phone, who) = user(app).await;
        let right = app.code(&phone, 3).await;
        let other = log_in(app, &phone, &right, &json!(false)).await.signed_in();
        app.advance(61).await;
        let right = app.code(&phone, 4).await;
        let reply = delete(app, &who.sid, &right).await;
        assert_eq!(reply.code, 0, "{reply:?}");
        assert_eq!(reply.data["restore_until"].as_str().unwrap().len(), "2026-12-11 08:00:00".len());
        assert_eq!(reply.cookie.as_deref(), Some("__sid__=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"));
        for sid in [&who.sid, &other.sid] {
            assert_eq!(index(app, sid).await, code::NOT_LOGIN);
        }
        assert_eq!(index(app, &format!("jwt {}", who.token)).await, code::NO_AUTH);
        assert_eq!(delete(app, &who.sid, &right).await.code, code::NOT_LOGIN, "sent again");

        let row = row(app, &phone).await;
        assert_eq!((&row["is_delete"]["N"], &row["version"]["N"]), (&json!("1"), &json!("2")));
        assert!(row["delete_time"]["N"].is_string() && row["deleted_by_admin"].is_null(), "{row}");
        assert_eq!(row["changed_by"]["M"]["user_id"]["S"], who.user_id.as_str());

        let messages = app.messages(&phone, 5).await;
        let text = messages[0]["text"].as_str().unwrap();
        assert!(messages[0]["code"].is_null() && text.contains("已注销") && text.contains("15天"), "{text}");

        let (_, somebody) = user(app).await;
        let page = app.send("GET", "/user/index", &[("authorization", &somebody.sid)], "").await;
        assert_eq!(page.data.as_array().unwrap().len(), 1, "the list has no deleted user");
    })
    .await;
}

#[tokio::test]
async fn only_a_session_deletes_and_a_wrong_code_does_not() {
    with_app(async |app| {
        let (phone, who) = user(app).await;
        let right = app.code(&phone, 3).await;
        assert_eq!(delete(app, &format!("jwt {}", who.token), &right).await.code, code::NOT_LOGIN, "a good token");
        assert_eq!(app.post(PATH, &json!({ "veri_code": right })).await.code, code::NOT_LOGIN);
        let missing = app.send("POST", PATH, &[("authorization", &who.sid)], "{}").await;
        assert_eq!((missing.code, missing.msg.as_str()), (code::PARAMS_INVALID, "veri_code参数有缺失"));
        assert_eq!(delete(app, &who.sid, "12345").await.code, code::PARAMS_INVALID);
        let (other_phone, _) = user(app).await;
        let of_other = app.code(&other_phone, 3).await;
        for wrong in [other_than(&right), of_other] {
            if wrong != right {
                assert_eq!(delete(app, &who.sid, &wrong).await.code, code::VERI_CODE_WRONG);
            }
        }
        assert_eq!((index(app, &who.sid).await, delete(app, &who.sid, &right).await.code), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_login_within_fifteen_days_restores_and_signs_in() {
    with_app(async |app| {
        let (phone, who) = user(app).await;
        let right = app.code(&phone, 3).await;
        let until = delete(app, &who.sid, &right).await.data["restore_until"].clone();
        app.advance(14 * DAY).await;
        let right = app.code(&phone, 5).await;
        let wrong = log_in(app, &phone, &other_than(&right), &json!(true)).await;
        assert_eq!(wrong.code, code::VERI_CODE_WRONG, "only the owner learns it");
        let strange = log_in(app, &phone, &right, &json!("yes")).await;
        assert_eq!((strange.code, strange.msg.as_str()), (code::PARAMS_INVALID, "restore参数无效"));
        let deleted = log_in(app, &phone, &right, &json!(false)).await;
        assert_eq!((deleted.code, deleted.msg.as_str()), (code::ACCOUNT_DELETED, "账号已注销"));
        assert_eq!(deleted.data, json!({ "restore_until": until }));
        let restored = log_in(app, &phone, &right, &json!(true)).await;
        assert_eq!((restored.code, &restored.data["user_id"]), (0, &json!(who.user_id)), "the code stayed good");
        let restored = restored.signed_in();
        assert_eq!((index(app, &restored.sid).await, index(app, &who.sid).await), (0, code::NOT_LOGIN));
        assert_eq!(index(app, &format!("jwt {}", restored.token)).await, 0);
        let row = row(app, &phone).await;
        assert!(row["delete_time"].is_null() && row["is_delete"]["N"] == "0", "{row}");
        assert_eq!((&row["version"]["N"], &row["epoch"]["N"]), (&json!("3"), &json!("2")));
        assert_eq!(row["changed_by"]["M"]["credential"]["S"], "code");
        assert_eq!(log_in(app, &phone, &right, &json!(true)).await.code, code::VERI_CODE_WRONG, "used");
    })
    .await;
}

#[tokio::test]
async fn what_an_operator_deleted_and_what_is_too_old_is_not_restored() {
    with_app(async |app| {
        let (phone, who) = user(app).await;
        app.change_rights(&phone, "delete").await;
        let right = app.code(&phone, 3).await;
        for restore in [false, true] {
            let reply = log_in(app, &phone, &right, &json!(restore)).await;
            assert_eq!(reply.code, code::USER_NOT_FOUND, "{restore}");
        }
        let made = app.post("/user/register", &applicant(&phone, &right)).await;
        assert_eq!(made.code, 0, "a registration takes the phone");
        assert_ne!(made.data["user_id"], json!(who.user_id));

        let (phone, who) = user(app).await;
        let right = app.code(&phone, 3).await;
        assert_eq!(delete(app, &who.sid, &right).await.code, 0);
        // The row is older than its time, and the job has not come yet.
        let time = app.now().await.as_millisecond() - i64::try_from(15 * DAY * 1000).unwrap();
        let update = json!({
            "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } },
            "UpdateExpression": "SET delete_time = :t", "ExpressionAttributeValues": { ":t": { "N": time.to_string() } }
        });
        app.dynamodb("UpdateItem", &update).await;
        app.advance(61).await;
        let right = app.code(&phone, 5).await;
        assert_eq!(log_in(app, &phone, &right, &json!(true)).await.code, code::USER_NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn a_hundred_deletions_at_once_delete_once() {
    with_app(async |app| {
        let (phone, who) = user(app).await;
        let body = json!({ "veri_code": app.code(&phone, 3).await }).to_string();
        let url = Arc::new(app.url(&format!("{PREFIX}{PATH}")));
        let running: Vec<_> = (0..100)
            .map(|_| {
                let (url, sid, body) = (Arc::clone(&url), who.sid.clone(), body.clone());
                tokio::spawn(async move {
                    send("POST", &url, &[("authorization", &sid)], body).await.json()["code"].as_i64().unwrap()
                })
            })
            .collect();
        let mut codes = BTreeMap::<i64, usize>::new();
        for one in running {
            *codes.entry(one.await.unwrap()).or_default() += 1;
        }
        assert!(codes.keys().all(|code| [0, code::NOT_LOGIN].contains(code)) && codes.contains_key(&0), "{codes:?}");
        assert_eq!(row(app, &phone).await["version"]["N"], "2");
        assert_eq!(app.messages(&phone, 4).await.len(), 4, "one confirmation");
    })
    .await;
}

#[tokio::test]
async fn a_store_that_fails_burns_no_code_and_the_same_request_succeeds_afterwards() {
    with_app(async |app| {
        for (store, expected) in [("dynamodb", code::DB_ERROR), ("redis", code::REDIS_ERROR)] {
            for mode in ["refuse", "hang", "throttle"] {
                let (phone, who) = user(app).await;
                let right = app.code(&phone, 3).await;
                app.fail(&json!({ store: { "mode": mode } })).await;
                assert_eq!(delete(app, &who.sid, &right).await.code, expected, "{store} {mode}");
                app.fail(&json!({})).await;
                assert_eq!(delete(app, &who.sid, &right).await.code, 0, "{store} {mode}");
                app.advance(61).await;
                let right = app.code(&phone, 5).await;
                app.fail(&json!({ store: { "mode": mode } })).await;
                assert_eq!(log_in(app, &phone, &right, &json!(true)).await.code, expected, "{store} {mode}: restore");
                app.fail(&json!({})).await;
                assert_eq!(log_in(app, &phone, &right, &json!(true)).await.code, 0, "{store} {mode}: restore");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn who_was_deleted_restored_deleted_and_erased_leaves_no_trace() {
    with_app(async |app| {
        let (phone, name, birth_day) = (app.phone(), "无痕", "1987-06-05");
        for secret in [name, birth_day] {
            app.add_secret(secret);
        }
        let mut body = applicant(&phone, &app.code(&phone, 1).await);
        (body["user_name"], body["birth_day"]) = (json!(name), json!(birth_day));
        let user_id = app.post("/user/register", &body).await.data["user_id"].as_str().unwrap().to_owned();
        app.advance(61).await;
        let mut who = app.log_in(&phone).await;
        let mut message = 3;
        for is_restored in [true, false] {
            app.advance(61).await;
            // A wrong try, so that there is a count of failures too.
            let right = app.code(&phone, message).await;
            assert_eq!(delete(app, &who.sid, &other_than(&right)).await.code, code::VERI_CODE_WRONG);
            assert_eq!(delete(app, &who.sid, &right).await.code, 0);
            app.messages(&phone, message + 1).await;
            app.advance(61).await;
            if is_restored {
                let right = app.code(&phone, message + 2).await;
                who = log_in(app, &phone, &right, &json!(true)).await.signed_in();
                message += 3;
            }
        }
        // The last try of a stranger leaves a count that has no end of its own.
        let right = app.code(&phone, message + 2).await;
        assert_eq!(log_in(app, &phone, &other_than(&right), &json!(true)).await.code, code::VERI_CODE_WRONG);

        let stored = row(app, &phone).await.to_string();
        assert!([name, birth_day, &phone].iter().all(|value| stored.contains(value)), "{stored}");
        // Every midnight on the way comes.
        app.advance(17 * DAY).await;
        let log = app.logs();
        assert!(log.contains("\"erased\":1"), "the report says how many");
        let table = app.dynamodb("Scan", &json!({ "TableName": "badge-local-users" })).await.to_string();
        let keys = app.redis(&["EVAL \"return table.concat(redis.call('KEYS','*'),' ')\" 0"]).await;
        let values = "local all = '' for _, key in ipairs(redis.call('KEYS','*')) do \
                      local kind = redis.call('TYPE', key).ok \
                      if kind == 'string' then all = all .. redis.call('GET', key) end \
                      if kind == 'hash' then all = all .. table.concat(redis.call('HGETALL', key), ' ') end \
                      if kind == 'zset' then all = all .. table.concat(redis.call('ZRANGE', key, 0, -1), ' ') end \
                      if kind == 'list' then all = all .. table.concat(redis.call('LRANGE', key, 0, -1), ' ') end \
                      end return all";
        let values = app.redis(&[&format!("EVAL \"{values}\" 0")]).await;
        for value in [&phone, name, birth_day, &user_id] {
            for (place, text) in
                [("the table", &table), ("a key of the cache", &keys), ("a value of the cache", &values)]
            {
                assert!(!text.contains(value), "{value} is in {place}: {text}");
            }
        }
        for value in [&phone, name, birth_day] {
            assert!(!log.contains(value), "{value} is in the logs");
        }
    })
    .await;
}
