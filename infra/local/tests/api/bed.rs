//! A stage for one test, the things that clients do with it, and the look into its logs at the end.

mod opening;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};
use stage::{Options, Stage};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) use self::opening::{Opening, on_a_stage, on_a_stage_with, root, wish};
use crate::client;

/// What stands before every route's path.
pub(crate) const PREFIX: &str = "/local/iwc/badge";

/// A running stage with empty stores.
pub(crate) struct Bed {
    pub(crate) stage: Stage,
    options: Options,
    pub(crate) folder: TempDir,
    phones: AtomicU32,
    /// What no log may contain.
    secrets: Mutex<BTreeSet<String>>,
}

/// A reply of the service.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) code: i64,
    pub(crate) msg: String,
    pub(crate) data: Value,
    /// Absent, null or a cursor.
    pub(crate) next: Option<Value>,
    pub(crate) cookie: Option<String>,
    pub(crate) request_id: String,
}

/// What a login gives.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) user_id: String,
    pub(crate) token: String,
    pub(crate) sid: String,
}

impl Bed {
    async fn of(folder: TempDir, options: Options) -> Self {
        let stage = Stage::start(options.clone()).await.unwrap();
        Self { stage, options, folder, phones: AtomicU32::new(0), secrets: Mutex::default() }
    }

    /// Ends the stage in the middle of whatever it does, and starts it again.
    pub(crate) async fn restart(self) -> Self {
        let Self { stage, options, folder, phones, secrets } = self;
        drop(stage);
        let stage = Stage::start(options.clone()).await.unwrap();
        Self { stage, options, folder, phones, secrets }
    }

    /// A number that nobody else in this stage has, as people write it.
    pub(crate) fn phone(&self) -> String {
        let phone = format!("1390000{:04}", self.phones.fetch_add(1, Ordering::Relaxed));
        self.keep_secret(&phone);
        phone
    }

    pub(crate) fn keep_secret(&self, secret: &str) {
        self.secrets.lock().insert(secret.to_owned());
    }

    /// One request; the path is that behind [`PREFIX`]. What the contract says of every reply is checked here.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        self.send_to(method, &format!("{PREFIX}{path}"), headers, body).await
    }

    /// One request to any path.
    pub(crate) async fn send_to(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let answer = client::send(method, &format!("{}{path}", self.stage.url()), headers, body.into()).await;
        let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!(answer.status, 200, "{method} {path}: {text}");
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        let mut value: Value = serde_json::from_str(&text).unwrap();
        assert!(text.starts_with("{\"code\":") && !value["data"].is_null(), "{text}");
        let reply = Reply {
            code: value["code"].as_i64().unwrap(),
            msg: value["msg"].as_str().unwrap().to_owned(),
            next: value.get("next").cloned(),
            data: value["data"].take(),
            cookie: header("set-cookie"),
            request_id: header("x-request-id").unwrap(),
        };
        assert_eq!(value.as_object().unwrap().len(), if reply.next.is_some() { 4 } else { 3 }, "{text}");
        for secret in [reply.sid(), reply.data["token"].as_str().map(str::to_owned)].into_iter().flatten() {
            self.keep_secret(&secret);
        }
        reply
    }

    /// `POST` of JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// The control door.
    pub(crate) async fn door(&self, method: &str, door: &str, body: &str) -> Value {
        let url = format!("{}/_stage/{door}", self.stage.url());
        let answer = client::send(method, &url, &[], body.to_owned().into()).await;
        assert_eq!(answer.status, 200, "{door}: {:?}", answer.body);
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// What shall fail from now on; `{}` for nothing.
    pub(crate) async fn fail(&self, faults: &Value) {
        self.door("PUT", "faults", &faults.to_string()).await;
    }

    /// Lets time pass.
    pub(crate) async fn advance(&self, secs: u64) {
        self.door("POST", "clock", &json!({ "advance_s": secs }).to_string()).await;
    }

    /// The messages to a phone, newest first, as soon as there are so many.
    pub(crate) async fn messages(&self, phone: &str, at_least: usize) -> Vec<Value> {
        loop {
            let list = self.door("GET", &format!("sms?phone={phone}&wait=10s"), "").await;
            let list = list.as_array().unwrap().clone();
            assert!(!list.is_empty(), "no message to {phone}");
            if list.len() >= at_least {
                return list;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Asks for a code and reads it from the newest message, which is the `nth` to this phone.
    pub(crate) async fn code(&self, phone: &str, nth: usize) -> String {
        let reply = self.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert_eq!(reply.code, 0, "{reply:?}");
        let code = self.messages(phone, nth).await[0]["code"].as_str().unwrap().to_owned();
        self.keep_secret(&code);
        code
    }

    /// Commands for the cache, over one connection of their own. Gives its last answer.
    pub(crate) async fn tell_cache(&self, commands: &[&str]) -> String {
        let address = self.stage.cache_url();
        let mut connection = TcpStream::connect(address.strip_prefix("redis://").unwrap()).await.unwrap();
        let mut answer = String::new();
        for command in commands {
            connection.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
            let mut bytes = vec![0; 1024];
            let length = connection.read(&mut bytes).await.unwrap();
            answer = String::from_utf8_lossy(&bytes[..length]).trim().to_owned();
        }
        answer
    }

    /// Registers a new user, and lets the cool-down of the phone pass.
    pub(crate) async fn register(&self, phone: &str) -> String {
        let code = self.code(phone, 1).await;
        let reply = self.post("/user/register", &applicant(phone, &code)).await;
        assert_eq!(reply.code, 0, "{reply:?}");
        self.advance(61).await;
        reply.data["user_id"].as_str().unwrap().to_owned()
    }

    /// Signs a registered user in, with the second message to the phone.
    pub(crate) async fn log_in(&self, phone: &str) -> SignedIn {
        let code = self.code(phone, 2).await;
        let reply = self.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        assert_eq!(reply.code, 0, "{reply:?}");
        reply.signed_in()
    }

    /// A new user who has just signed in.
    pub(crate) async fn somebody(&self) -> SignedIn {
        let phone = self.phone();
        self.register(&phone).await;
        self.log_in(&phone).await
    }

    /// A key of the stage's secret store.
    pub(crate) fn key(&self, name: &str) -> String {
        let file = fs::read(self.folder.path().join("state/secrets.json")).unwrap();
        let secrets: Value = serde_json::from_slice(&file).unwrap();
        let secret = secrets[format!("badge/local/{name}")]["value"].as_str().unwrap();
        serde_json::from_str::<Value>(secret).unwrap()["key"].as_str().unwrap().to_owned()
    }

    /// The log lines of one request.
    pub(crate) async fn log(&self, request_id: &str) -> Vec<Value> {
        let invocations = self.door("GET", "invocations?limit=1000", "").await;
        let invocation = invocations.as_array().unwrap().iter().find(|one| one["request_id"] == request_id).unwrap();
        let lines = invocation["log"].as_array().unwrap();
        lines.iter().map(|line| serde_json::from_str(line.as_str().unwrap()).unwrap()).collect()
    }

    /// All log files as one text.
    pub(crate) fn logs(&self) -> String {
        let files = fs::read_dir(self.folder.path().join("logs")).unwrap().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap()).collect()
    }

    pub(crate) async fn finish(self) {
        let Self { stage, folder, secrets, .. } = self;
        stage.stop().await;
        let mut lines = 0;
        for file in fs::read_dir(folder.path().join("logs")).unwrap().flatten() {
            for line in fs::read_to_string(file.path()).unwrap().lines() {
                lines += usize::from(file.file_name().to_string_lossy().starts_with("badge-"));
                if let Some(secret) = secrets.lock().iter().find(|secret| has_word(line, secret)) {
                    panic!("{} is in {line}", secret.len());
                }
            }
        }
        assert_ne!(lines, 0, "nothing was logged, so nothing was looked through");
    }
}

impl Reply {
    /// The session id in the cookie.
    pub(crate) fn sid(&self) -> Option<String> {
        let sid = self.cookie.as_ref()?.strip_prefix("__sid__=")?.split(';').next()?;
        (!sid.is_empty()).then(|| sid.to_owned())
    }

    pub(crate) fn signed_in(&self) -> SignedIn {
        let text = |name: &str| self.data[name].as_str().unwrap().to_owned();
        SignedIn { user_id: text("user_id"), token: text("token"), sid: self.sid().unwrap() }
    }
}

/// Whether the secret is in the line. Six digits can be a part of a request id or of a duration; that is no code.
fn has_word(line: &str, secret: &str) -> bool {
    let is_joined = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    let is_short = secret.len() <= 6;
    line.match_indices(secret).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + secret.len()..]);
        !is_short || !(is_joined(before.chars().next_back()) || is_joined(after.chars().next()))
    })
}

/// One call of the embedded DynamoDB's API.
pub(crate) async fn dynamodb(bed: &Bed, operation: &str, body: &Value) -> Value {
    dynamodb_of("DynamoDB_20120810", bed, operation, body).await
}

/// The same, of that API or of the one of its streams.
pub(crate) async fn dynamodb_of(api: &str, bed: &Bed, operation: &str, body: &Value) -> Value {
    let target = format!("{api}.{operation}");
    let headers = [
        ("x-amz-target", target.as_str()),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-date", "20261122T000000Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/20261122/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
        ),
    ];
    let url = format!("{}/", bed.stage.dynamodb_url());
    let answer = client::send("POST", &url, &headers, body.to_string().into()).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    serde_json::from_slice(&answer.body).unwrap()
}

/// A number with the fixed code [`TEST_CODE`].
pub(crate) const TEST_NUMBER: &str = "13911110000";
/// One whose date has passed.
pub(crate) const EXPIRED_TEST_NUMBER: &str = "13911110001";
pub(crate) const TEST_CODE: &str = "042424";

/// The settings with those two numbers.
pub(crate) fn with_test_numbers(settings: &str) -> String {
    let number = |phone, expires| {
        format!("\n[[veri_code.test_numbers]]\nphone = \"{phone}\"\ncode = \"{TEST_CODE}\"\nexpires = \"{expires}\"\n")
    };
    settings.to_owned() + &number(TEST_NUMBER, "2999-12-31") + &number(EXPIRED_TEST_NUMBER, "2020-01-01")
}

/// The settings without the limits by address and by range of numbers, for a test that stands for many people.
pub(crate) fn for_crowds(settings: &str) -> String {
    let rows = ["sends_per_ip", "sends_per_prefix", "sends_per_block", "sends_per_area"];
    settings.lines().filter(|line| !rows.iter().any(|row| line.contains(row))).collect::<Vec<_>>().join("\n")
}

/// A good registration.
pub(crate) fn applicant(phone: &str, code: &str) -> Value {
    json!({ "user_name": "张三", "gender": 1, "birth_day": "1990-01-02", "phone": phone, "veri_code": code })
}

/// A code that is not that one.
pub(crate) fn other_than(code: &str) -> String {
    if code == "000000" { "000001".to_owned() } else { "000000".to_owned() }
}
