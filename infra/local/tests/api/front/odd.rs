//! Events that a library cannot make a request of: the answer is a bad request in the front's shape, or the usual one, and
//! the sandbox goes on.

use serde_json::{Value, json};

use super::event::{FRONTS, Front, Sent};
use super::{now_ms, read};
use support::{TestApp, TestAppBuilder, code};

/// Hosts, or what stands in their place.
const HOSTS: [&str; 14] =
    ["", " ", "a b", "[", "[::1", "a:99999", "a:b", "%", "a<b>", "a@b@c", ":443", "/", "#", "\u{5f20}.example"];

/// Schemes, or what stands in their place: two proxies make a list.
const SCHEMES: [&str; 10] =
    ["", " ", "https, http", "https,http", "1", "ht tp", "a:b", "file", "javascript", "\u{5f20}"];

const PATHS: [&str; 18] = [
    "",
    " ",
    "x",
    ":x",
    ":99999",
    "?",
    "#",
    "@",
    "[",
    "*",
    "//",
    "/\\",
    "/%",
    "/%00",
    "/\u{0}",
    "/a b",
    "/\u{5f20}",
    "/a?b#c",
];

const QUERIES: [&str; 8] = ["a b", "%", "%zz", "\"", "\u{5f20}", "\u{0}", "?", "#"];

/// Longer than a URL may be.
const LONG: usize = 70_000;

/// An event, and what a function that reads it without complaint answers.
type Case = (String, Value, i64);

fn cases(front: Front) -> Vec<Case> {
    let good = || front.event(&Sent::post("/user/login", json!({})), now_ms());
    let path_name = if matches!(front, Front::HttpApi | Front::FunctionUrl) { "rawPath" } else { "path" };
    let knows_routes = matches!(front, Front::HttpApi | Front::RestApi);
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |name: String, code: i64, change: &dyn Fn(&mut Value)| {
        let mut event = good();
        change(&mut event);
        cases.push((name.chars().take(60).collect(), event, code));
    };
    let header = |event: &mut Value, name: &str, value: &str| {
        for place in ["headers", "multiValueHeaders"] {
            let Some(headers) = event.get_mut(place).and_then(Value::as_object_mut) else { continue };
            headers.retain(|known, _| !known.eq_ignore_ascii_case(name));
            headers.insert(name.to_owned(), if place == "headers" { value.into() } else { json!([value]) });
        }
    };
    let long = "a".repeat(LONG);
    for host in HOSTS.into_iter().chain([long.as_str()]) {
        add(format!("host {host:?}"), code::PARAMS_INVALID, &|event| header(event, "host", host));
    }
    for scheme in SCHEMES.into_iter().chain([&long[..80]]) {
        add(format!("scheme {scheme:?}"), code::PARAMS_INVALID, &|event| header(event, "x-forwarded-proto", scheme));
    }
    for path in PATHS {
        // A front that knows routes has chosen one, whatever the path looks like.
        let code = if knows_routes { code::PARAMS_INVALID } else { code::NOT_FOUND };
        add(format!("path {path:?}"), code, &|event| {
            event[path_name] = path.into();
            event["requestContext"]["path"] = path.into();
        });
        add(format!("path {path:?} without a host"), code, &|event| {
            event[path_name] = path.into();
            event["requestContext"]["path"] = path.into();
            event["requestContext"]["domainName"] = Value::Null;
            for place in ["headers", "multiValueHeaders"] {
                if let Some(headers) = event.get_mut(place).and_then(Value::as_object_mut) {
                    headers.retain(|name, _| !name.eq_ignore_ascii_case("host"));
                }
            }
        });
    }
    for query in QUERIES.into_iter().chain([long.as_str()]) {
        add(format!("query {query:?}"), code::PARAMS_INVALID, &|event| {
            event["rawQueryString"] = query.into();
            event["queryStringParameters"] = json!({ "": "", query: query });
        });
    }
    for text in ["\n", "a=b\r\nc: d", "\u{0}", "a=\u{7f}", "\u{5f20}"] {
        add(format!("cookie {text:?}"), code::PARAMS_INVALID, &|event| event["cookies"] = json!([text, "a=b"]));
        add(format!("header {text:?}"), code::PARAMS_INVALID, &|event| header(event, "x-odd", text));
        add(format!("header with the name {text:?}"), code::PARAMS_INVALID, &|event| header(event, text, "x"));
    }
    cases
}

/// How often a sandbox of `login` was started.
async fn cold_starts(app: &TestApp) -> Value {
    let state = app.control("GET", "state", "").await;
    let functions = state["functions"].as_array().unwrap().iter();
    functions.clone().find(|one| one["name"].as_str().unwrap().ends_with("login")).unwrap()["cold_starts"].clone()
}

#[tokio::test]
async fn an_event_that_is_no_good_request_is_answered_and_its_sandbox_goes_on() {
    let opening = TestAppBuilder::new().options(|options| options.sandbox_limit = 1);
    opening
        .run(async |app| {
            let mut wrong = Vec::new();
            for front in FRONTS {
                let good = front.event(&Sent::post("/user/login", json!({})), now_ms());
                for (name, event, usual) in cases(front) {
                    let answer = read(front, app.invoke_function("login", &event).await);
                    let is_good =
                        answer.code == usual || (answer.code == code::BAD_REQUEST && answer.msg == "Bad Request");
                    let next = read(front, app.invoke_function("login", &good).await).code;
                    if !is_good || next != code::PARAMS_INVALID {
                        wrong.push(format!("{front:?}, {name}: {} {}, and then {next}", answer.code, answer.msg));
                    }
                }
            }
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
            assert_eq!(cold_starts(app).await, 1, "one sandbox has answered them all");
        })
        .await;
}

#[tokio::test]
async fn a_body_that_is_not_the_base64_that_it_is_said_to_be_is_a_bad_request() {
    let opening = TestAppBuilder::new().options(|options| options.sandbox_limit = 1);
    opening
        .run(async |app| {
            for front in FRONTS {
                for body in ["{}", "=", "====", "a", "e30", "e3 0=", "e30=\n\n", "\u{5f20}", "e-_="] {
                    let mut event = front.event(&Sent::post("/user/login", json!({})), now_ms());
                    event["body"] = body.into();
                    event["isBase64Encoded"] = true.into();
                    let answer = read(front, app.invoke_function("login", &event).await);
                    assert_eq!(
                        (answer.code, answer.msg.as_str()),
                        (code::BAD_REQUEST, "Bad Request"),
                        "{front:?}: {body:?}"
                    );
                }
                let mut event = front.event(&Sent::post("/user/login", json!({})), now_ms());
                (event["body"], event["isBase64Encoded"]) = ("e30=".into(), true.into());
                assert_eq!(
                    read(front, app.invoke_function("login", &event).await).code,
                    code::PARAMS_INVALID,
                    "{front:?}"
                );
            }
            assert_eq!(cold_starts(app).await, 1, "one sandbox has answered them all");
        })
        .await;
}
