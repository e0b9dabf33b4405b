//! `POST /user/change_phone` whose process dies at any of its calls: what it awaits is a call of the cache or of the table, so these
//! are all the points at which a change can stop.

use std::process::Command;

use serde_json::{Value, json};

use support::{Gate, PREFIX, Stop, TestApp, TestAppBuilder, code, for_crowds, send, with_variables};

const PATH: &str = "/user/change_phone";

/// A user who moves from phone to phone.
struct Mover {
    user_id: String,
    sid: String,
    phone: String,
    /// Messages to this phone until now.
    messages: usize,
    /// Changes of the row until now.
    version: u64,
}

/// An app whose function `change_phone`, and no other one, reaches its backends through a gate.
async fn behind_a_gate(test: impl AsyncFnOnce(&TestApp, &Gate)) {
    let gate = Gate::default();
    let (variables, targets) = gate.backends().await;
    TestAppBuilder::new()
        .settings(for_crowds)
        .template(|template| with_variables(template, "ChangePhone", &variables))
        .run(async |app| {
            targets.lead_to(app).await;
            test(app, &gate).await;
        })
        .await;
}

async fn get(app: &TestApp, path: &str, authorization: &str) -> i64 {
    app.send("GET", path, &[("authorization", authorization)], "").await.code
}

/// The rows of the user, with their phones.
async fn rows(app: &TestApp, user_id: &str) -> Vec<(String, u64)> {
    let scan = app.dynamodb("Scan", &json!({ "TableName": "badge-local-users", "ConsistentRead": true })).await;
    let items = scan["Items"].as_array().unwrap().iter().filter(|row| row["id"]["S"] == user_id);
    let number = |row: &Value| row["version"]["N"].as_str().unwrap().parse().unwrap();
    items.map(|row| (row["phone"]["S"].as_str().unwrap()["+86".len()..].to_owned(), number(row))).collect()
}

/// Moves the user, kills the process at that call, looks at what it has left, and sends the request again. Gives whether the row
/// had moved; nothing if the change ended before that call.
async fn move_and_kill(app: &TestApp, gate: &Gate, user: &mut Mover, stop: Stop) -> Option<bool> {
    app.advance(61).await;
    let (old, new) = (user.phone.clone(), app.phone());
    let (old_code, new_code) = (app.code(&old, user.messages + 1).await, app.code(&new, 1).await);
    let body = json!({ "phone": new, "veri_code": new_code, "old_veri_code": old_code }).to_string();
    let session = [("authorization", user.sid.as_str())];
    let reply = app.send("POST", "/user/token", &session, "").await;
    let token = format!("jwt {}", reply.data["token"].as_str().unwrap());
    // A sandbox that has started: the one before was killed.
    assert_eq!(app.send("POST", PATH, &session, "{}").await.code, code::PARAMS_INVALID);
    // Known before it stops: it gives up a call that takes too long, and goes on.
    let pids = app.function("change_phone").await["pids"].as_array().unwrap().clone();

    gate.stop_at(stop);
    let url = app.url(&format!("{PREFIX}{PATH}"));
    let mut change = Box::pin(send("POST", &url, &session, body.clone()));
    let lived = tokio::select! {
        biased;
        () = gate.reached() => None,
        answer = &mut change => Some(answer),
    };
    let was_moved = if let Some(answer) = lived {
        gate.open();
        assert_eq!(answer.json()["code"], 0, "{stop:?}: {}", answer.text());
        None
    } else {
        for pid in pids {
            Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
        }
        assert_eq!(change.await.status, 500, "{stop:?}: the reply is lost");
        gate.open();
        let left = rows(app, &user.user_id).await;
        let [(phone, version)] = &left[..] else { panic!("{stop:?}: {left:?}") };
        assert!([&old, &new].contains(&phone), "{stop:?}: {left:?}");
        let is_moved = *phone == new;
        assert_eq!(*version, user.version + u64::from(is_moved), "{stop:?}");
        // The stream has its say before the request comes again.
        assert_eq!(app.audited(&user.user_id).await.len() as u64, *version, "{stop:?}: an event for each change");
        let again = app.send("POST", PATH, &session, body.clone()).await;
        assert_eq!(again.code, 0, "{stop:?}, moved: {is_moved}: {again:?}");
        Some(is_moved)
    };

    // Moved, by whichever of the two requests.
    user.version += 1;
    assert_eq!(rows(app, &user.user_id).await, [(new.clone(), user.version)], "{stop:?}");
    assert_eq!(get(app, "/user/me", &user.sid).await, 0, "{stop:?}: the session follows");
    assert_eq!(get(app, "/user/index", &token).await, code::NO_AUTH, "{stop:?}: tokens end");
    let events = app.audited(&user.user_id).await;
    let versions: Vec<_> = events.iter().map(|event| event["version"]["N"].as_str().unwrap().to_owned()).collect();
    assert_eq!(versions, (1..=user.version).map(|version| version.to_string()).collect::<Vec<_>>(), "{stop:?}");
    assert_eq!(events.last().unwrap()["fields"]["L"], json!([{ "S": "phone" }]), "{stop:?}");
    // A code more, and one notice.
    let messages = app.messages(&old, user.messages + 2).await;
    assert_eq!(messages.iter().filter(|message| message["code"].is_null()).count(), 1, "{stop:?}");
    (user.phone, user.messages) = (new, 1);
    was_moved
}

#[tokio::test]
async fn a_change_killed_at_any_call_has_moved_the_user_or_not_and_succeeds_when_it_is_sent_again() {
    behind_a_gate(async |app, gate| {
        let phone = app.phone();
        app.register(&phone).await;
        let who = app.log_in(&phone).await;
        let mut user = Mover { user_id: who.user_id, sid: who.sid, phone, messages: 2, version: 1 };
        for is_done in [false, true] {
            let mut outcomes = Vec::new();
            while let Some(was_moved) =
                move_and_kill(app, gate, &mut user, Stop { call: outcomes.len(), is_done }).await
            {
                outcomes.push(was_moved);
            }
            println!("killed {} a call: {outcomes:?}", if is_done { "after" } else { "before" });
            // Codes, addresses and the row; the move; what follows.
            assert!(outcomes.len() >= 12, "{outcomes:?}");
            assert!(!outcomes[0] && outcomes.contains(&true), "{outcomes:?}");
        }
    })
    .await;
}
