//! The app under test: a running emulator, what clients do with it, and the search of its logs at the end.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use local::{Emulator, Options};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::client::{self, HttpResponse, send};
use crate::repository::Repository;

/// The prefix of every route of the service.
pub const PREFIX: &str = "/local/iwc/badge";

/// A running emulator with empty stores.
#[derive(Debug)]
pub struct TestApp {
    /// The emulator.
    pub emulator: Emulator,
    /// Its folder.
    pub repository: Repository,
    options: Options,
    phones: AtomicU32,
    /// What no log may contain.
    secrets: Mutex<BTreeSet<String>>,
}

/// A reply of the service.
#[derive(Debug, Clone)]
pub struct Reply {
    /// See [`crate::code`].
    pub code: i64,
    /// The message.
    pub msg: String,
    /// The data.
    pub data: Value,
    /// Absent, null or a cursor.
    pub next: Option<Value>,
    /// `Set-Cookie`.
    pub cookie: Option<String>,
    /// `X-Request-Id`.
    pub request_id: String,
}

/// The result of a login.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The user's id.
    pub user_id: String,
    /// A JSON web token.
    pub token: String,
    /// The id of the session.
    pub sid: String,
}

impl TestApp {
    pub(crate) fn new(emulator: Emulator, options: Options, repository: Repository) -> Self {
        Self { emulator, repository, options, phones: AtomicU32::new(0), secrets: Mutex::default() }
    }

    /// An app with the function `probe` alone.
    pub async fn with_probe() -> Self {
        Repository::new().start(|_| {}).await
    }

    /// Kills the emulator, and starts it again.
    pub async fn restart(self) -> Self {
        let Self { emulator, repository, options, phones, secrets } = self;
        drop(emulator);
        let emulator = Emulator::start(options.clone()).await.unwrap();
        Self { emulator, repository, options, phones, secrets }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.emulator.url())
    }

    /// A request to the control API, which must succeed; `null` is an empty body.
    pub async fn control(&self, method: &str, path: &str, body: impl Display) -> Value {
        let body = Some(body.to_string()).filter(|body| body != "null").unwrap_or_default();
        let response = send(method, &self.url(&format!("/_stage/{path}")), &[], body).await;
        assert_eq!(response.status, 200, "{method} {path}: {}", response.text());
        response.json()
    }

    /// `GET` of the control API.
    pub async fn inspect(&self, path: &str) -> Value {
        self.control("GET", path, "").await
    }

    /// Replaces all faults; `{}` clears them.
    pub async fn fail(&self, faults: &Value) {
        self.control("PUT", "faults", faults).await;
    }

    /// Moves the clock, and waits until all events on the way have ended.
    pub async fn advance(&self, secs: u64) {
        self.control("POST", "clock", json!({ "advance_s": secs })).await;
    }

    /// Moves the clock to the next midnight of the stage, or to the second behind it, so that a whole day is ahead. Tests that
    /// count days, or what is allowed in one, begin here: a real midnight may come while they run.
    pub async fn advance_to_midnight(&self) {
        // Not to the time itself, which may have passed by now.
        self.advance(self.rest_of_day().await.as_secs() + 1).await;
    }

    /// What is left until the next midnight of the stage.
    pub(crate) async fn rest_of_day(&self) -> Duration {
        let clock = self.inspect("state").await["clock"].clone();
        let time = |name: &str| clock[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        time("midnight").duration_since(time("now")).unsigned_abs()
    }

    /// The last invocations, newest first.
    pub async fn invocations(&self) -> Vec<Value> {
        self.inspect("invocations").await.as_array().unwrap().clone()
    }

    /// The state of the function with that binary.
    pub async fn function(&self, binary: &str) -> Value {
        let state = self.inspect("state").await;
        let functions = state["functions"].as_array().unwrap();
        functions.iter().find(|function| function["binary"] == binary).unwrap().clone()
    }

    /// The state of a schedule.
    pub async fn schedule(&self, name: &str) -> Value {
        let state = self.inspect("state").await;
        state["schedules"].as_array().unwrap().iter().find(|schedule| schedule["name"] == name).unwrap().clone()
    }

    /// All dead letters, newest first.
    pub async fn dead_letters(&self) -> Vec<Value> {
        self.inspect("dead_letters").await.as_array().unwrap().clone()
    }

    /// Invokes a function by the AWS double, as `name` spells it.
    pub async fn invoke(&self, name: &str, kind: &str, payload: &Value) -> HttpResponse {
        let aws_url = self.aws_url().await;
        let url = format!("{aws_url}/2015-03-31/functions/{name}/invocations");
        client::post_signed(&url, "lambda", &[("x-amz-invocation-type", kind)], payload.to_string()).await
    }

    /// Invokes a function of the service, which must not fail; returns its response.
    pub async fn invoke_function(&self, function: &str, event: &Value) -> Value {
        let response = self.invoke(&format!("badge-local-{function}:live"), "RequestResponse", event).await;
        assert_eq!(response.header("x-amz-function-error"), None, "{}", response.text());
        response.json()
    }

    /// The address of the AWS doubles.
    pub async fn aws_url(&self) -> String {
        self.inspect("state").await["aws_url"].as_str().unwrap().to_owned()
    }

    /// Sends a command to the probe.
    pub async fn probe(&self, command: &Value) -> HttpResponse {
        client::post(&self.url("/test/probe"), command).await
    }

    /// What the probe receives.
    pub async fn echo(&self) -> Value {
        self.probe(&json!({})).await.json()
    }

    /// A number that nobody else in this app has, as people write it.
    pub fn phone(&self) -> String {
        let phone = format!("1390000{:04}", self.phones.fetch_add(1, Ordering::Relaxed));
        self.add_secret(&phone);
        phone
    }

    /// Adds a text that no log may contain.
    pub fn add_secret(&self, secret: &str) {
        self.secrets.lock().insert(secret.to_owned());
    }

    /// A request to the service; the path is that behind [`PREFIX`]. Checks what the contract says of every reply.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        self.send_to(method, &format!("{PREFIX}{path}"), headers, body).await
    }

    /// The same to any path.
    pub async fn send_to(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        let response = send(method, &self.url(path), headers, body).await;
        let text = response.text();
        assert_eq!(response.status, 200, "{method} {path}: {text}");
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        let mut value = response.json();
        assert!(text.starts_with("{\"code\":") && !value["data"].is_null(), "{text}");
        let reply = Reply {
            code: value["code"].as_i64().unwrap(),
            msg: value["msg"].as_str().unwrap().to_owned(),
            next: value.get("next").cloned(),
            data: value["data"].take(),
            cookie: response.header("set-cookie").map(str::to_owned),
            request_id: response.header("x-request-id").unwrap().to_owned(),
        };
        assert_eq!(value.as_object().unwrap().len(), if reply.next.is_some() { 4 } else { 3 }, "{text}");
        let credentials = ["token", "device", "session"].map(|name| reply.data[name].as_str().map(str::to_owned));
        for secret in credentials.into_iter().chain([reply.sid()]).flatten() {
            self.add_secret(&secret);
        }
        reply
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// The messages to a phone, newest first, once there are so many.
    pub async fn messages(&self, phone: &str, at_least: usize) -> Vec<Value> {
        let list =
            self.inspect(&format!("sms?phone={phone}&count={at_least}&wait=20s")).await.as_array().unwrap().clone();
        assert!(list.len() >= at_least, "{} messages to {phone}", list.len());
        list
    }

    /// Requests a code and reads it from the newest message that has one, once there are `nth` to this phone: a notice from before may
    /// arrive behind it.
    pub async fn code(&self, phone: &str, nth: usize) -> String {
        let reply = self.post("/user/veri_code", &json!({ "phone": phone })).await;
        assert_eq!(reply.code, 0, "{reply:?}");
        let messages = self.messages(phone, nth).await;
        let code = messages.iter().find_map(|message| message["code"].as_str()).unwrap().to_owned();
        self.add_secret(&code);
        code
    }

    /// `POST` of JSON, from an address and perhaps a known device.
    pub async fn post_from(&self, path: &str, source_ip: &str, device: Option<&str>, body: &Value) -> Reply {
        let device = device.map(|token| ("x-device", token));
        let headers: Vec<_> = std::iter::once(("x-stage-source-ip", source_ip)).chain(device).collect();
        self.send("POST", path, &headers, body.to_string()).await
    }

    /// Registers a new user, and waits for the cool-down of the phone.
    pub async fn register(&self, phone: &str) -> String {
        self.registered(phone).await["user_id"].as_str().unwrap().to_owned()
    }

    /// The token of the device on which a new user has registered; waits for the cool-down of the phone.
    pub async fn known_device(&self, phone: &str) -> String {
        self.registered(phone).await["device"].as_str().unwrap().to_owned()
    }

    async fn registered(&self, phone: &str) -> Value {
        let code = self.code(phone, 1).await;
        let reply = self.post("/user/register", &applicant(phone, &code)).await;
        assert_eq!(reply.code, 0, "{reply:?}");
        self.advance(61).await;
        reply.data
    }

    /// Signs a registered user in, with the second message to the phone.
    pub async fn log_in(&self, phone: &str) -> SignedIn {
        let code = self.code(phone, 2).await;
        let reply = self.post("/user/login", &json!({ "phone": phone, "veri_code": code })).await;
        assert_eq!(reply.code, 0, "{reply:?}");
        reply.signed_in()
    }

    /// A new user who has just signed in.
    pub async fn somebody(&self) -> SignedIn {
        self.user().await.1
    }

    /// The phone of a new user, who has just signed in.
    pub async fn user(&self) -> (String, SignedIn) {
        let phone = self.phone();
        self.register(&phone).await;
        let signed_in = self.log_in(&phone).await;
        (phone, signed_in)
    }

    /// The phone of a new admin, who has just signed in as one.
    pub async fn admin(&self) -> (String, SignedIn) {
        let phone = self.phone();
        self.register(&phone).await;
        self.change_rights(&phone, "promote").await;
        let signed_in = self.log_in(&phone).await;
        (phone, signed_in)
    }

    /// Changes the rights of a registered user, as operators do.
    pub async fn change_rights(&self, phone: &str, change: &str) {
        self.control("POST", "users/rights", json!({ "phone": phone, "change": change })).await;
    }

    /// The signing key of a secret.
    pub fn key(&self, name: &str) -> String {
        let file = fs::read(self.repository.file("state/secrets.json")).unwrap();
        let secrets: Value = serde_json::from_slice(&file).unwrap();
        let secret = secrets[format!("badge/local/{name}")]["value"].as_str().unwrap();
        serde_json::from_str::<Value>(secret).unwrap()["key"].as_str().unwrap().to_owned()
    }

    /// The last invocation of one request.
    async fn invocation(&self, request_id: &str) -> Value {
        let mut invocations = self.inspect("invocations?limit=1000").await;
        let mut found = invocations.as_array_mut().unwrap().iter_mut();
        found.find(|one| one["request_id"] == request_id).unwrap().take()
    }

    /// How long a function took to answer, without the wait for a sandbox and for this machine's other work.
    pub async fn duration(&self, reply: &Reply) -> Duration {
        Duration::from_secs_f64(self.invocation(&reply.request_id).await["duration_ms"].as_f64().unwrap() / 1000.0)
    }

    /// The log lines of one request.
    pub async fn log(&self, request_id: &str) -> Vec<Value> {
        let invocation = self.invocation(request_id).await;
        let lines = invocation["log"].as_array().unwrap();
        lines.iter().map(|line| serde_json::from_str(line.as_str().unwrap()).unwrap()).collect()
    }

    /// All log files as one text.
    pub fn logs(&self) -> String {
        let files = fs::read_dir(self.repository.file("logs")).unwrap().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap()).collect()
    }

    /// Stops the emulator and searches its logs for secrets.
    pub async fn finish(self) {
        let Self { emulator, repository, secrets, .. } = self;
        emulator.stop().await;
        let mut lines = 0;
        for file in fs::read_dir(repository.file("logs")).unwrap().flatten() {
            for line in fs::read_to_string(file.path()).unwrap().lines().map(without_calls) {
                lines += usize::from(file.file_name().to_string_lossy().starts_with("badge-"));
                if let Some(secret) = secrets.lock().iter().find(|secret| has_word(&line, secret)) {
                    panic!("a secret of {} characters is in {line}", secret.len());
                }
            }
        }
        assert_ne!(lines, 0, "nothing was logged, so nothing was searched");
    }
}

impl Reply {
    /// The id of the session in the cookie.
    #[must_use]
    pub fn sid(&self) -> Option<String> {
        let sid = self.cookie.as_ref()?.strip_prefix("__sid__=")?.split(';').next()?;
        (!sid.is_empty()).then(|| sid.to_owned())
    }

    /// The reply to a login.
    #[must_use]
    pub fn signed_in(&self) -> SignedIn {
        let text = |name: &str| self.data[name].as_str().unwrap().to_owned();
        SignedIn { user_id: text("user_id"), token: text("token"), sid: self.sid().unwrap() }
    }
}

/// A line without its round trips: of some thousand microseconds, one can be a code by chance.
fn without_calls(line: &str) -> String {
    let parts = line.split_once("\"calls\":[").and_then(|(head, tail)| Some((head, tail.split_once("]]")?.1)));
    parts.map_or_else(|| line.to_owned(), |(head, tail)| format!("{head}{tail}"))
}

/// Whether the secret is in the line. Six digits may be a part of a request id or of a duration; that is no code.
fn has_word(line: &str, secret: &str) -> bool {
    let is_joined = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    let is_short = secret.len() <= 6;
    line.match_indices(secret).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + secret.len()..]);
        !is_short || !(is_joined(before.chars().next_back()) || is_joined(after.chars().next()))
    })
}

/// A valid registration.
#[must_use]
pub fn applicant(phone: &str, code: &str) -> Value {
    json!({ "user_name": "张三", "gender": 1, "birth_day": "1990-01-02", "phone": phone, "veri_code": code })
}

/// A code that is not that one.
#[must_use]
pub fn other_than(code: &str) -> String {
    if code == "000000" { "000001".to_owned() } else { "000000".to_owned() }
}
