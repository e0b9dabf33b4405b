//! Events that others have recorded or written down: those in the published sources of `aws_lambda_events` and
//! `lambda_http`. They are read where cargo has put them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::event::Front;
use super::read;
use support::{code, root, with_app};

/// Where they are, and how the names of the files begin.
const SOURCES: [(&str, &str, &[&str]); 2] = [
    ("aws_lambda_events", "src/fixtures", &["example-alb-", "example-apigw-", "example-vpc-lattice-"]),
    ("lambda_http", "tests/data", &[""]),
];

/// What is no request, or none of a front that there is here, by a part of the file's name, and how many there are.
const LEFT_OUT: [(&str, usize); 4] = [
    // A function that decides about requests is another function.
    ("-custom-auth-request", 2),
    ("-custom-authorizer-", 6),
    ("websocket-request", 3),
    // VPC Lattice is none of the four fronts, and this service has no network of services.
    ("lattice", 7),
];

/// What functions give, not what they get.
const RESPONSES: (&str, usize) = ("-response", 7);

/// Requests of each front.
const REQUESTS: [(Front, usize); 4] =
    [(Front::HttpApi, 12), (Front::RestApi, 10), (Front::LoadBalancer, 5), (Front::LoadBalancerLists, 3)];

/// What cargo says.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The folder of each package's sources.
fn folders() -> BTreeMap<String, PathBuf> {
    let version = cargo(&["--version", "--verbose"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // What other systems need was not fetched for this build. Whatever feature asks for the packages, they are there.
    let metadata = cargo(&["metadata", "--format-version", "1", "--filter-platform", host, "--all-features"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let text = |package: &Value, name: &str| package[name].as_str().unwrap().to_owned();
    packages
        .map(|package| (text(package, "name"), Path::new(&text(package, "manifest_path")).parent().unwrap().to_owned()))
        .collect()
}

/// Every recorded event, by the name of its file.
fn recorded() -> BTreeMap<String, Value> {
    let (folders, mut events) = (folders(), BTreeMap::new());
    for (package, place, beginnings) in SOURCES {
        for path in fs::read_dir(folders[package].join(place)).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let is_json = path.extension().is_some_and(|extension| extension == "json");
            if is_json && beginnings.iter().any(|beginning| name.starts_with(beginning)) {
                events.insert(name, serde_json::from_slice(&fs::read(&path).unwrap()).unwrap());
            }
        }
    }
    events
}

/// The front that has made an event, if it is one of ours.
fn front(event: &Value) -> Option<Front> {
    let context = &event["requestContext"];
    let is_there = |name: &str| !context[name].is_null();
    if is_there("http") {
        // A function URL writes what an HTTP API writes, and takes the same.
        Some(Front::HttpApi)
    } else if is_there("elb") {
        Some(if event["multiValueHeaders"].is_null() { Front::LoadBalancer } else { Front::LoadBalancerLists })
    } else {
        is_there("identity").then_some(Front::RestApi)
    }
}

/// Parts of names of what is left out, responses included.
fn is_left_out(name: &str) -> Option<&'static str> {
    let (responses, _) = RESPONSES;
    let parts = [responses].into_iter().chain(LEFT_OUT.map(|(part, _)| part));
    parts.into_iter().find(|part| name.contains(part))
}

#[tokio::test]
async fn every_recorded_request_is_answered_in_the_shape_of_its_front() {
    with_app(async |app| {
        let mut counts = [0; REQUESTS.len()];
        for (name, event) in recorded().iter().filter(|(name, _)| is_left_out(name).is_none()) {
            let front = front(event).unwrap_or_else(|| panic!("{name} is of no front"));
            let row = REQUESTS.iter().position(|(known, _)| *known == front).unwrap();
            counts[row] += 1;
            let answer = read(front, app.invoke_function("fallback", event).await);
            // Of a host with a placeholder in it the library cannot make a URL.
            if name == "example-apigw-console-request.json" {
                assert_eq!(answer.code, code::BAD_REQUEST, "{name}: {answer:?}");
                continue;
            }
            let is_unknown = answer.code == code::NOT_FOUND && answer.msg.starts_with("Requested URL ");
            assert!(is_unknown || answer.code == code::METHOD_NOT_ALLOWED, "{name}: {answer:?}");
            let method = event["requestContext"]["http"]["method"].as_str().or(event["httpMethod"].as_str());
            if method == Some("GET") {
                let answer = read(front, app.invoke_function("user_index", event).await);
                assert!(matches!(answer.code, code::NO_AUTH | code::NOT_LOGIN | code::NOT_FOUND), "{name}: {answer:?}");
            }
        }
        assert_eq!(counts, REQUESTS.map(|(_, count)| count), "{REQUESTS:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_recorded_and_no_request_of_a_front_is_answered_as_well() {
    with_app(async |app| {
        let mut counts = BTreeMap::<&str, usize>::new();
        for (name, event) in recorded() {
            let Some(part) = is_left_out(&name) else { continue };
            *counts.entry(part).or_default() += 1;
            let answer = app.invoke_function("fallback", &event).await;
            assert_eq!(answer["statusCode"], 200, "{name}: {answer}");
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            let code = body["code"].as_i64().unwrap();
            assert!(matches!(code, code::BAD_REQUEST | code::NOT_FOUND | code::METHOD_NOT_ALLOWED), "{name}: {body}");
            assert!(part != RESPONSES.0 || code == code::BAD_REQUEST, "{name}: {body}");
        }
        assert_eq!(counts, LEFT_OUT.into_iter().chain([RESPONSES]).collect());
    })
    .await;
}
