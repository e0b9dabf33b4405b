//! The console: its page, requests from other pages, and the events that update it.

use jiff::Timestamp;
use serde_json::{Value, json};
use support::{Repository, TestApp, eventually, get, post, send};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

/// A reader of `GET /_stage/events`.
struct Reader(Lines<BufReader<TcpStream>>);

impl Reader {
    async fn new(app: &TestApp) -> Self {
        let host = app.emulator.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let request = format!("GET /_stage/events HTTP/1.1\r\nhost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        Self(BufReader::new(stream).lines())
    }

    /// The next event.
    async fn next(&mut self) -> Value {
        loop {
            let line = self.0.next_line().await.unwrap().unwrap();
            if let Some(document) = line.strip_prefix("data: ") {
                return serde_json::from_str(document).unwrap();
            }
        }
    }

    /// The first event that has something of that name.
    async fn next_with(&mut self, name: &str) -> Value {
        loop {
            let mut event = self.next().await;
            if let Some(found) = event.get_mut(name) {
                return found.take();
            }
        }
    }
}

#[tokio::test]
async fn a_browser_gets_the_page_at_the_root_and_other_clients_the_gateway() {
    let app = TestApp::with_probe().await;
    let page = send("GET", &app.url("/"), &[BROWSER], "").await;
    assert_eq!(
        (page.status.as_u16(), page.headers["content-type"].as_bytes()),
        (200, &b"text/html; charset=utf-8"[..])
    );
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
    for (method, headers) in [("GET", &[][..]), ("GET", &[("accept", "*/*")][..]), ("POST", &[BROWSER][..])] {
        let event = send(method, &app.url("/"), headers, "").await.json()["event"].clone();
        assert_eq!((&event["routeKey"], &event["rawPath"]), (&json!("$default"), &json!("/")), "{method} {headers:?}");
    }
    let event = send("GET", &app.url("/elsewhere"), &[BROWSER], "").await.json()["event"].clone();
    assert_eq!(event["routeKey"], "$default");
}

#[tokio::test]
async fn every_file_that_the_page_names_exists() {
    let app = Repository::empty().start(|_| {}).await;
    let page = get(&app.url("/_stage/console/")).await;
    let mut waiting: Vec<String> =
        page.text().split('"').filter(|text| text.starts_with("/_stage/console/")).map(str::to_owned).collect();
    assert!(waiting.len() >= 4, "{waiting:?}");
    let mut seen = Vec::new();
    while let Some(path) = waiting.pop() {
        let file = get(&app.url(&path)).await;
        assert_eq!(file.status, 200, "{path}");
        assert_eq!(file.headers["x-content-type-options"], "nosniff");
        for import in file.text().split("from './").skip(1) {
            let import = format!("/_stage/console/{}", import.split('\'').next().unwrap());
            if !seen.contains(&import) {
                seen.push(import.clone());
                waiting.push(import);
            }
        }
    }
    assert_eq!(get(&app.url("/_stage/console/other.js")).await.status, 404);
    assert_eq!(get(&app.url("/_stage/console/../Cargo.toml")).await.status, 404);
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_and_reads_nothing() {
    let app = TestApp::with_probe().await;
    let own = app.emulator.url().to_owned();
    for headers in [
        vec![("origin", "https://evil.example")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("origin", own.as_str()), ("sec-fetch-site", "same-site")],
    ] {
        let answer = send("POST", &app.url("/_stage/clock"), &headers, r#"{"advance_s": 61}"#).await;
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    // A name that resolves to this machine.
    let stream = TcpStream::connect(own.strip_prefix("http://").unwrap()).await.unwrap();
    let mut stream = BufReader::new(stream);
    stream.write_all(b"GET /_stage/sms HTTP/1.1\r\nhost: evil.example\r\n\r\n").await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("HTTP/1.1 403 "), "{line}");

    let state = get(&app.url("/_stage/state")).await.json();
    assert_eq!(state["clock"]["offset_ms"], 0);
    let headers = [("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
    assert_eq!(send("POST", &app.url("/_stage/clock"), &headers, r#"{"advance_s": 61}"#).await.status, 200);
}

#[tokio::test]
async fn a_reader_gets_the_whole_state_and_then_changes() {
    let app = TestApp::with_probe().await;
    app.echo().await;
    app.control("POST", "sms", json!({"id": "1", "phone": "+8613800138000", "text": "code 012345"})).await;
    let mut reader = Reader::new(&app).await;
    let first = reader.next().await;
    assert_eq!((&first["stage"]["name"], &first["faults"]), (&json!("test"), &json!({})));
    assert_eq!((&first["clock"]["offset_ms"], &first["clock"]["zone"]), (&json!(0), &json!("UTC")));
    assert_eq!(first["messages"][0]["code"], "012345");
    let function = &first["functions"][0];
    assert_eq!((&function["invocations"], &function["last_outcomes"]), (&json!(1), &json!(["ok"])));
    assert!(function["p99_ms"].is_number());
    let row = &first["invocations"][0];
    assert_eq!((&row["function"], &row["outcome"]), (&json!("test-probe"), &json!("ok")));

    app.echo().await;
    let rows = reader.next_with("invocations").await;
    assert_eq!(rows.as_array().unwrap().len(), 1, "known invocations are not sent again");
    let faults = json!({"redis": {"mode": "refuse", "rate": 1.0}});
    app.control("PUT", "faults", &faults).await;
    assert_eq!(reader.next_with("faults").await, faults);
    app.control("POST", "clock", json!({"advance_s": 61})).await;
    let moved = async || Some(reader.next_with("clock").await).filter(|clock| clock["moving_to"].is_null());
    assert_eq!(eventually("the clock has moved", moved).await["offset_ms"], 61_000);

    app.control("POST", "reset", "").await;
    assert_eq!(reader.next_with("stage").await["name"], "test", "after a reset the whole state is sent");
}

#[tokio::test]
async fn two_readers_receive_the_same() {
    let app = TestApp::with_probe().await;
    let mut readers = [Reader::new(&app).await, Reader::new(&app).await];
    app.echo().await;
    for reader in &mut readers {
        assert_eq!(reader.next_with("invocations").await[0]["function"], "test-probe");
    }
}

#[tokio::test]
async fn the_attempts_of_one_request_are_found_by_its_id() {
    let app = TestApp::with_probe().await;
    app.echo().await;
    app.echo().await;
    let wanted = app.invocations().await[1].clone();
    let id = wanted["request_id"].as_str().unwrap();
    let found = get(&app.url(&format!("/_stage/invocations?request_id={id}"))).await.json();
    assert_eq!(found, json!([wanted]));
    assert!(wanted["front_ms"].as_f64().unwrap() >= wanted["duration_ms"].as_f64().unwrap());
    assert_eq!(get(&app.url("/_stage/invocations?request_id=none")).await.json(), json!([]));
}

#[tokio::test]
async fn the_clock_goes_to_a_time_and_never_back() {
    let repository = Repository::empty();
    std::fs::write(repository.file("conf/test.toml"), "time_zone = \"Asia/Shanghai\"\n").unwrap();
    let app = repository.start(|_| {}).await;
    let clock = get(&app.url("/_stage/state")).await.json()["clock"].clone();
    assert_eq!(clock["zone"], "Asia/Shanghai");
    let midnight = clock["midnight"].as_str().unwrap();
    // Midnight in Shanghai.
    assert!(midnight.ends_with("T16:00:00Z"), "{midnight}");
    let moved = app.control("POST", "clock", json!({ "to": midnight })).await;
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    assert!(time(moved["now"].as_str().unwrap()) >= time(midnight) && moved["midnight"] != midnight, "{moved}");
    for body in [json!({ "to": clock["now"] }), json!({}), json!({ "to": midnight, "advance_s": 1 })] {
        assert_eq!(post(&app.url("/_stage/clock"), &body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn settings_are_listed_by_stage() {
    let repository = Repository::new();
    std::fs::write(repository.file("conf/other.toml"), "[secrets]\njwt = \"name\"\n").unwrap();
    let app = repository.start(|_| {}).await;
    let settings = get(&app.url("/_stage/settings")).await.json();
    assert_eq!((&settings["running"], &settings["stages"]["test"]), (&json!("test"), &json!({})));
    assert_eq!(settings["stages"]["other"], json!({"secrets": {"jwt": "name"}}));
    assert!(settings["environment"]["probe"]["CACHE_URL"].is_string());
}
