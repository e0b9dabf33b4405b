//! Changes of rights: what operators do with `make demote`, `make disable` and the like, and what it ends.

use std::process::Command;

use serde_json::{Value, json};

use support::{Reply, SignedIn, TestApp, applicant, code, eventually, other_than, with_app};

async fn by_session(app: &TestApp, who: &SignedIn) -> Reply {
    let cookie = format!("__sid__={}", who.sid);
    app.send("GET", "/user/index", &[("cookie", &cookie)], "").await
}

async fn by_token(app: &TestApp, who: &SignedIn) -> Reply {
    app.send("GET", "/user/index", &[("authorization", &format!("Bearer {}", who.token))], "").await
}

#[tokio::test]
async fn every_change_ends_sessions_and_tokens_with_the_next_request() {
    with_app(async |app| {
        let (_, other) = app.user().await;
        for change in ["promote", "demote", "disable", "enable", "end_sessions", "delete"] {
            let (phone, who) = app.user().await;
            assert_eq!((by_session(app, &who).await.code, by_token(app, &who).await.code), (0, 0));
            app.change_rights(&phone, change).await;
            let codes = (by_session(app, &who).await.code, by_token(app, &who).await.code);
            let expected = if change == "disable" {
                (code::ACCOUNT_DISABLED, code::ACCOUNT_DISABLED)
            } else {
                (code::NOT_LOGIN, code::NO_AUTH)
            };
            assert_eq!(codes, expected, "{change}");
            let cookie = format!("__sid__={}", who.sid);
            let logout = app.send("POST", "/user/logout", &[("cookie", &cookie)], "").await;
            assert_eq!(logout.code, expected.0, "{change}: logout");
            assert_eq!(by_session(app, &other).await.code, 0, "{change}: another user");
        }
    })
    .await;
}

/// A change of rights whose function is killed when it has written the row, while the cache does not answer.
async fn change_and_die(app: &TestApp, phone: &str, change: &str) {
    let task = json!({
        "task_id": "t", "time_epoch_ms": 1_795_276_800_000_i64, "spawned_at_ms": 1_795_276_800_000_i64,
        "task": { "phone": format!("+86{phone}"), "change": change, "by": "a test" }
    });
    let get = json!({ "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } } });
    app.fail(&json!({ "redis": { "mode": "hang" } })).await;
    let killed = async {
        eventually("the row is written", async || {
            (app.dynamodb("GetItem", &get).await["Item"]["epoch"]["N"] == "1").then_some(())
        })
        .await;
        for pid in app.function("change_rights").await["pids"].as_array().unwrap() {
            Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
        }
    };
    let (response, ()) = tokio::join!(app.invoke("badge-local-change_rights:live", "RequestResponse", &task), killed);
    assert_eq!(response.header("x-amz-function-error"), Some("Unhandled"), "{change}");
    app.fail(&json!({})).await;
}

#[tokio::test]
async fn a_change_whose_function_dies_behind_the_row_ends_sessions_and_tokens_all_the_same() {
    with_app(async |app| {
        for change in ["demote", "disable", "end_sessions", "delete"] {
            let (phone, who) = app.user().await;
            change_and_die(app, &phone, change).await;
            let expected = if change == "disable" {
                (code::ACCOUNT_DISABLED, code::ACCOUNT_DISABLED)
            } else {
                (code::NOT_LOGIN, code::NO_AUTH)
            };
            eventually(&format!("{change} is in the cache"), async || {
                let codes = (by_session(app, &who).await.code, by_token(app, &who).await.code);
                (codes == expected).then_some(())
            })
            .await;
        }
        assert_eq!(app.dead_letters().await, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn a_demoted_admin_sees_what_a_user_sees() {
    with_app(async |app| {
        let (phone, before) = app.admin().await;
        let shown = json!(format!("+86{phone}"));
        assert_eq!(by_session(app, &before).await.data[0]["phone"], shown);
        assert_eq!(by_token(app, &before).await.data[0]["phone"], shown);
        app.change_rights(&phone, "demote").await;
        assert_eq!(by_session(app, &before).await.code, code::NOT_LOGIN);
        app.advance(61).await;
        let code = app.code(&phone, 3).await;
        let login = app.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        let after = login.signed_in();
        assert_ne!(by_session(app, &after).await.data[0]["phone"], shown);
        // An old token beside a new session: the session counts.
        let (token, cookie) = (format!("jwt {}", before.token), format!("__sid__={}", after.sid));
        let both = app.send("GET", "/user/index", &[("authorization", &token), ("cookie", &cookie)], "").await;
        assert_eq!(both.code, 0);
        assert_ne!(both.data[0]["phone"], shown);
    })
    .await;
}

#[tokio::test]
async fn without_the_cache_a_token_has_the_rights_of_a_user() {
    with_app(async |app| {
        let (phone, admin) = app.admin().await;
        app.fail(&json!({ "redis": { "mode": "refuse" } })).await;
        let page = by_token(app, &admin).await;
        assert_eq!((page.code, &page.data[0]["phone"]), (0, &json!(format!("+86*********{}", &phone[9..]))));
        assert_eq!(page.data[0]["birth_day"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_account_neither_signs_in_nor_registers() {
    with_app(async |app| {
        let phone = app.phone();
        app.register(&phone).await;
        app.change_rights(&phone, "disable").await;
        let right = app.code(&phone, 2).await;
        let attempt = json!({ "phone": phone, "veri_code": right });
        let wrong = json!({ "phone": phone, "veri_code": other_than(&right) });
        assert_eq!(app.post("/user/login", &wrong).await.code, code::VERI_CODE_WRONG, "only the owner learns it");
        let refused = app.post("/user/login", &attempt).await;
        assert_eq!((refused.code, refused.msg.as_str()), (code::ACCOUNT_DISABLED, "账号已停用"));
        app.change_rights(&phone, "enable").await;
        assert_eq!(app.post("/user/login", &attempt).await.code, 0, "the refusal used no code up");

        app.advance(61).await;
        app.change_rights(&phone, "delete").await;
        app.change_rights(&phone, "disable").await;
        let right = app.code(&phone, 3).await;
        let attempt = json!({ "phone": phone, "veri_code": right });
        assert_eq!(app.post("/user/login", &attempt).await.code, code::ACCOUNT_DISABLED, "deleted as well");
        assert_eq!(app.post("/user/register", &applicant(&phone, &right)).await.code, code::ACCOUNT_DISABLED);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_has_no_session_also_after_the_phone_registers_anew() {
    with_app(async |app| {
        let (phone, old) = app.user().await;
        app.change_rights(&phone, "delete").await;
        app.advance(61).await;
        let code = app.code(&phone, 3).await;
        let attempt = json!({ "phone": phone, "veri_code": code });
        assert_eq!(app.post("/user/login", &attempt).await.code, code::USER_NOT_FOUND);
        let made = app.post("/user/register", &applicant(&phone, &code)).await;
        assert_eq!(made.code, 0);
        assert_ne!(made.data["user_id"], json!(old.user_id));
        assert_eq!(
            (by_session(app, &old).await.code, by_token(app, &old).await.code),
            (code::NOT_LOGIN, code::NO_AUTH)
        );
    })
    .await;
}

#[tokio::test]
async fn a_change_leaves_one_line_that_says_who_and_what() {
    with_app(async |app| {
        let (phone, who) = app.user().await;
        let task = |phone: &str, change: &str| {
            json!({
                "task_id": "t", "time_epoch_ms": 1_795_276_800_000_i64, "spawned_at_ms": 1_795_276_800_000_i64,
                "task": { "phone": phone, "change": change, "by": "arn:aws:iam::123456789012:user/op\nforged" }
            })
        };
        app.invoke_function("change_rights", &task(&format!("+86{phone}"), "demote")).await;
        let invocations = app.inspect("invocations?function=badge-local-change_rights").await;
        let request_id = invocations[0]["request_id"].as_str().unwrap();
        let lines = app.log(request_id).await;
        assert_eq!(lines.len(), 2, "{lines:?}");
        let audit = &lines[0];
        assert_eq!((&audit["change"], &audit["user_id"]), (&json!("demote"), &json!(who.user_id)));
        assert_eq!((&audit["by"], &audit["epoch"]), (&json!("arn:aws:iam::123456789012:user/opforged"), &json!(1)));
        assert_eq!(audit["request_id"], request_id);

        let nobody = task("+8613700000000", "demote");
        let refused = app.invoke("badge-local-change_rights:live", "RequestResponse", &nobody).await;
        assert_eq!(refused.header("x-amz-function-error"), Some("Unhandled"));
        assert_eq!(refused.json()["errorType"], code::USER_NOT_FOUND.to_string());
    })
    .await;
}
