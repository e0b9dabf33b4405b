//! The requests that a stage is loaded with, and the state that they need. Each takes the good way.

use std::collections::HashMap;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Failure;
use crate::load::client::{self, Client, Request};
use crate::load::process::Staged;
use crate::service::{PREFIX, applicant};

/// Rows of a page of the index.
const PAGE: usize = 20;

/// Longer than the cool-down of a phone.
const COOL_DOWN_SECS: u32 = 61;

/// Clients that prepare.
const CLIENTS: usize = 8;

/// Messages that the inbox of a stage keeps.
const MAX_MESSAGES: usize = 10_000;

/// What is asked of a stage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An unknown path, which the smallest function answers without asking anyone: what the stage itself costs.
    Fallback,
    /// A code for a phone that nobody has used. The message is part of it.
    VeriCode,
    Register,
    Login,
    /// A page of 20 users, by session.
    Index,
}

/// The newest message to each phone.
type Messages = HashMap<String, Message>;

struct Message {
    id: String,
    code: String,
}

/// People and phones that have not been used on this stage.
struct People<'a> {
    stage: &'a Staged,
    control: Client,
    count: u32,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Fallback, Self::VeriCode, Self::Register, Self::Login, Self::Index];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The function behind it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            Self::VeriCode => "veri_code",
            Self::Register => "register",
            Self::Login => "login",
            Self::Index => "user_index",
        }
    }

    /// What every answer contains.
    pub(crate) fn answer(self) -> &'static str {
        match self {
            Self::Fallback => "\"code\":51404,",
            _ => "\"code\":0,",
        }
    }

    /// Requests that the service answered in a second which this bundle replaces, with one worker and its load on two
    /// cores.
    pub(crate) fn old_service(self) -> Option<f64> {
        match self {
            Self::Fallback | Self::VeriCode => None,
            Self::Register => Some(1_282.0),
            Self::Login => Some(1_616.0),
            Self::Index => Some(728.0),
        }
    }
}

/// So many requests of that kind, on a stage that has nothing else stored.
pub(crate) fn prepare(stage: &Staged, kind: Kind, count: usize) -> Result<Vec<Request>, Failure> {
    let control = Client::new(stage.address())?;
    let mut people = People { stage, control, count: 0 };
    people.call_control("POST", "/_stage/reset", "{}")?;
    if count > MAX_MESSAGES && !matches!(kind, Kind::Fallback | Kind::Index) {
        return Err(format!("{count} requests need as many messages, and the inbox keeps {MAX_MESSAGES}").into());
    }
    match kind {
        Kind::Fallback => Ok((0..count).map(|_| people.request("GET", "/nowhere", None, String::new())).collect()),
        Kind::VeriCode => Ok(people.strangers(count).0),
        Kind::Register => people.applicants(count).map(|(requests, ..)| requests),
        Kind::Login => people.users(count),
        Kind::Index => people.readers(count),
    }
}

/// Waits until the stage has done what the requests have left behind.
pub(crate) fn settle(stage: &Staged, kind: Kind) -> Result<(), Failure> {
    if kind != Kind::VeriCode {
        return Ok(());
    }
    let mut control = Client::new(stage.address())?;
    let look = Request::new("GET", "/_stage/state", "127.0.0.1", None, String::new());
    loop {
        let (answer, _) = control.ask(&look)?;
        let functions = answer["functions"].as_array().into_iter().flatten();
        let counts: HashMap<_, _> =
            functions.filter_map(|one| Some((one["binary"].as_str()?, one["invocations"].as_u64()?))).collect();
        // Every code makes one message.
        if counts.get("send_sms") >= counts.get("veri_code") {
            return Ok(());
        }
        sleep(Duration::from_millis(2));
    }
}

impl People<'_> {
    /// A request from an address that nobody has used, so that no limit by address is met.
    fn request(&mut self, method: &str, path: &str, cookie: Option<&str>, body: String) -> Request {
        self.count += 1;
        let [_, a, b, c] = self.count.to_be_bytes();
        Request::new(method, path, &format!("10.{a}.{b}.{c}"), cookie, body)
    }

    fn post(&mut self, path: &str, body: &Value) -> Request {
        self.request("POST", &format!("{PREFIX}{path}"), None, body.to_string())
    }

    /// A request to the control API.
    fn call_control(&mut self, method: &str, path: &str, body: &str) -> Result<Value, Failure> {
        let request = self.request(method, path, None, body.to_owned());
        Ok(self.control.ask(&request)?.0)
    }

    /// Requests for codes, and their phones, spread over the ranges of numbers so that no limit by range is met.
    fn strangers(&mut self, count: usize) -> (Vec<Request>, Vec<String>) {
        let phones: Vec<_> = (0..count)
            .map(|person| {
                let range = ["130", "131", "132", "133", "135", "136", "137", "138", "139"][person % 9];
                format!("{range}{:08}", person as u64 * 61_803_399 % 100_000_000)
            })
            .collect();
        (self.ask_for_codes(&phones), phones)
    }

    fn ask_for_codes(&mut self, phones: &[String]) -> Vec<Request> {
        phones.iter().map(|phone| self.post("/user/veri_code", &json!({ "phone": phone }))).collect()
    }

    /// Registrations, with their phones and the messages that their codes are from.
    fn applicants(&mut self, count: usize) -> Result<(Vec<Request>, Vec<String>, Messages), Failure> {
        let (requests, phones) = self.strangers(count);
        self.drive(&requests)?;
        let messages = self.messages(&phones, &HashMap::new())?;
        let register = |phone: &String| applicant(phone, &messages[phone].code);
        let requests = phones.iter().map(|phone| self.post("/user/register", &register(phone))).collect();
        Ok((requests, phones, messages))
    }

    /// Logins of users who have a code.
    fn users(&mut self, count: usize) -> Result<Vec<Request>, Failure> {
        let (requests, phones, messages) = self.applicants(count)?;
        self.drive(&requests)?;
        self.call_control("POST", "/_stage/clock", &json!({ "advance_s": COOL_DOWN_SECS }).to_string())?;
        let requests = self.ask_for_codes(&phones);
        self.drive(&requests)?;
        let messages = self.messages(&phones, &messages)?;
        let login = |phone: &String| json!({ "phone": phone, "veri_code": messages[phone].code });
        Ok(phones.iter().map(|phone| self.post("/user/login", &login(phone))).collect())
    }

    /// Requests of a page by someone who is signed in.
    fn readers(&mut self, count: usize) -> Result<Vec<Request>, Failure> {
        let login = self.users(PAGE)?.remove(0);
        let (answer, cookie) = self.control.ask(&login)?;
        let cookie = cookie.ok_or_else(|| format!("a login without a cookie: {answer}"))?;
        let path = format!("{PREFIX}/user/index?limit={PAGE}");
        Ok((0..count).map(|_| self.request("GET", &path, Some(&cookie), String::new())).collect())
    }

    fn drive(&mut self, requests: &[Request]) -> Result<(), Failure> {
        let mut clients = Client::several(self.stage.address(), CLIENTS)?;
        client::drive(&mut clients, requests, "\"code\":0,").map(drop)
    }

    /// The newest message to each phone, once it is another than the one that is known.
    fn messages(&mut self, phones: &[String], known: &Messages) -> Result<Messages, Failure> {
        loop {
            let list = self.call_control("GET", "/_stage/sms", "")?;
            let mut messages = HashMap::new();
            // The newest is the first.
            for message in list.as_array().into_iter().flatten() {
                let text = |key: &str| message[key].as_str().unwrap_or_default();
                let phone = text("phone").trim_start_matches("+86");
                if known.get(phone).is_none_or(|known| known.id != text("id")) {
                    let message = || Message { id: text("id").to_owned(), code: text("code").to_owned() };
                    messages.entry(phone.to_owned()).or_insert_with(message);
                }
            }
            if phones.iter().all(|phone| messages.contains_key(phone)) {
                return Ok(messages);
            }
            sleep(Duration::from_millis(50));
        }
    }
}
