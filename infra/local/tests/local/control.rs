//! The control API: inbox, state, invocations, reset.

use jiff::Timestamp;
use local::Options;
use serde_json::{Value, json};

use support::{Repository, TestApp, eventually, get, post, send};

async fn sms(app: &TestApp, query: &str) -> Value {
    app.inspect(&format!("sms{query}")).await
}

async fn send_sms(app: &TestApp, id: &str, phone: &str, text: &str) {
    let response = post(&app.url("/_stage/sms"), &json!({"id": id, "phone": phone, "text": text})).await;
    assert_eq!((response.status.as_u16(), response.text()), (200, r#"{"status":"accepted"}"#));
}

async fn put_note(app: &TestApp, id: &str, end: &Value) {
    app.dynamodb("PutItem", &json!({ "TableName": "test-notes", "Item": { "id": { "S": id }, "end": end } })).await;
}

/// The ids of all notes.
async fn notes(app: &TestApp) -> Vec<String> {
    let scan = app.dynamodb("Scan", &json!({ "TableName": "test-notes" })).await;
    let ids = scan["Items"].as_array().unwrap().iter().map(|item| item["id"]["S"].as_str().unwrap().to_owned());
    let mut ids: Vec<String> = ids.collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn the_state_names_the_stage_and_its_functions() {
    let app = TestApp::with_probe().await;
    app.echo().await;
    let state = get(&app.url("/_stage/state")).await.json();
    assert_eq!(state["stage"], "test");
    assert_eq!(state["url"], app.emulator.url());
    assert_eq!(state["clock"]["offset_ms"], 0);
    assert_eq!(state["faults"], json!({}));
    let function = &state["functions"][0];
    assert_eq!(function["name"], "test-probe");
    assert_eq!(function["routes"], json!(["$default", "POST /{stage}/probe"]));
    assert_eq!((&function["memory_mb"], &function["timeout_s"]), (&json!(128), &json!(20)));
    assert_eq!((&function["invocations"], &function["cold_starts"]), (&json!(1), &json!(1)));
    assert!(function["last_duration_ms"].is_number());
}

#[tokio::test]
async fn messages_are_read_by_phone_and_newest_first() {
    let app = Repository::empty().start(|_| {}).await;
    send_sms(&app, "1", "+8613800138000", "code 012345, valid").await;
    send_sms(&app, "2", "+8613800138000", "hello").await;
    send_sms(&app, "2", "+8613800138000", "hello").await;
    send_sms(&app, "3", "+8613900139000", "other").await;
    let found = sms(&app, "?phone=13800138000").await;
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert_eq!((&found[0]["id"], &found[0]["code"]), (&json!("2"), &Value::Null));
    assert_eq!((&found[1]["id"], &found[1]["code"]), (&json!("1"), &json!("012345")));
    assert_eq!(sms(&app, "?phone=%2B8613800138000").await, found);
    assert_eq!(sms(&app, "").await.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_reader_waits_for_the_first_message() {
    let app = Repository::empty().start(|_| {}).await;
    let (found, ()) =
        tokio::join!(sms(&app, "?phone=13800138000&wait=30s"), send_sms(&app, "1", "+8613800138000", "hi"));
    assert_eq!(found[0]["text"], "hi");
    assert_eq!(sms(&app, "?phone=13900139000&wait=1ms").await, json!([]));
}

#[tokio::test]
async fn wrong_requests_are_answered_in_json() {
    let app = Repository::empty().start(|_| {}).await;
    for (method, path, status) in [
        ("GET", "/_stage/sms?wait=soon", 400),
        ("GET", "/_stage/sms?phone=abc", 400),
        ("GET", "/_stage/sms?count=x", 400),
        ("POST", "/_stage/sms", 400),
        ("GET", "/_stage/invocations?limit=many", 400),
        ("GET", "/_stage/invocations?function=other", 404),
        ("GET", "/_stage/other", 404),
        ("GET", "/_stage/reset", 405),
        ("DELETE", "/_stage/state", 405),
    ] {
        let answer = send(method, &app.url(path), &[], "").await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.json()["message"].is_string(), "{method} {path}");
    }
}

#[tokio::test]
async fn invocations_are_shown_by_function_and_number() {
    let app = TestApp::with_probe().await;
    app.echo().await;
    app.echo().await;
    let one = get(&app.url("/_stage/invocations?function=probe&limit=1")).await.json();
    assert_eq!(one.as_array().unwrap().len(), 1);
    let all = get(&app.url("/_stage/invocations?function=test-probe")).await.json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(all[0], one[0]);
}

#[tokio::test]
async fn a_reset_empties_everything() {
    let app = TestApp::with_probe().await;
    let before = app.echo().await;
    send_sms(&app, "1", "+8613800138000", "hi").await;
    assert_eq!(app.redis(&["SET a 1"]).await, "+OK");
    let item = json!({"TableName": "test-things", "Item": {"id": {"S": "1"}}});
    app.dynamodb("PutItem", &item).await;
    let scan = json!({"TableName": "test-things"});
    assert_eq!(app.dynamodb("Scan", &scan).await["Count"], 1);

    assert_eq!(send("POST", &app.url("/_stage/reset"), &[], "").await.status, 200);

    assert_eq!(app.dynamodb("Scan", &scan).await["Count"], 0);
    assert_eq!(app.redis(&["DBSIZE"]).await, ":0");
    assert_eq!(sms(&app, "").await, json!([]));
    assert_eq!(app.invocations().await, Vec::<Value>::new());
    assert_eq!(app.function("probe").await["invocations"], 0);
    assert_eq!(app.echo().await["pid"], before["pid"], "sandboxes stay warm");
}

#[tokio::test]
async fn items_expire_with_their_time_to_live_in_memory_and_in_a_file() {
    for keep in [false, true] {
        let repository = Repository::empty();
        repository.append(
            "  Notes:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TableName: !Sub ${Stage}-notes\n      \
             BillingMode: PAY_PER_REQUEST\n      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]\n      \
             KeySchema: [{ AttributeName: id, KeyType: HASH }]\n      \
             TimeToLiveSpecification: { AttributeName: end, Enabled: true }\n",
        );
        let state = repository.file("state");
        let stored = |options: &mut Options| {
            options.state_dir = Some(state.clone());
            options.keep = keep;
        };
        let app = repository.start(stored).await;
        let now: Timestamp =
            get(&app.url("/_stage/state")).await.json()["clock"]["now"].as_str().unwrap().parse().unwrap();
        let after_days = |days: i64| json!({ "N": (now.as_second() + days * 86_400).to_string() });
        for (id, end) in [("short", after_days(1)), ("long", after_days(3)), ("text", json!({ "S": "1" }))] {
            put_note(&app, id, &end).await;
        }

        post(&app.url("/_stage/clock"), &json!({ "advance_s": 2 * 86_400 })).await;

        assert_eq!(notes(&app).await, ["long", "text"], "stored: {keep}");
        if keep {
            put_note(&app, "old", &after_days(1)).await;
            app.emulator.stop().await;
            let app = app.repository.start(stored).await;
            let expired = async || Some(notes(&app).await).filter(|notes| notes.len() < 3);
            assert_eq!(eventually("a deletion at the start", expired).await, ["long", "text"]);
        }
    }
}
