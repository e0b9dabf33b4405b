//! The service around the sandbox that is measured: a local stage with its real stores, which also makes the state that
//! real requests need. What the stage itself costs is not measured: the sandbox is none of its own.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use local::{Emulator, Options};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::invoked::Invoked;
use crate::options::Tls;
use crate::sandbox::Environment;
use crate::settings;
use crate::tls::Fronts;
use crate::wire::Wire;

/// What stands before the routes of stage `local`.
pub(crate) const PREFIX: &str = "/local/iwc/badge";

/// Longer than the cool-down of a phone.
const COOL_DOWN_SECS: u32 = 61;

/// The stage, and a connection to its front.
pub(crate) struct Service {
    stage: Emulator,
    runtime: Runtime,
    front: Wire,
    invoked: Invoked,
    people: u32,
    fronts: Option<Fronts>,
    tls: Tls,
}

/// What the stage says of itself.
struct State(Value);

/// A response of the front.
pub(crate) struct Reply {
    pub(crate) body: Value,
    cookie: Option<String>,
}

impl Service {
    /// Brings up a stage of the repository at `root`, with functions from `bin_dir`.
    pub(crate) fn start(root: &Path, bin_dir: &Path, tls: Tls) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let task_root = settings::root(root, bin_dir)?;
        let options =
            Options { logs: None, state_dir: None, task_root, streams: false, ..Options::new(root, bin_dir, "local") };
        let stage = runtime.block_on(Emulator::start(options))?;
        let address = stage.url().trim_start_matches("http://").to_owned();
        let front = Wire::new(TcpStream::connect(address)?)?;
        let fronts = if tls == Tls::Nothing { None } else { Some(Fronts::new()?) };
        Ok(Self { stage, runtime, front, invoked: Invoked::listen()?, people: 0, fronts, tls })
    }

    pub(crate) fn stop(self) {
        self.runtime.block_on(self.stage.stop());
    }

    /// Functions by their folders' names, endpoints first.
    pub(crate) fn functions(&mut self) -> Result<Vec<String>, Failure> {
        let state = self.state()?;
        let mut functions: Vec<_> = state.functions().collect();
        // Without a measurement nothing is found wrong.
        if functions.is_empty() {
            return Err(format!("the stage tells of no function: {}", state.0).into());
        }
        functions.sort_by_key(|function| {
            (function["routes"].as_array().is_none_or(Vec::is_empty), function["binary"].to_string())
        });
        Ok(functions.iter().filter_map(|function| function["binary"].as_str()).map(str::to_owned).collect())
    }

    /// Where the cache answers: `redis://host:port`.
    pub(crate) fn cache_url(&self) -> String {
        self.stage.cache_url()
    }

    /// Where DynamoDB answers.
    pub(crate) fn dynamodb_url(&self) -> String {
        self.stage.direct_dynamodb_url()
    }

    /// Whether a client waits for the function.
    pub(crate) fn is_endpoint(&mut self, function: &str) -> Result<bool, Failure> {
        self.has(function, "routes")
    }

    /// Whether a schedule starts the function.
    pub(crate) fn is_job(&mut self, function: &str) -> Result<bool, Failure> {
        self.has(function, "schedules")
    }

    fn has(&mut self, function: &str, list: &str) -> Result<bool, Failure> {
        let state = self.state()?;
        let found = state.functions().find(|one| one["binary"] == function);
        Ok(found.is_some_and(|found| found[list].as_array().is_some_and(|list| !list.is_empty())))
    }

    /// The variables of a sandbox, with everything reached over TLS that was asked for.
    pub(crate) fn environment_over_tls(&mut self, function: &str) -> Result<Environment, Failure> {
        let mut environment = self.environment(function)?;
        let Some(fronts) = &self.fronts else { return Ok(environment) };
        for (name, value) in &mut environment {
            let (plain, secure) = match name.as_str() {
                "CACHE_URL" => ("redis://", "rediss://"),
                name if name.starts_with("AWS_ENDPOINT_URL") && self.tls == Tls::Stores => ("http://", "https://"),
                _ => continue,
            };
            if let Some(to) = value.strip_prefix(plain) {
                *value = format!("{secure}{}", fronts.before(to)?);
            }
        }
        // The second is the name that AWS's own tools know.
        let authority = |name: &str| (name.to_owned(), fronts.authority());
        environment.extend([authority("CACHE_CA_FILE"), authority("AWS_CA_BUNDLE")]);
        Ok(environment)
    }

    /// The variables of a sandbox of that function, as the stage sets them for its own, except that the stores are
    /// reached without the fault proxies, and that Lambda takes every event and does nothing.
    pub(crate) fn environment(&mut self, function: &str) -> Result<Environment, Failure> {
        self.wake(function)?;
        let state = self.state()?;
        let process = state.process(function).ok_or_else(|| format!("the stage has no sandbox of {function}"))?;
        let text = String::from_utf8(fs::read(format!("/proc/{process}/environ"))?)?;
        let variables = text.split_terminator('\0').filter_map(|variable| variable.split_once('='));
        Ok(variables
            .map(|(name, value)| {
                let value = match name {
                    "CACHE_URL" => self.stage.cache_url(),
                    "AWS_ENDPOINT_URL_DYNAMODB" => self.stage.direct_dynamodb_url(),
                    "AWS_ENDPOINT_URL_LAMBDA" => self.invoked.url(),
                    _ => value.to_owned(),
                };
                (name.to_owned(), value)
            })
            .collect())
    }

    /// Lets the stage start a sandbox of the function. How the call ends does not matter.
    fn wake(&mut self, function: &str) -> Result<(), Failure> {
        let state = self.state()?;
        let Some(found) = state.functions().find(|one| one["binary"] == function) else {
            return Err(format!("there is no function {function}").into());
        };
        let route = found["routes"].as_array().and_then(|routes| routes.first()?.as_str().map(str::to_owned));
        match (route.as_deref().and_then(|route| route.split_once(' ')), found["schedules"][0].is_string()) {
            (Some((method, path)), _) => self.send(method, &path.replace("{stage}", "local"), b"{}").map(drop),
            (None, true) => self.send("POST", &format!("/_stage/schedules/{function}"), b"{}").map(drop),
            (None, false) if found["routes"][0].is_string() => self.send("GET", "/nowhere", b"").map(drop),
            (None, false) => {
                let phones = self.phones(1);
                self.codes(&phones, 1).map(drop)
            }
        }
    }

    /// Empties the stores.
    pub(crate) fn reset(&mut self) -> Result<(), Failure> {
        self.send("POST", "/_stage/reset", b"").map(drop)
    }

    /// Events that Lambda has taken since the last call.
    pub(crate) fn invoked(&self) -> Vec<Vec<u8>> {
        self.invoked.take()
    }

    /// Another address for each request, so that no limit by address is met.
    pub(crate) fn address(&mut self) -> String {
        self.people += 1;
        let [_, a, b, c] = self.people.to_be_bytes();
        format!("10.{a}.{b}.{c}")
    }

    /// Phones that nobody has used, spread over the ranges of numbers, so that no limit by range is met.
    pub(crate) fn phones(&mut self, count: usize) -> Vec<String> {
        let phone = |person: u32| {
            let range = ["130", "131", "132", "133", "135", "136", "137", "138", "139"][person as usize % 9];
            format!("{range}{:08}", u64::from(person) * 61_803_399 % 100_000_000)
        };
        let first = self.people + 1;
        self.people += u32::try_from(count).unwrap_or(u32::MAX);
        (first..=self.people).map(phone).collect()
    }

    /// The code in the `nth` message to each phone, asked for now.
    pub(crate) fn codes(&mut self, phones: &[String], nth: usize) -> Result<Vec<String>, Failure> {
        for phone in phones {
            self.post("/user/veri_code", &json!({ "phone": phone }))?;
        }
        let mut codes = Vec::with_capacity(phones.len());
        for phone in phones {
            loop {
                let messages = self.send("GET", &format!("/_stage/sms?phone={phone}&wait=10s"), b"")?.body;
                let newest = messages.get(0).and_then(|message| message["code"].as_str());
                let newest = newest.ok_or_else(|| format!("no message to a phone: {messages}"))?;
                if messages.as_array().is_some_and(|messages| messages.len() >= nth) {
                    codes.push(newest.to_owned());
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(codes)
    }

    /// So many registered users, by phone. Their phones may be asked for another code at once.
    pub(crate) fn users(&mut self, count: usize) -> Result<Vec<String>, Failure> {
        let phones = self.phones(count);
        let codes = self.codes(&phones, 1)?;
        for (phone, code) in phones.iter().zip(&codes) {
            self.post("/user/register", &applicant(phone, code))?;
        }
        self.send("POST", "/_stage/clock", json!({ "advance_s": COOL_DOWN_SECS }).to_string().as_bytes())?;
        Ok(phones)
    }

    /// The cookies of so many users who are signed in.
    pub(crate) fn sessions(&mut self, count: usize) -> Result<Vec<String>, Failure> {
        let phones = self.users(count)?;
        self.sign_in(&phones)
    }

    /// The phones of users, each with the cookie of a session, after the cool-down of the phones.
    pub(crate) fn owners(&mut self, count: usize) -> Result<(Vec<String>, Vec<String>), Failure> {
        let phones = self.users(count)?;
        let cookies = self.sign_in(&phones)?;
        self.send("POST", "/_stage/clock", json!({ "advance_s": COOL_DOWN_SECS }).to_string().as_bytes())?;
        Ok((phones, cookies))
    }

    fn sign_in(&mut self, phones: &[String]) -> Result<Vec<String>, Failure> {
        let codes = self.codes(phones, 2)?;
        let mut cookies = Vec::with_capacity(phones.len());
        for (phone, code) in phones.iter().zip(&codes) {
            let reply = self.post("/user/login", &json!({ "phone": phone, "veri_code": code }))?;
            cookies.push(reply.cookie.ok_or("a login without a cookie")?);
        }
        Ok(cookies)
    }

    /// The phone of an admin, and the cookie of its session.
    pub(crate) fn admin(&mut self) -> Result<(String, String), Failure> {
        let phones = self.users(1)?;
        let change = json!({ "phone": phones[0], "change": "promote" });
        self.send("POST", "/_stage/users/rights", change.to_string().as_bytes())?;
        let attempt = json!({ "phone": phones[0], "veri_code": self.codes(&phones, 2)?[0] });
        let reply = self.post("/user/login", &attempt)?;
        Ok((phones[0].clone(), reply.cookie.ok_or("a login without a cookie")?))
    }

    fn post(&mut self, path: &str, body: &Value) -> Result<Reply, Failure> {
        let reply = self.send("POST", &format!("{PREFIX}{path}"), body.to_string().as_bytes())?;
        if reply.body["code"] == 0 { Ok(reply) } else { Err(format!("{path}: {}", reply.body).into()) }
    }

    fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Reply, Failure> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nx-stage-source-ip: {}\r\n",
            self.address()
        );
        self.front.write(&head, body)?;
        let message = self.front.read()?.ok_or("the stage has closed the connection")?;
        let cookie = message.header("set-cookie").and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        let body = serde_json::from_slice(&message.body)
            .map_err(|_| format!("{path}: {} {}", message.start, String::from_utf8_lossy(&message.body)))?;
        Ok(Reply { body, cookie })
    }

    fn state(&mut self) -> Result<State, Failure> {
        Ok(State(self.send("GET", "/_stage/state", b"")?.body))
    }
}

impl State {
    fn functions(&self) -> impl Iterator<Item = &Value> {
        self.0["functions"].as_array().into_iter().flatten()
    }

    /// The process of one of the function's sandboxes.
    fn process(&self, function: &str) -> Option<u64> {
        self.functions().find(|one| one["binary"] == function)?["pids"].get(0)?.as_u64()
    }
}

/// The parameters of a registration.
pub(crate) fn applicant(phone: &str, code: &str) -> Value {
    json!({ "user_name": "张三", "gender": 1, "birth_day": "1990-01-02", "phone": phone, "veri_code": code })
}
