//! The rights that `infra/template.yaml` gives each function's user of the cache: enough for the function, and no more.

use serde_json::{Value, json};

use support::tree::{functions_of, yaml};
use support::{Reply, TestApp, applicant, code, report, with_app};

/// All rights, which the emulator itself needs.
const ALL: &str = "on ~* +@all";

/// A session that a function would make up.
const FORGED: &str = "iwc:{00}:session:00";

/// The access string of the user that a function signs in as.
fn rights(function: &str) -> String {
    let template = yaml("infra/template.yaml");
    let (_, properties) = functions_of(&template).find(|(name, _)| *name == function).unwrap();
    let user = properties["Environment"]["Variables"]["CACHE_USER"]["If"][1]["Ref"].as_str().unwrap();
    template["Resources"][user]["Properties"]["AccessString"].as_str().unwrap().to_owned()
}

/// Sets the rights of the default user, which functions have here.
async fn give(app: &TestApp, rights: &str) {
    let give = format!("ACL SETUSER default reset nopass {rights}");
    assert_eq!(app.redis(&["AUTH operator any", &give]).await, "+OK");
}

/// Sends a request while the cache takes from every function what that one may do.
async fn under(app: &TestApp, function: &str, send: impl Future<Output = Reply>) -> Reply {
    give(app, &rights(function)).await;
    let reply = send.await;
    give(app, ALL).await;
    reply
}

#[tokio::test]
async fn the_rights_of_each_function_are_enough_for_it() {
    with_app(async |app| {
        assert_eq!(app.redis(&["ACL SETUSER operator on nopass ~* +@all"]).await, "+OK");
        let phone = app.phone();
        let asks = json!({ "phone": phone });
        for key in [None, Some("k"), Some("k")] {
            let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
            let sent = under(app, "veri_code", app.send("POST", "/user/veri_code", &headers, asks.to_string())).await;
            assert_eq!(sent.code, 0);
            app.advance(61).await;
        }
        let refused = under(app, "veri_code", async {
            app.post("/user/veri_code", &asks).await;
            app.post("/user/veri_code", &asks).await
        });
        assert_eq!(refused.await.code, code::TOO_MANY_REQUESTS);

        let right = app.messages(&phone, 3).await[0]["code"].as_str().unwrap().to_owned();
        let wrong = json!({ "phone": phone, "veri_code": support::other_than(&right) });
        let judged = under(app, "register", app.post("/user/register", &applicant(&phone, "999999"))).await;
        assert_eq!(judged.code, code::VERI_CODE_WRONG);
        let made = under(app, "register", app.post("/user/register", &applicant(&phone, &right))).await;
        assert_eq!(made.code, 0);

        assert_eq!(under(app, "login", app.post("/user/login", &wrong)).await.code, code::VERI_CODE_WRONG);
        app.advance(61).await;
        let right = app.code(&phone, 4).await;
        let attempt = json!({ "phone": phone, "veri_code": right });
        let before = format!("__sid__=00{}", "A".repeat(43));
        let cookie = [("cookie", before.as_str())];
        let login = app.send("POST", "/user/login", &cookie, attempt.to_string());
        let user = under(app, "login", login).await.signed_in();

        let (sid, jwt) = ([("authorization", user.sid.as_str())], format!("jwt {}", user.token));
        app.advance(1_000).await;
        for authorization in [&user.sid, &jwt] {
            let headers = [("authorization", authorization.as_str())];
            assert_eq!(under(app, "user_index", app.send("GET", "/user/index", &headers, "")).await.code, 0);
        }
        for (function, method, path, body) in [
            ("user_me", "GET", "/user/me", "{}"),
            ("user_update", "POST", "/user/update", r#"{"city":"310100"}"#),
            ("user_token", "POST", "/user/token", "{}"),
            ("user_sessions", "GET", "/user/sessions", "{}"),
            ("user_export", "GET", "/user/export", "{}"),
            ("end_sessions", "POST", "/user/end_sessions", r#"{"others":true}"#),
        ] {
            assert_eq!(under(app, function, app.send(method, path, &sid, body)).await.code, 0, "{function}");
        }
        let rows = app.send("GET", "/user/sessions", &sid, "").await.data;
        let mut other = rows[0]["id"].as_str().unwrap()[..2].to_owned();
        other.push_str(&"0".repeat(64));
        let end = json!({ "id": other }).to_string();
        assert_eq!(under(app, "end_sessions", app.send("POST", "/user/end_sessions", &sid, end)).await.code, 0);
        app.advance(3_601).await;
        let page = under(app, "user_index", app.send("GET", "/user/index", &sid, "")).await;
        assert_eq!((page.code, page.sid().as_deref()), (0, Some(user.sid.as_str())));
        assert_eq!(under(app, "logout", app.send("POST", "/user/logout", &sid, "")).await.code, 0);

        let boss_phone = app.phone();
        app.register(&boss_phone).await;
        app.change_rights(&boss_phone, "promote").await;
        let boss = app.log_in(&boss_phone).await;
        let boss = [("authorization", boss.sid.as_str())];
        let path = format!("/admin/user?phone={phone}");
        let found = under(app, "admin_user", app.send("GET", &path, &boss, "")).await;
        assert_eq!(found.code, 0);
        for body in
            [json!({ "id": found.data["id"], "end_sessions": true }), json!({ "phone": phone, "reset_tries": true })]
        {
            let changed = app.send("POST", "/admin/update", &boss, body.to_string());
            assert_eq!(under(app, "admin_update", changed).await.code, 0, "{body}");
        }

        move_and_leave(app).await;

        give(app, &rights("change_rights")).await;
        for change in ["disable", "enable"] {
            app.invoke_function("change_rights", &task(&phone, change)).await;
        }
        let mut change: Value = serde_json::from_str(include_str!("../../events/epochs.json")).unwrap();
        let notified = app.phone();
        let row = &mut change["Records"][0]["dynamodb"]["NewImage"];
        row["update_time"] = json!({ "N": app.now().await.as_millisecond().to_string() });
        row["notice"] = json!({ "M": {
            "kind": { "S": "phone_changed" }, "phone": { "S": format!("+86{notified}") }, "language": { "S": "zh" },
        } });
        give(app, &rights("epochs")).await;
        assert_eq!(app.invoke_function("epochs", &change).await, json!({ "batchItemFailures": [] }));
        assert_eq!(app.messages(&notified, 1).await.len(), 1);
        give(app, ALL).await;
        leave_for_long(app).await;
        for job in ["daily", "deployed"] {
            give(app, &rights(job)).await;
            let run = app.control("POST", &format!("schedules/{job}"), "{}").await;
            assert_eq!(run["outcome"], "ok", "{job}: {run}");
            assert!(job != "daily" || report(&run)["erased"] == 1, "{run}");
        }
        give(app, ALL).await;
    })
    .await;
}

/// A user changes the phone, deletes the account and restores it.
async fn move_and_leave(app: &TestApp) {
    let (old, new) = (app.phone(), app.phone());
    app.register(&old).await;
    let sid = app.log_in(&old).await.sid;
    let session = [("authorization", sid.as_str())];
    app.advance(61).await;
    let (old_code, new_code) = (app.code(&old, 3).await, app.code(&new, 1).await);
    let mut body = json!({ "phone": new, "veri_code": support::other_than(&new_code), "old_veri_code": old_code });
    for (right, code) in [(None, code::VERI_CODE_WRONG), (Some(&new_code), 0), (Some(&new_code), 0)] {
        if let Some(right) = right {
            body["veri_code"] = json!(right);
        }
        let change = app.send("POST", "/user/change_phone", &session, body.to_string());
        assert_eq!(under(app, "change_phone", change).await.code, code, "{body}");
    }
    app.advance(61).await;
    let right = app.code(&new, 2).await;
    for (tried, code) in [(support::other_than(&right), code::VERI_CODE_WRONG), (right, 0)] {
        let body = json!({ "veri_code": tried }).to_string();
        let delete = app.send("POST", "/user/delete", &session, body);
        assert_eq!(under(app, "delete_account", delete).await.code, code);
    }
    app.advance(61).await;
    let restore = json!({ "phone": new, "veri_code": app.code(&new, 4).await, "restore": true });
    assert_eq!(under(app, "login", app.post("/user/login", &restore)).await.code, 0);
}

/// A user who has a session, a code and wrong tries, and was deleted longer ago than it can be restored.
async fn leave_for_long(app: &TestApp) {
    let phone = app.phone();
    app.register(&phone).await;
    app.log_in(&phone).await;
    app.advance(61).await;
    let wrong = support::other_than(&app.code(&phone, 3).await);
    let refused = app.post("/user/login", &json!({ "phone": phone, "veri_code": wrong })).await;
    assert_eq!(refused.code, code::VERI_CODE_WRONG);
    app.change_rights(&phone, "delete").await;
    let long_ago = json!({
        "TableName": "badge-local-users", "Key": { "phone": { "S": format!("+86{phone}") } },
        "UpdateExpression": "SET delete_time = :at", "ExpressionAttributeValues": { ":at": { "N": "1" } }
    });
    app.dynamodb("UpdateItem", &long_ago).await;
}

fn task(phone: &str, change: &str) -> Value {
    json!({
        "task_id": "t", "time_epoch_ms": 1_795_276_800_000_i64, "spawned_at_ms": 1_795_276_800_000_i64,
        "task": { "phone": format!("+86{phone}"), "change": change, "by": "a test" }
    })
}

#[tokio::test]
async fn no_function_may_do_more_than_its_own() {
    with_app(async |app| {
        assert_eq!(app.redis(&["ACL SETUSER operator on nopass ~* +@all"]).await, "+OK");
        // A cache that works, before its rights are taken away.
        assert_eq!(app.post("/user/veri_code", &json!({ "phone": app.phone() })).await.code, 0);
        let set = format!("SET {FORGED} {{}}");
        let (script, epoch) =
            (format!("EVAL \"return redis.call('SET',KEYS[1],'x')\" 1 {FORGED}"), "iwc:{00}:epochs:users");
        let all: &[&str] = &[
            "veri_code",
            "register",
            "login",
            "logout",
            "change_phone",
            "delete_account",
            "user_index",
            "user_sessions",
            "user_export",
            "end_sessions",
            "admin_update",
            "change_rights",
            "epochs",
            "daily",
            "deployed",
        ];
        let but =
            |allowed: &[&'static str]| all.iter().copied().filter(|one| !allowed.contains(one)).collect::<Vec<_>>();
        let find_sessions = [
            "login",
            "logout",
            "change_phone",
            "delete_account",
            "user_index",
            "user_sessions",
            "user_export",
            "end_sessions",
            "admin_update",
        ];
        // They open no session, but write to slots where sessions are.
        let write_sessions = ["login", "end_sessions", "change_phone", "delete_account"];
        let raise_epochs =
            ["login", "end_sessions", "change_phone", "delete_account", "admin_update", "change_rights", "epochs"];
        let judge = ["veri_code", "register", "login", "change_phone", "delete_account"];
        for (command, refused) in [
            ("FLUSHALL", but(&[])),
            ("KEYS *", but(&[])),
            ("CONFIG GET maxmemory", but(&[])),
            ("ACL LIST", but(&[])),
            ("SCRIPT FLUSH", but(&judge)),
            ("SET other x", but(&[])),
            // It keeps the session of a request when all others end.
            (&*set, but(&write_sessions)),
            (&*script, but(&write_sessions)),
            (&*format!("GET {FORGED}"), but(&find_sessions)),
            (&*format!("DEL {FORGED}"), but(&[&write_sessions[..], &["logout", "admin_update", "daily"]].concat())),
            (&*format!("HSET {epoch} u 9:9:0"), but(&raise_epochs)),
            (&*format!("HDEL {epoch} u"), but(&[&raise_epochs[..], &["daily"]].concat())),
            (
                "HSET iwc:{00}:device_epochs:users u 9:9:0",
                but(&[&raise_epochs[..], &["veri_code", "register"]].concat()),
            ),
            ("GET iwc:{00}:code:+8613800138000", but(&judge)),
            ("HGETALL iwc:{00}:figures:2026-11-22", but(&[&judge[..], &["daily"]].concat())),
            // `daily` erases what the cache has of a user, and of other keys only reads the figures.
            (
                "HINCRBY iwc:{00}:figures:2026-11-22 logins 1",
                but(&[&judge[..], &["user_index", "user_export", "epochs"]].concat()),
            ),
            ("DEL iwc:{00}:figures:2026-11-22", but(&[&judge[..], &["daily"]].concat())),
            ("DEL iwc:{00}:code:+8613800138000", but(&[&judge[..], &["daily"]].concat())),
            ("DEL iwc:{00}:last_code:+8613800138000", but(&[&judge[..], &["daily"]].concat())),
            ("DEL iwc:{00}:misses:+8613800138000", but(&[&judge[..], &["admin_update", "daily"]].concat())),
            ("DEL iwc:{00}:device_misses:+8613800138000", but(&[&judge[..], &["admin_update", "daily"]].concat())),
            ("DEL iwc:{00}:failures:+8613800138000", but(&[&judge[..], &["admin_update", "daily"]].concat())),
            ("DEL iwc:{00}:cookie:00", but(&[&write_sessions[..], &["logout", "admin_update", "daily"]].concat())),
            ("ZRANGE iwc:{00}:sessions:u 0 -1", but(&["login", "change_phone", "daily"])),
            ("DEL iwc:{00}:sessions:u", but(&["login", "end_sessions", "change_phone", "daily"])),
            ("ZADD iwc:{00}:sessions:u 1 00", but(&["login", "change_phone"])),
            ("HSET iwc:{00}:code:+8613800138000 seed x", but(&judge)),
            ("DEL iwc:{sends}:limit:a:b", but(&judge)),
            ("DEL iwc:{sends}:debt:a", but(&judge)),
            ("DEL iwc:{sends}:paid:a", but(&judge)),
            ("DEL iwc:{sends}:claim:a", but(&["veri_code", "register", "login"])),
        ] {
            for function in refused {
                give(app, &rights(function)).await;
                let reply = app.redis(&[command]).await;
                assert!(
                    ["NOPERM", "permission", "can't"].iter().any(|word| reply.contains(word)),
                    "{function}: {command}: {reply}"
                );
            }
        }
        give(app, ALL).await;
    })
    .await;
}
