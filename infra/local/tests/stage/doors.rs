//! The control door: reading the inbox and the state, and beginning anew.

use jiff::Timestamp;
use serde_json::{Value, json};
use stage::Options;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::bed::{Bed, Repository, eventually};
use crate::client::{get, post, post_signed, send};

impl Bed {
    async fn sms(&self, query: &str) -> Value {
        get(&self.url(&format!("/_stage/sms{query}"))).await.json()
    }

    async fn send_sms(&self, id: &str, phone: &str, text: &str) {
        let answer = post(&self.url("/_stage/sms"), &json!({"id": id, "phone": phone, "text": text})).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, r#"{"status":"accepted"}"#));
    }

    async fn dynamodb(&self, operation: &str, body: &Value) -> Value {
        let target = format!("DynamoDB_20120810.{operation}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.0")];
        post_signed(&self.stage.dynamodb_url(), "dynamodb", &headers, body).await.json()
    }

    async fn note(&self, id: &str, end: &Value) {
        let item = json!({ "TableName": "test-notes", "Item": { "id": { "S": id }, "end": end } });
        self.dynamodb("PutItem", &item).await;
    }

    /// The ids of all notes.
    async fn notes(&self) -> Vec<String> {
        let scan = self.dynamodb("Scan", &json!({ "TableName": "test-notes" })).await;
        let ids = scan["Items"].as_array().unwrap().iter().map(|item| item["id"]["S"].as_str().unwrap().to_owned());
        let mut ids: Vec<String> = ids.collect();
        ids.sort_unstable();
        ids
    }

    /// One inline command to Redis; the first line of its reply.
    pub(crate) async fn redis(&self, command: &str) -> String {
        let url = self.stage.cache_url();
        let stream = TcpStream::connect(url.strip_prefix("redis://").unwrap()).await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }
}

#[tokio::test]
async fn the_state_names_the_stage_and_its_functions() {
    let bed = Bed::new().await;
    bed.echo().await;
    let state = get(&bed.url("/_stage/state")).await.json();
    assert_eq!(state["stage"], "test");
    assert_eq!(state["url"], bed.stage.url());
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
    let bed = Repository::empty().start(|_| {}).await;
    bed.send_sms("1", "+8613800138000", "code 012345, valid").await;
    bed.send_sms("2", "+8613800138000", "hello").await;
    bed.send_sms("2", "+8613800138000", "hello").await;
    bed.send_sms("3", "+8613900139000", "other").await;
    let found = bed.sms("?phone=13800138000").await;
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert_eq!((&found[0]["id"], &found[0]["code"]), (&json!("2"), &Value::Null));
    assert_eq!((&found[1]["id"], &found[1]["code"]), (&json!("1"), &json!("012345")));
    assert_eq!(bed.sms("?phone=%2B8613800138000").await, found);
    assert_eq!(bed.sms("").await.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_reader_waits_for_the_first_message() {
    let bed = Repository::empty().start(|_| {}).await;
    let (found, ()) = tokio::join!(bed.sms("?phone=13800138000&wait=30s"), bed.send_sms("1", "+8613800138000", "hi"));
    assert_eq!(found[0]["text"], "hi");
    assert_eq!(bed.sms("?phone=13900139000&wait=1ms").await, json!([]));
}

#[tokio::test]
async fn wrong_questions_are_answered_in_json() {
    let bed = Repository::empty().start(|_| {}).await;
    for (method, path, status) in [
        ("GET", "/_stage/sms?wait=soon", 400),
        ("GET", "/_stage/sms?phone=abc", 400),
        ("POST", "/_stage/sms", 400),
        ("GET", "/_stage/invocations?limit=many", 400),
        ("GET", "/_stage/invocations?function=other", 404),
        ("GET", "/_stage/other", 404),
        ("GET", "/_stage/reset", 405),
        ("DELETE", "/_stage/state", 405),
    ] {
        let answer = send(method, &bed.url(path), &[], "").await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.json()["message"].is_string(), "{method} {path}");
    }
}

#[tokio::test]
async fn invocations_are_shown_by_function_and_number() {
    let bed = Bed::new().await;
    bed.echo().await;
    bed.echo().await;
    let one = get(&bed.url("/_stage/invocations?function=probe&limit=1")).await.json();
    assert_eq!(one.as_array().unwrap().len(), 1);
    let all = get(&bed.url("/_stage/invocations?function=test-probe")).await.json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(all[0], one[0]);
}

#[tokio::test]
async fn a_reset_empties_everything() {
    let bed = Bed::new().await;
    let before = bed.echo().await;
    bed.send_sms("1", "+8613800138000", "hi").await;
    assert_eq!(bed.redis("SET a 1").await, "+OK");
    let item = json!({"TableName": "test-things", "Item": {"id": {"S": "1"}}});
    bed.dynamodb("PutItem", &item).await;
    let scan = json!({"TableName": "test-things"});
    assert_eq!(bed.dynamodb("Scan", &scan).await["Count"], 1);

    assert_eq!(send("POST", &bed.url("/_stage/reset"), &[], "").await.status, 200);

    assert_eq!(bed.dynamodb("Scan", &scan).await["Count"], 0);
    assert_eq!(bed.redis("DBSIZE").await, ":0");
    assert_eq!(bed.sms("").await, json!([]));
    assert_eq!(bed.invocations().await, Vec::<Value>::new());
    assert_eq!(bed.function("probe").await["invocations"], 0);
    assert_eq!(bed.echo().await["pid"], before["pid"], "sandboxes stay warm");
}

#[tokio::test]
async fn items_end_with_their_time_to_live_wherever_the_stage_keeps_them() {
    for keep in [false, true] {
        let repository = Repository::empty();
        repository.append(
            "  Notes:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TableName: !Sub ${Stage}-notes\n      \
             BillingMode: PAY_PER_REQUEST\n      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]\n      \
             KeySchema: [{ AttributeName: id, KeyType: HASH }]\n      \
             TimeToLiveSpecification: { AttributeName: end, Enabled: true }\n",
        );
        let state = repository.file("state");
        let kept = |options: &mut Options| {
            options.state_dir = Some(state.clone());
            options.keep = keep;
        };
        let bed = repository.start(kept).await;
        let now: Timestamp =
            get(&bed.url("/_stage/state")).await.json()["clock"]["now"].as_str().unwrap().parse().unwrap();
        let after_days = |days: i64| json!({ "N": (now.as_second() + days * 86_400).to_string() });
        for (id, end) in [("short", after_days(1)), ("long", after_days(3)), ("text", json!({ "S": "1" }))] {
            bed.note(id, &end).await;
        }

        post(&bed.url("/_stage/clock"), &json!({ "advance_s": 2 * 86_400 })).await;

        assert_eq!(bed.notes().await, ["long", "text"], "kept: {keep}");
        if keep {
            bed.note("old", &after_days(1)).await;
            bed.stage.stop().await;
            let bed = bed.repository.start(kept).await;
            let swept = async || Some(bed.notes().await).filter(|notes| notes.len() < 3);
            assert_eq!(eventually("a sweep at the start", swept).await, ["long", "text"]);
        }
    }
}
