//! The events that a function is measured with: those of `infra/local/events` with users who are there, so that each succeeds.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::emulator::{Emulator, FLOOR, PEER};
use crate::people::{COOL_DOWN_SECS, People, registration};
use crate::sandbox::Sandbox;
use crate::{Result, now};

/// Users of a page, and pages that one user may request in a minute.
const PAGE: usize = 20;
const PAGES: usize = 60;

const PHONE_OF_FILES: &str = "13800138000";

/// The cookie of a client, and its body; that of the file where it is null.
type Client = (Option<String>, Value);

/// Makes `count` events of a function, on stores as they are.
pub(crate) fn events(emulator: &mut Emulator, function: &str, count: usize) -> Result<Vec<Vec<u8>>> {
    if function == "admin_audit" {
        run(emulator, "audit", PAGE)?;
    } else if function == "send_sms" {
        emulator.invoked.try_iter().for_each(drop);
        run(emulator, "veri_code", count)?;
        return Ok(emulator.invoked.try_iter().collect());
    }
    let (people, event) = (&mut emulator.people, template(function, PHONE_OF_FILES)?);
    let events = if event["requestContext"].is_object() {
        requests(people, function, count)?
    } else {
        of_aws(&template(function, &people.users(1)?[0])?, count)?
    };
    Ok(events.iter().map(|event| event.to_string().into_bytes()).collect())
}

/// Has a function serve events that others follow from.
fn run(emulator: &mut Emulator, function: &str, count: usize) -> Result<()> {
    let (events, environment) = (events(emulator, function, count)?, emulator.environment(function)?);
    let mut sandbox = Sandbox::start(&[], &emulator.bin_dir.join(function), &environment, Stdio::null())?;
    events.into_iter().try_for_each(|event| check(function, &sandbox.serve(event)?.1))
}

/// Requests of clients, as events of API Gateway.
pub(crate) fn requests(people: &mut People, function: &str, count: usize) -> Result<Vec<Value>> {
    let (mut phone, event) = (PHONE_OF_FILES.to_owned(), template(function, PHONE_OF_FILES)?);
    let clients: Vec<Client> = match function {
        PEER => (0..count).map(|id| (None, json!({ "id": format!("p{id}"), "name": "name", "price": 12.5 }))).collect(),
        "veri_code" => people.phones(count).iter().map(|phone| (None, json!({ "phone": phone }))).collect(),
        "register" | "login" => {
            let is_login = function == "login";
            let phones = if is_login { people.users(count)? } else { people.phones(count) };
            let codes = people.codes(&phones)?;
            let body = |phone: &String, code| {
                if is_login { json!({ "phone": phone, "veri_code": code }) } else { registration(phone, code) }
            };
            phones.iter().zip(&codes).map(|(phone, code)| (None, body(phone, code))).collect()
        }
        "change_phone" | "delete_account" => with_own_codes(people, function, count)?,
        // The one ends its session, the other may be requested a few times a day.
        "logout" | "user_export" => {
            people.sessions(count)?.into_iter().map(|cookie| (Some(cookie), Value::Null)).collect()
        }
        "user_index" => {
            let cookies = people.sessions(PAGE.max(count.div_ceil(PAGES)))?;
            (0..count).map(|at| (Some(cookies[at / PAGES].clone()), Value::Null)).collect()
        }
        admin if admin.starts_with("admin_") => {
            let (own, cookie) = people.admin()?;
            phone = own;
            vec![(Some(cookie), Value::Null); count]
        }
        _ if event["cookies"].is_array() => vec![(Some(people.sessions(1)?.remove(0)), Value::Null); count],
        _ => vec![(None, Value::Null); count],
    };
    let event = template(function, &phone)?;
    Ok(clients.into_iter().map(|client| filled(&event, &people.address(), client)).collect())
}

fn with_own_codes(people: &mut People, function: &str, count: usize) -> Result<Vec<Client>> {
    let phones = people.users(count)?;
    let cookies = people.sign_in(&phones)?;
    people.advance(COOL_DOWN_SECS)?;
    let mut bodies: Vec<_> = people.codes(&phones)?.iter().map(|code| json!({ "veri_code": code })).collect();
    if function == "change_phone" {
        let news = people.phones(count);
        let codes = people.codes(&news)?;
        for (body, (phone, code)) in bodies.iter_mut().zip(news.iter().zip(codes)) {
            *body = json!({ "phone": phone, "veri_code": code, "old_veri_code": body["veri_code"] });
        }
    }
    Ok(cookies.into_iter().map(Some).zip(bodies).collect())
}

/// The event of a function in `infra/local/events`, of that user.
fn template(function: &str, phone: &str) -> Result<Value> {
    let name = if [FLOOR, PEER].contains(&function) { "fallback" } else { function };
    let file = Path::new("infra/local/events").join(name).with_extension("json");
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(serde_json::from_str(&text.replace(PHONE_OF_FILES, phone))?)
}

/// A request from that address, with the headers of a browser.
fn filled(event: &Value, address: &str, (cookie, body): Client) -> Value {
    let mut event = event.clone();
    if let Some(cookie) = cookie {
        event["cookies"] = json!([cookie]);
    }
    if !body.is_null() {
        event["body"] = body.to_string().into();
    }
    let length = event["body"].as_str().unwrap_or_default().len();
    let headers = [
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "zh-CN,zh;q=0.8,en;q=0.5"),
        ("content-length", &length.to_string()),
        ("content-type", "application/json"),
        ("host", "k3xampl3.execute-api.us-east-1.amazonaws.com"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("x-amzn-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"),
        ("x-forwarded-for", address),
    ];
    for (name, value) in headers {
        event["headers"][name] = value.into();
    }
    event["requestContext"]["http"]["sourceIp"] = address.into();
    event["requestContext"]["timeEpoch"] = now().as_millisecond().into();
    event
}

/// A request as a client of the emulator sends it: the head without its end, and the body.
pub(crate) fn message(event: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (path, query) = (text(&event["rawPath"]), text(&event["rawQueryString"]));
    let head = format!(
        "{} {path}?{query} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\nuser-agent: bench\r\n\
         content-type: application/json\r\ncookie: {}\r\nx-stage-source-ip: {}\r\n",
        text(&event["requestContext"]["http"]["method"]),
        text(&event["cookies"][0]),
        text(&event["requestContext"]["http"]["sourceIp"]),
    );
    (head, text(&event["body"]))
}

/// Events of a job a day apart, of a task, or of a stream with one change of one user; none of them is in the future.
fn of_aws(event: &Value, count: usize) -> Result<Vec<Value>> {
    let now = now();
    let (now_ms, now_secs) = (now.as_millisecond(), now.as_second());
    let numbered = |number: usize| -> Result<Value> {
        let (mut event, id, next) = (event.clone(), format!("{number:032x}"), (number + 2).to_string());
        let day = now.checked_sub(SignedDuration::from_hours(24 * i64::try_from(count - number)?))?;
        for (member, value) in [
            ("/id", json!(id)),
            ("/time", json!(day.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())),
            ("/task_id", json!(id)),
            ("/time_epoch_ms", json!(now_ms)),
            ("/spawned_at_ms", json!(now_ms)),
            ("/Records/0/eventID", json!(id)),
            ("/Records/0/dynamodb/SequenceNumber", json!(next)),
            ("/Records/0/dynamodb/ApproximateCreationDateTime", json!(now_secs)),
            ("/Records/0/dynamodb/NewImage/update_time/N", json!(now_ms.to_string())),
            ("/Records/0/dynamodb/NewImage/epoch/N", json!(next)),
            ("/Records/0/dynamodb/NewImage/version/N", json!(next)),
        ] {
            if let Some(found) = event.pointer_mut(member) {
                *found = value;
            }
        }
        Ok(event)
    };
    (0..count).map(numbered).collect()
}

/// Whether that is what a function answers when it succeeds.
pub(crate) fn check(function: &str, response: &[u8]) -> Result<()> {
    let response: Value = serde_json::from_slice(response).unwrap_or_default();
    let code = |body| serde_json::from_str::<Value>(body).unwrap_or_default()["code"].as_i64();
    let succeeded = match (function, response["body"].as_str()) {
        (FLOOR, _) => true,
        (PEER, _) => response["statusCode"] == 201,
        ("fallback", body) => body.and_then(code) == Some(51404),
        (_, Some(body)) => code(body) == Some(0),
        (_, None) => response["batchItemFailures"].as_array().is_none_or(Vec::is_empty),
    };
    if succeeded { Ok(()) } else { Err(format!("{function}: {response}").into()) }
}
