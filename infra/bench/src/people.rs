//! Users of an emulator, made by its API and its control API: phones, codes, accounts and sessions.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::Result;
use crate::http::{Connection, Response};
use crate::sandbox::Environment;

/// Seconds after which a phone may request another code.
pub(crate) const COOL_DOWN_SECS: u32 = 61;

pub(crate) struct People {
    front: Connection,
    used: u32,
    messages: HashMap<String, usize>,
}

impl People {
    pub(crate) fn of(url: &str) -> Result<Self> {
        let front = Connection::open(url.trim_start_matches("http://"))?;
        Ok(Self { front, used: 0, messages: HashMap::new() })
    }

    pub(crate) fn reset(&mut self) -> Result<()> {
        self.messages.clear();
        self.control("POST", "reset", &Value::Null).map(drop)
    }

    pub(crate) fn control(&mut self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let response = self.send(method, &format!("/_stage/{path}"), body)?;
        Ok(serde_json::from_slice(&response.body)?)
    }

    pub(crate) fn environment(&mut self, function: &str) -> Result<Environment> {
        let response = self.send("GET", &format!("/_stage/environment?function={function}"), &Value::Null)?;
        let lines = String::from_utf8(response.body)?;
        let variables = lines.lines().filter_map(|line| line.split_once('='));
        Ok(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(crate) fn address(&mut self) -> String {
        self.used += 1;
        let [_, a, b, c] = self.used.to_be_bytes();
        format!("10.{a}.{b}.{c}")
    }

    /// Phones that nobody has used, spread over the ranges of numbers so that no limit by range is reached.
    pub(crate) fn phones(&mut self, count: usize) -> Vec<String> {
        let phone = |_| {
            self.used += 1;
            let range = ["130", "131", "132", "133", "135", "136", "137", "138", "139"][self.used as usize % 9];
            format!("{range}{:08}", u64::from(self.used) * 61_803_399 % 100_000_000)
        };
        (0..count).map(phone).collect()
    }

    /// The codes of messages that are sent to the phones now.
    pub(crate) fn codes(&mut self, phones: &[String]) -> Result<Vec<String>> {
        let mut codes = Vec::with_capacity(phones.len());
        // The inbox keeps 10,000 messages.
        for some in phones.chunks(1000) {
            for phone in some {
                self.post("/user/veri_code", &json!({ "phone": phone }))?;
                *self.messages.entry(phone.clone()).or_default() += 1;
            }
            for phone in some {
                let path = format!("sms?phone={phone}&count={}&wait=10s", self.messages[phone]);
                let messages = self.control("GET", &path, &Value::Null)?;
                codes.push(messages[0]["code"].as_str().ok_or_else(|| format!("no message: {messages}"))?.to_owned());
            }
        }
        Ok(codes)
    }

    /// So many registered users, by phone, who may request another code at once.
    pub(crate) fn users(&mut self, count: usize) -> Result<Vec<String>> {
        let phones = self.phones(count);
        for (phone, code) in phones.iter().zip(self.codes(&phones)?) {
            self.post("/user/register", &registration(phone, &code))?;
        }
        self.advance(COOL_DOWN_SECS)?;
        Ok(phones)
    }

    pub(crate) fn sign_in(&mut self, phones: &[String]) -> Result<Vec<String>> {
        let mut cookies = Vec::with_capacity(phones.len());
        for (phone, code) in phones.iter().zip(self.codes(phones)?) {
            let response = self.post("/user/login", &json!({ "phone": phone, "veri_code": code }))?;
            cookies.push(response.cookie.ok_or("a login without a cookie")?);
        }
        Ok(cookies)
    }

    pub(crate) fn sessions(&mut self, count: usize) -> Result<Vec<String>> {
        let phones = self.users(count)?;
        self.sign_in(&phones)
    }

    pub(crate) fn admin(&mut self) -> Result<(String, String)> {
        let phones = self.users(1)?;
        self.control("POST", "users/rights", &json!({ "phone": phones[0], "change": "promote" }))?;
        Ok((phones[0].clone(), self.sign_in(&phones)?.remove(0)))
    }

    pub(crate) fn advance(&mut self, secs: u32) -> Result<()> {
        self.control("POST", "clock", &json!({ "advance_s": secs })).map(drop)
    }

    fn post(&mut self, path: &str, body: &Value) -> Result<Response> {
        let response = self.send("POST", &format!("/local/iwc/badge{path}"), body)?;
        let reply: Value = serde_json::from_slice(&response.body)?;
        if reply["code"] == 0 { Ok(response) } else { Err(format!("{path}: {reply}").into()) }
    }

    fn send(&mut self, method: &str, path: &str, body: &Value) -> Result<Response> {
        let address = self.address();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nx-stage-source-ip: {address}\r\n"
        );
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.front.send(&head, body.as_bytes())?;
        let response = self.front.response()?;
        if response.status == 200 {
            return Ok(response);
        }
        Err(format!("{path}: {} {}", response.status, String::from_utf8_lossy(&response.body)).into())
    }
}

pub(crate) fn registration(phone: &str, code: &str) -> Value {
    json!({ "user_name": "张三", "gender": 1, "birth_day": "1990-01-02", "phone": phone, "veri_code": code })
}
