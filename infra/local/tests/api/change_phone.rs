//! `POST /user/change_phone`: the user stays, the phone changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use support::{
    PREFIX, Reply, SignedIn, TestApp, applicant, code, for_crowds, other_than, send, with_app, with_settings,
};

const PATH: &str = "/user/change_phone";

/// A user who has just signed in, and the phone.
async fn user(app: &TestApp) -> (String, SignedIn) {
    let user = app.user().await;
    app.advance(61).await;
    user
}

/// A request to move to `new`, with a code that each phone has received.
async fn request(app: &TestApp, old: &str, new: &str) -> Value {
    let (old_code, new_code) = (app.code(old, 3).await, app.code(new, 1).await);
    json!({ "phone": new, "veri_code": new_code, "old_veri_code": old_code })
}

async fn change(app: &TestApp, sid: &str, body: &Value) -> Reply {
    app.send("POST", PATH, &[("authorization", sid)], body.to_string()).await
}

async fn index(app: &TestApp, authorization: &str) -> i64 {
    app.send("GET", "/user/index", &[("authorization", authorization)], "").await.code
}

/// The row of each phone that has one.
async fn rows(app: &TestApp) -> BTreeMap<String, Value> {
    let scan = app.dynamodb("Scan", &json!({ "TableName": "badge-local-users" })).await;
    let items = scan["Items"].as_array().unwrap().iter();
    items.map(|item| (item["phone"]["S"].as_str().unwrap()["+86".len()..].to_owned(), item.clone())).collect()
}

#[tokio::test]
async fn the_user_moves_with_its_row_and_this_session_and_the_old_phone_is_free() {
    with_app(async |app| {
        let (old, who) = user(app).await;
        let code = app.code(&old, 3).await;
        let other = app.post("/user/login", &json!({ "phone": old, "veri_code": code })).await.signed_in();
        app.advance(61).await;
        let new = app.phone();
        let (old_code, new_code) = (app.code(&old, 4).await, app.code(&new, 1).await);
        let body = json!({ "phone": new, "veri_code": new_code, "old_veri_code": old_code });
        let before = rows(app).await[&old].clone();
        let reply = change(app, &who.sid, &body).await;
        assert_eq!((reply.code, &reply.data), (0, &json!("")));

        let rows = rows(app).await;
        assert_eq!(rows.keys().collect::<Vec<_>>(), [&new]);
        let (mut expected, mut row) = (before, rows[&new].clone());
        assert_eq!(row["changed_by"]["M"]["user_id"]["S"], who.user_id.as_str());
        assert_eq!(row["changed_by"]["M"]["credential"]["S"], "session");
        for (name, was, is) in [("version", "1", "2"), ("epoch", "", "1")] {
            assert_eq!(expected[name]["N"].as_str().unwrap_or_default(), was, "{name}");
            assert_eq!(row[name]["N"], is, "{name}");
        }
        // The stream takes the notice out.
        for name in ["phone", "version", "epoch", "changed_by", "update_time", "receipt", "notice"] {
            expected.as_object_mut().unwrap().remove(name);
            row.as_object_mut().unwrap().remove(name);
        }
        assert_eq!(row, expected, "all else stays");

        assert_eq!(index(app, &who.sid).await, 0);
        assert_eq!(index(app, &other.sid).await, code::NOT_LOGIN);
        assert_eq!(index(app, &format!("jwt {}", who.token)).await, code::NO_AUTH);

        let messages = app.messages(&old, 5).await;
        assert_eq!((&messages[0]["code"], messages.len()), (&Value::Null, 5));
        assert!(messages[0]["text"].as_str().unwrap().contains("已更换手机号"), "{}", messages[0]);
        assert_eq!(app.messages(&new, 1).await.len(), 1);

        app.advance(61).await;
        let code = app.code(&new, 2).await;
        let login = app.post("/user/login", &json!({ "phone": new, "veri_code": code })).await;
        assert_eq!((login.code, &login.data["user_id"]), (0, &json!(who.user_id)));
        let code = app.code(&old, 6).await;
        let login = json!({ "phone": old, "veri_code": code });
        assert_eq!(app.post("/user/login", &login).await.code, code::USER_NOT_FOUND);
        let made = app.post("/user/register", &applicant(&old, &code)).await;
        assert_eq!(made.code, 0);
        assert_ne!(made.data["user_id"], json!(who.user_id));
        assert_eq!(index(app, &who.sid).await, 0, "who has the old number now ends nothing");
    })
    .await;
}

#[tokio::test]
async fn the_notice_is_in_the_language_of_the_request() {
    with_app(async |app| {
        let (old, who) = user(app).await;
        let body = request(app, &old, &app.phone()).await;
        let headers = [("authorization", who.sid.as_str()), ("accept-language", "en")];
        assert_eq!(app.send("POST", PATH, &headers, body.to_string()).await.code, 0);
        let text = app.messages(&old, 4).await[0]["text"].as_str().unwrap().to_owned();
        assert!(text.contains("has moved to another phone number"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn the_session_that_moved_ends_with_later_changes_and_can_move_again() {
    with_app(async |app| {
        let (first, who) = user(app).await;
        let second = app.phone();
        assert_eq!(change(app, &who.sid, &request(app, &first, &second).await).await.code, 0);
        app.advance(61).await;
        let third = app.phone();
        let (old_code, new_code) = (app.code(&second, 2).await, app.code(&third, 1).await);
        let body = json!({ "phone": third, "veri_code": new_code, "old_veri_code": old_code });
        assert_eq!(change(app, &who.sid, &body).await.code, 0);
        assert_eq!(index(app, &who.sid).await, 0);
        assert_eq!(rows(app).await[&third]["id"]["S"], who.user_id.as_str());
        // Its copies of the epoch are in slots where the session is not.
        app.change_rights(&third, "disable").await;
        assert_eq!(index(app, &who.sid).await, code::ACCOUNT_DISABLED);
        app.change_rights(&third, "enable").await;
        assert_eq!(index(app, &who.sid).await, code::NOT_LOGIN);
        let logout = app.send("POST", "/user/logout", &[("authorization", &who.sid)], "").await;
        assert_eq!(logout.code, code::NOT_LOGIN);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_code_of_either_phone_changes_nothing_and_costs_the_right_one_nothing() {
    with_app(async |app| {
        let (old, who) = user(app).await;
        let new = app.phone();
        let right = request(app, &old, &new).await;
        for name in ["veri_code", "old_veri_code"] {
            let mut wrong = right.clone();
            wrong[name] = json!(other_than(right[name].as_str().unwrap()));
            assert_eq!(change(app, &who.sid, &wrong).await.code, code::VERI_CODE_WRONG, "{name}");
            assert_eq!(rows(app).await.keys().collect::<Vec<_>>(), [&old]);
        }
        assert_eq!(change(app, &who.sid, &right).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn five_wrong_tries_end_a_code_of_the_old_phone_too() {
    with_app(async |app| {
        let (old, who) = user(app).await;
        let right = request(app, &old, &app.phone()).await;
        let mut wrong = right.clone();
        wrong["old_veri_code"] = json!(other_than(right["old_veri_code"].as_str().unwrap()));
        for _ in 0..5 {
            assert_eq!(change(app, &who.sid, &wrong).await.code, code::VERI_CODE_WRONG);
        }
        assert_eq!(change(app, &who.sid, &right).await.code, code::VERI_CODE_WRONG);
        assert_eq!(rows(app).await.keys().collect::<Vec<_>>(), [&old]);
    })
    .await;
}

#[tokio::test]
async fn a_number_that_has_a_user_is_refused_and_both_codes_stay_good() {
    with_app(async |app| {
        let (old, who) = user(app).await;
        let taken = app.phone();
        app.register(&taken).await;
        let (old_code, new_code) = (app.code(&old, 3).await, app.code(&taken, 2).await);
        let body = json!({ "phone": taken, "veri_code": new_code, "old_veri_code": old_code });
        assert_eq!(change(app, &who.sid, &body).await.code, code::PHONE_TAKEN);
        app.change_rights(&taken, "delete").await;
        assert_eq!(change(app, &who.sid, &body).await.code, code::PHONE_TAKEN, "it can be restored");
        let mut own = body.clone();
        own["phone"] = json!(old);
        assert_eq!(change(app, &who.sid, &own).await.code, code::PHONE_TAKEN, "one's own");
        let mut free = body;
        free["phone"] = json!(app.phone());
        free["veri_code"] = json!(app.code(free["phone"].as_str().unwrap(), 1).await);
        assert_eq!(change(app, &who.sid, &free).await.code, 0, "the code to the old phone stayed good");
    })
    .await;
}

#[tokio::test]
async fn only_a_session_moves_and_parameters_are_named_one_at_a_time() {
    with_app(async |app| {
        let (_, who) = user(app).await;
        let jwt = format!("jwt {}", who.token);
        assert_eq!(change(app, &jwt, &json!({})).await.code, code::NOT_LOGIN, "a good token");
        assert_eq!(app.post(PATH, &json!({})).await.code, code::NOT_LOGIN);
        assert_eq!(app.send("GET", PATH, &[], "").await.code, code::METHOD_NOT_ALLOWED);
        let mut body = json!({});
        for (name, value) in [("phone", "13900000000"), ("veri_code", "123456"), ("old_veri_code", "1")] {
            let missing = change(app, &who.sid, &body).await;
            assert_eq!((missing.code, missing.msg), (code::PARAMS_INVALID, format!("{name}参数有缺失")));
            body[name] = json!(value);
        }
        let invalid = change(app, &who.sid, &body).await;
        assert_eq!((invalid.code, invalid.msg.as_str()), (code::PARAMS_INVALID, "old_veri_code参数无效"));
    })
    .await;
}

#[tokio::test]
async fn the_same_request_gets_the_same_success_also_after_the_codes_time_and_another_one_does_not() {
    with_app(async |app| {
        let (old, who) = user(app).await;
        let body = request(app, &old, &app.phone()).await;
        for secs in [0, 0, 301, 3_600] {
            app.advance(secs).await;
            let reply = change(app, &who.sid, &body).await;
            assert_eq!((reply.code, reply.data), (0, json!("")), "after {secs} s");
        }
        let mut other = body.clone();
        other["veri_code"] = json!(other_than(body["veri_code"].as_str().unwrap()));
        assert_eq!(change(app, &who.sid, &other).await.code, code::PHONE_TAKEN);
        assert_eq!(app.messages(&old, 4).await.len(), 4, "one notice");
    })
    .await;
}

/// Sends all requests at once; how often each code came for each session.
async fn rush(app: &TestApp, requests: Vec<(String, Value)>) -> BTreeMap<(String, i64), usize> {
    let url = Arc::new(app.url(&format!("{PREFIX}{PATH}")));
    let running: Vec<_> = requests
        .into_iter()
        .map(|(sid, body)| {
            let url = Arc::clone(&url);
            tokio::spawn(async move {
                let answer = send("POST", &url, &[("authorization", &sid)], body.to_string()).await;
                (sid, answer.json()["code"].as_i64().unwrap())
            })
        })
        .collect();
    let mut codes = BTreeMap::new();
    for one in running {
        *codes.entry(one.await.unwrap()).or_default() += 1;
    }
    codes
}

#[tokio::test]
async fn a_hundred_times_the_same_request_moves_once_and_succeeds_each_time() {
    with_app(async |app| {
        let (old, who) = user(app).await;
        let new = app.phone();
        let body = request(app, &old, &new).await;
        let codes = rush(app, vec![(who.sid.clone(), body); 100]).await;
        assert_eq!(codes, BTreeMap::from([((who.sid.clone(), 0), 100)]));
        let rows = rows(app).await;
        assert_eq!((rows.len(), &rows[&new]["version"]["N"]), (1, &json!("2")));
        assert_eq!(app.messages(&old, 4).await.len(), 4, "one notice");
        assert_eq!(index(app, &who.sid).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_thousand_races_for_one_number_make_one_owner() {
    const USERS: usize = 20;
    with_settings(for_crowds, async |app| {
        let phones: Vec<_> = (0..USERS).map(|_| app.phone()).collect();
        let mut sessions = Vec::new();
        for (nth, path) in [(1, "/user/register"), (2, "/user/login")] {
            for phone in &phones {
                let code = app.code(phone, nth).await;
                let reply = app.post(path, &applicant(phone, &code)).await;
                assert_eq!(reply.code, 0);
                sessions.extend(reply.sid());
            }
            app.advance(61).await;
        }
        let new = app.phone();
        let new_code = app.code(&new, 1).await;
        let mut requests = Vec::new();
        for (phone, sid) in phones.iter().zip(&sessions) {
            let old_code = app.code(phone, 3).await;
            let body = json!({ "phone": new, "veri_code": new_code, "old_veri_code": old_code });
            requests.extend(std::iter::repeat_n((sid.clone(), body), 1000 / USERS));
        }
        let codes = rush(app, requests).await;
        let winners: BTreeSet<_> = codes.keys().filter(|(_, code)| *code == 0).map(|(sid, _)| sid).collect();
        assert_eq!(winners.len(), 1, "{codes:?}");
        let refusals = [code::PHONE_TAKEN, code::VERI_CODE_WRONG, code::DB_ERROR];
        assert!(codes.keys().all(|(_, code)| *code == 0 || refusals.contains(code)), "{codes:?}");
        let rows = rows(app).await;
        let ids: BTreeSet<_> = rows.values().map(|row| row["id"]["S"].to_string()).collect();
        assert_eq!((rows.len(), ids.len(), rows.contains_key(&new)), (USERS, USERS, true), "nobody is lost or doubled");
        assert_eq!(phones.iter().filter(|phone| !rows.contains_key(*phone)).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_store_that_fails_burns_no_code_and_the_same_request_succeeds_afterwards() {
    with_app(async |app| {
        for (store, expected) in [("dynamodb", code::DB_ERROR), ("redis", code::REDIS_ERROR)] {
            for mode in ["refuse", "hang", "throttle", "conflict"] {
                if (store, mode) == ("redis", "conflict") {
                    continue;
                }
                let (old, who) = user(app).await;
                let body = request(app, &old, &app.phone()).await;
                app.fail(&json!({ store: { "mode": mode } })).await;
                assert_eq!(change(app, &who.sid, &body).await.code, expected, "{store} {mode}");
                app.fail(&json!({})).await;
                assert_eq!(change(app, &who.sid, &body).await.code, 0, "{store} {mode}");
            }
        }
        // The notice lies in the row, so it outlives this process, and that of the stream's function.
        let (old, who) = user(app).await;
        let body = request(app, &old, &app.phone()).await;
        app.fail(&json!({ "invoke": { "mode": "kill_before_reply" } })).await;
        let url = app.url(&format!("{PREFIX}{PATH}"));
        assert_eq!(send("POST", &url, &[("authorization", &who.sid)], body.to_string()).await.status, 500);
        app.fail(&json!({})).await;
        assert_eq!(change(app, &who.sid, &body).await.code, 0, "the reply was lost");
        assert_eq!(app.messages(&old, 4).await.len(), 4, "one notice");
    })
    .await;
}
