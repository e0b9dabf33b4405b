//! The events that a function is measured with: real requests on real state, each of which takes the good way.
//!
//! | function | event |
//! | --- | --- |
//! | `fallback` | an unknown path |
//! | `veri_code` | a phone that nobody has used, from an address that nobody has used |
//! | `register` | such a phone, with the code of its message |
//! | `login` | a registered phone, with the code of its second message |
//! | `logout` | a session that was opened for it |
//! | `change_phone` | a session, with codes to its phone and to one that nobody has used |
//! | `delete_account` | a session, with a code to its phone |
//! | `user_index` | a page of 20 users, by session |
//! | `user_me`, `user_update`, `user_token`, `user_sessions`, `end_sessions` | by session |
//! | `user_export` | by a session that was opened for it |
//! | `admin_user`, `admin_update` | by session, about the admin's own phone |
//! | `send_sms` | what `veri_code` handed to Lambda |
//! | a job | a scheduled time that has not been yet |

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::Failure;
use crate::sandbox::{Answer, Sandbox};
use crate::service::{PREFIX, Service, applicant};

/// Rows of a page of the index.
const PAGE: usize = 20;

/// Makes `count` events for the function, on stores that have nothing else.
pub(crate) fn prepare(
    service: &mut Service,
    function: &str,
    count: usize,
    stage_dir: &Path,
) -> Result<Vec<Vec<u8>>, Failure> {
    service.reset()?;
    more(service, function, count, stage_dir)
}

/// The same, on stores as they are.
pub(crate) fn more(
    service: &mut Service,
    function: &str,
    count: usize,
    stage_dir: &Path,
) -> Result<Vec<Vec<u8>>, Failure> {
    if let Some((method, path, body)) = of_own(function) {
        let cookie = service.sessions(1)?.remove(0);
        return Ok((0..count).map(|_| request(service, method, path, &[&cookie], body)).collect());
    }
    match function {
        "fallback" => Ok((0..count).map(|_| request(service, "GET", "/nowhere", &[], "")).collect()),
        "veri_code" => {
            let phones = service.phones(count);
            let bodies = phones.iter().map(|phone| json!({ "phone": phone }));
            Ok(posts(service, "/user/veri_code", bodies))
        }
        "register" => {
            let phones = service.phones(count);
            let codes = service.codes(&phones, 1)?;
            let bodies = phones.iter().zip(&codes).map(|(phone, code)| applicant(phone, code));
            Ok(posts(service, "/user/register", bodies))
        }
        "login" => {
            let phones = service.users(count)?;
            let codes = service.codes(&phones, 2)?;
            let attempt = |(phone, code)| json!({ "phone": phone, "veri_code": code });
            Ok(posts(service, "/user/login", phones.iter().zip(&codes).map(attempt)))
        }
        "logout" => {
            let cookies = service.sessions(count)?;
            let end = |cookie: &String| request(service, "POST", "/user/logout", &[cookie], "");
            Ok(cookies.iter().map(end).collect())
        }
        "change_phone" | "delete_account" => {
            let (olds, cookies) = service.owners(count)?;
            let old_codes = service.codes(&olds, 3)?;
            let is_change = function == "change_phone";
            let news = if is_change { service.phones(count) } else { Vec::new() };
            let new_codes = service.codes(&news, 1)?;
            let mut events = Vec::with_capacity(count);
            for (at, (cookie, old_code)) in cookies.iter().zip(&old_codes).enumerate() {
                let (path, body) = if is_change {
                    let body = json!({ "phone": news[at], "veri_code": new_codes[at], "old_veri_code": old_code });
                    ("/user/change_phone", body)
                } else {
                    ("/user/delete", json!({ "veri_code": old_code }))
                };
                events.push(request(service, "POST", path, &[cookie], &body.to_string()));
            }
            Ok(events)
        }
        "user_index" => {
            let cookie = service.sessions(PAGE)?.remove(0);
            let path = format!("/user/index?limit={PAGE}");
            Ok((0..count).map(|_| request(service, "GET", &path, &[&cookie], "")).collect())
        }
        "user_export" => {
            let cookies = service.sessions(count)?;
            Ok(cookies.iter().map(|cookie| request(service, "GET", "/user/export", &[cookie], "")).collect())
        }
        "admin_user" | "admin_update" => {
            let (phone, cookie) = service.admin()?;
            let (method, path, body) = match function {
                "admin_user" => ("GET", format!("/admin/user?phone={phone}"), String::new()),
                _ => ("POST", "/admin/update".to_owned(), json!({ "phone": phone, "reset_tries": true }).to_string()),
            };
            Ok((0..count).map(|_| request(service, method, &path, &[&cookie], &body)).collect())
        }
        "send_sms" => {
            let codes = more(service, "veri_code", count, stage_dir)?;
            let environment = service.environment("veri_code")?;
            let mut sandbox = Sandbox::start(&stage_dir.join("veri_code"), &environment)?;
            service.invoked();
            for event in codes {
                check("veri_code", &sandbox.serve(event)?.answer)?;
            }
            Ok(service.invoked())
        }
        job => ticks(job, count),
    }
}

/// Method, path and body of what a user asks for by session as often as it likes.
fn of_own(function: &str) -> Option<(&'static str, &'static str, &'static str)> {
    match function {
        "user_me" => Some(("GET", "/user/me", "")),
        "user_update" => Some(("POST", "/user/update", r#"{"user_name":"a","city":"310100"}"#)),
        "user_token" => Some(("POST", "/user/token", "")),
        "user_sessions" => Some(("GET", "/user/sessions", "")),
        "end_sessions" => Some(("POST", "/user/end_sessions", r#"{"others":true}"#)),
        _ => None,
    }
}

/// Endpoints that answer the good way with code 0.
const ENDPOINTS: [&str; 15] = [
    "change_phone",
    "delete_account",
    "veri_code",
    "register",
    "login",
    "logout",
    "user_index",
    "user_me",
    "user_update",
    "user_token",
    "user_sessions",
    "end_sessions",
    "user_export",
    "admin_user",
    "admin_update",
];

/// Whether there are events for the function; jobs are all alike.
pub(crate) fn is_known(service: &mut Service, function: &str) -> Result<bool, Failure> {
    Ok(ENDPOINTS.contains(&function) || ["fallback", "send_sms"].contains(&function) || service.is_job(function)?)
}

/// Whether that is the answer of the good way.
pub(crate) fn check(function: &str, answer: &Answer) -> Result<(), Failure> {
    let code = || {
        let response: Value = serde_json::from_slice(&answer.body).ok()?;
        serde_json::from_str::<Value>(response["body"].as_str()?).ok()?["code"].as_i64()
    };
    let is_good = answer.is_response
        && match function {
            endpoint if ENDPOINTS.contains(&endpoint) => code() == Some(0),
            "fallback" => code() == Some(51404),
            _ => true,
        };
    if is_good { Ok(()) } else { Err(format!("{function}: {}", String::from_utf8_lossy(&answer.body)).into()) }
}

fn posts(service: &mut Service, path: &str, bodies: impl Iterator<Item = Value>) -> Vec<Vec<u8>> {
    bodies.map(|body| request(service, "POST", path, &[], &body.to_string())).collect()
}

/// An event of API Gateway, payload format 2.0, with the headers of a browser.
pub(crate) fn request(
    service: &mut Service,
    method: &str,
    path_and_query: &str,
    cookies: &[&String],
    body: &str,
) -> Vec<u8> {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let is_known = path.starts_with("/user/") || path.starts_with("/admin/");
    let route = if is_known { format!("{method} /{{stage}}/iwc/badge{path}") } else { "$default".to_owned() };
    let path = if is_known { format!("{PREFIX}{path}") } else { path.to_owned() };
    let address = service.address();
    let now = wall();
    let domain = "k3xampl3.execute-api.us-east-1.amazonaws.com";
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let mut event = json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "accept": "application/json",
            "accept-encoding": "gzip, deflate, br, zstd",
            "accept-language": "zh-CN,zh;q=0.8,en;q=0.5",
            "content-length": body.len().to_string(),
            "content-type": "application/json",
            "host": domain,
            "user-agent": agent,
            "x-amzn-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            "x-forwarded-for": address,
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "k3xampl3",
            "domainName": domain,
            "domainPrefix": "k3xampl3",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": address, "userAgent": agent },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.as_millisecond(),
        },
        "isBase64Encoded": false,
    });
    if is_known {
        event["pathParameters"] = json!({ "stage": "local" });
    }
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if let Some((name, value)) = query.split_once('=') {
        event["queryStringParameters"] = json!({ name: value });
    }
    if !body.is_empty() {
        event["body"] = json!(body);
    }
    event.to_string().into_bytes()
}

/// Events of EventBridge, a day apart.
fn ticks(job: &str, count: usize) -> Result<Vec<Vec<u8>>, Failure> {
    let mut time = wall();
    let mut events = Vec::with_capacity(count);
    for id in 0..count {
        time = time.checked_sub(SignedDuration::from_hours(24))?;
        let event = json!({
            "version": "0",
            "id": id.to_string(),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "resources": [format!("arn:aws:scheduler:us-east-1:000000000000:schedule/default/badge-local-{job}")],
            "detail": {},
        });
        events.push(event.to_string().into_bytes());
    }
    Ok(events)
}

#[expect(clippy::disallowed_methods, reason = "the gateway's stamp is the machine's time")]
fn wall() -> Timestamp {
    Timestamp::now()
}
