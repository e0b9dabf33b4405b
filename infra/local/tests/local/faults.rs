//! Injected faults, and recovery from them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use support::{HttpResponse, Repository, TestApp, dynamodb, eventually, post, send};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};

#[tokio::test]
async fn a_sandbox_killed_before_its_reply_has_done_its_work_and_counts_as_crashed() {
    let app = TestApp::with_probe().await;
    let file = app.repository.file("notes");
    let event = json!({"do": "note", "file": file});
    let faults = json!({"invoke": {"mode": "kill_before_reply", "rate": 1.0}});
    assert_eq!(app.control("PUT", "faults", &faults).await, faults);
    assert_eq!(app.inspect("state").await["faults"], faults);

    assert_eq!(app.probe(&json!({})).await.status, 500);
    let taken = app.invoke("test-probe", "Event", &event).await;
    let entry = eventually("a dead letter", async || app.dead_letters().await.first().cloned()).await;

    let id = taken.headers["x-amzn-requestid"].to_str().unwrap();
    assert_eq!((&entry["outcome"], &entry["request_id"]), (&json!("crash"), &json!(id)));
    assert!(entry["reason"].as_str().unwrap().ends_with("signal: killed"), "{entry}");
    let notes = fs::read_to_string(&file).unwrap();
    assert_eq!((notes.lines().count(), notes.matches(id).count()), (3, 3), "every attempt did its work");
    let runs = app.invocations().await;
    assert!(runs.iter().take(4).all(|run| run["outcome"] == "crash"), "{runs:?}");

    app.control("PUT", "faults", json!({})).await;
    let again = app.control("POST", "dead_letters/redrive", "").await;
    assert_eq!(again[0]["outcome"], "ok");
    assert_eq!(app.probe(&json!({})).await.status, 200);
}

#[tokio::test]
async fn the_provider_refuses_hangs_and_is_slow() {
    let app = TestApp::with_probe().await;
    let send = async |id: &str| {
        let message = json!({"id": id, "phone": "+8613800138000", "text": "123456"});
        post(&app.url("/_stage/sms"), &message).await.status.as_u16()
    };
    let mut answers = Vec::new();
    for fault in [
        json!({"mode": "refuse"}),
        json!({"mode": "throttle"}),
        json!({"mode": "hang", "ms": 1}),
        json!({"mode": "slow", "ms": 1}),
    ] {
        app.control("PUT", "faults", json!({"sms": fault})).await;
        answers.push(send(fault["mode"].as_str().unwrap()).await);
    }
    app.control("PUT", "faults", json!({})).await;
    answers.push(send("healthy").await);
    assert_eq!(answers, [503, 429, 503, 200, 200]);
    let inbox = app.inspect("sms").await;
    let ids: Vec<&str> = inbox.as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["healthy", "slow"]);
}

#[tokio::test]
async fn no_event_is_lost_while_sandboxes_die_now_and_then() {
    const EVENTS: usize = 60;
    let app = TestApp::with_probe().await;
    let event = json!({"do": "note", "file": app.repository.file("notes")});
    app.control("PUT", "faults", json!({"invoke": {"mode": "kill_before_reply", "rate": 0.4}})).await;
    let mut sent = BTreeSet::new();
    for _ in 0..EVENTS {
        let taken = app.invoke("test-probe", "Event", &event).await;
        assert_eq!(taken.status, 202);
        sent.insert(taken.headers["x-amzn-requestid"].to_str().unwrap().to_owned());
    }
    let ids = |list: Vec<Value>| {
        let ids = list.into_iter().map(|one| one["request_id"].as_str().unwrap().to_owned());
        ids.collect::<BTreeSet<String>>()
    };
    let (done, dead) = eventually("all events", async || {
        let runs = app.inspect("invocations?limit=1000").await.as_array().unwrap().clone();
        let done = ids(runs.into_iter().filter(|run| run["trigger"] == "async" && run["outcome"] == "ok").collect());
        let dead = ids(app.inspect("dead_letters").await.as_array().unwrap().clone());
        (done.len() + dead.len() == EVENTS).then_some((done, dead))
    })
    .await;
    assert!(done.is_disjoint(&dead));
    assert_eq!(done.union(&dead).cloned().collect::<BTreeSet<String>>(), sent);
    app.control("PUT", "faults", json!({})).await;
    let again = app.control("POST", "dead_letters/redrive", "").await;
    assert_eq!(again.as_array().unwrap().len(), dead.len());
    assert_eq!(app.inspect("dead_letters").await, json!([]));
}

/// The addresses of DynamoDB and Redis for functions.
async fn proxies(app: &TestApp) -> (String, String) {
    let env = app.echo().await["env"].take();
    let text = |name: &str| env[name].as_str().unwrap().to_owned();
    (text("AWS_ENDPOINT_URL_DYNAMODB"), text("CACHE_URL").strip_prefix("redis://").unwrap().to_owned())
}

/// Sends bytes to the cache; returns that many lines, or fewer if the connection breaks.
async fn raw_redis(stream: &mut TcpStream, bytes: &str, lines: usize) -> String {
    let mut text = String::new();
    if stream.write_all(bytes.as_bytes()).await.is_ok() {
        let mut buffer = [0; 1024];
        while text.matches('\n').count() < lines {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => text.push_str(str::from_utf8(&buffer[..read]).unwrap()),
            }
        }
    }
    text
}

#[tokio::test]
async fn dynamodb_throttles_conflicts_and_is_slow_for_functions_alone() {
    let app = TestApp::with_probe().await;
    let (url, _) = proxies(&app).await;
    let put = json!({"TableName": "test-things", "Item": {"id": {"S": "1"}}});
    let get = json!({"TableName": "test-things", "Key": {"id": {"S": "1"}}});
    let kind =
        |answer: &HttpResponse| answer.json()["__type"].as_str().map(|kind| kind.split('#').nth(1).unwrap().to_owned());

    app.control("PUT", "faults", json!({"dynamodb": {"mode": "throttle"}})).await;
    let throttled = dynamodb(&url, "PutItem", &put).await;
    assert_eq!((throttled.status.as_u16(), kind(&throttled).as_deref()), (400, Some("ThrottlingException")));
    let around = dynamodb(&app.emulator.dynamodb_url(), "GetItem", &get).await;
    assert_eq!((around.status.as_u16(), around.json()), (200, json!({})), "nothing was written");

    app.control("PUT", "faults", json!({"dynamodb": {"mode": "conflict"}})).await;
    let conflicting = dynamodb(&url, "PutItem", &put).await;
    assert_eq!(
        (conflicting.status.as_u16(), kind(&conflicting).as_deref()),
        (400, Some("TransactionConflictException"))
    );
    assert_eq!(dynamodb(&url, "GetItem", &get).await.status, 200, "who reads conflicts with nobody");

    app.control("PUT", "faults", json!({"dynamodb": {"mode": "slow", "ms": 60}})).await;
    let begin = Instant::now();
    assert_eq!(dynamodb(&url, "PutItem", &put).await.status, 200);
    assert!(begin.elapsed() >= Duration::from_millis(60));

    app.control("PUT", "faults", json!({"dynamodb": {"mode": "throttle", "rate": 0.5}})).await;
    let mut codes = BTreeSet::new();
    while codes.len() < 2 {
        codes.insert(dynamodb(&url, "GetItem", &get).await.status.as_u16());
    }
    assert_eq!(codes, BTreeSet::from([200, 400]));
}

#[tokio::test]
async fn redis_breaks_hangs_throttles_and_is_slow_for_functions_alone() {
    let app = TestApp::with_probe().await;
    let (_, address) = proxies(&app).await;
    let ping = "*1\r\n$4\r\nPING\r\n";
    let mut stream = TcpStream::connect(&address).await.unwrap();
    assert_eq!(raw_redis(&mut stream, ping, 1).await, "+PONG\r\n");

    app.control("PUT", "faults", json!({"redis": {"mode": "throttle"}})).await;
    let refused = raw_redis(&mut stream, &ping.repeat(2), 2).await;
    assert_eq!(refused, "-OOM command not allowed when used memory > 'maxmemory'.\r\n".repeat(2));
    assert_eq!(app.redis(&["PING"]).await, "+PONG", "not through the proxy");

    app.control("PUT", "faults", json!({"redis": {"mode": "slow", "ms": 60}})).await;
    let begin = Instant::now();
    assert_eq!(raw_redis(&mut stream, ping, 1).await, "+PONG\r\n");
    assert!(begin.elapsed() >= Duration::from_millis(60));

    app.control("PUT", "faults", json!({"redis": {"mode": "hang"}})).await;
    let mut lost = Box::pin(raw_redis(&mut stream, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n", 1));
    assert!(timeout(Duration::from_millis(50), &mut lost).await.is_err());
    app.control("PUT", "faults", json!({})).await;
    assert_eq!(lost.await, "", "what hung is lost with its connection");
    assert_eq!(app.redis(&["EXISTS a"]).await, ":0");

    let mut stream = TcpStream::connect(&address).await.unwrap();
    assert_eq!(raw_redis(&mut stream, ping, 1).await, "+PONG\r\n");
    app.control("PUT", "faults", json!({"redis": {"mode": "refuse"}})).await;
    assert_eq!(stream.read(&mut [0]).await.map_err(|error| error.kind()), Err(std::io::ErrorKind::ConnectionReset));
    let mut stream = TcpStream::connect(&address).await.unwrap();
    assert_eq!(raw_redis(&mut stream, ping, 1).await, "");

    app.control("POST", "reset", "").await;
    assert_eq!(app.inspect("state").await["faults"], json!({}));
    let mut stream = TcpStream::connect(&address).await.unwrap();
    assert_eq!(raw_redis(&mut stream, ping, 1).await, "+PONG\r\n");
}

#[tokio::test]
async fn invalid_faults_change_nothing() {
    let app = Repository::empty().start(|_| {}).await;
    let valid = json!({"redis": {"mode": "hang", "ms": 5, "rate": 0.5}});
    assert_eq!(app.control("PUT", "faults", &valid).await, valid);
    for (faults, why) in [
        (json!({"redis": {"mode": "conflict"}}), "conflict is for dynamodb"),
        (json!({"dynamodb": {"mode": "slow"}}), "slow needs ms"),
        (json!({"dynamodb": {"mode": "throttle", "ms": 5}}), "ms is for slow and hang"),
        (json!({"dynamodb": {"mode": "throttle", "rate": 1.5}}), "rate is from 0 to 1"),
        (json!({"dynamodb": {"mode": "explode"}}), "unknown variant `explode`"),
        (json!({"postgres": {"mode": "refuse"}}), "unknown field `postgres`"),
    ] {
        let answer = send("PUT", &app.url("/_stage/faults"), &[], faults.to_string()).await;
        assert_eq!(answer.status, 400, "{faults}");
        assert!(answer.json()["message"].as_str().unwrap().contains(why), "{}", answer.text());
    }
    assert_eq!(app.inspect("state").await["faults"], valid);
}
