//! Fuzz targets for `infra/fuzz`; each asserts what must hold for any input. Behind the feature `fuzz`.

#![expect(clippy::unwrap_used, reason = "a panic is a finding")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use jiff::Timestamp;
use serde_json::Value;

use crate::faults::Plan;
use crate::gateway::{self, Context, Path, RouteTable};
use crate::template::Template;
use crate::template::Timetable;

const NOW: &str = "2026-11-22T07:37:00.5Z";

/// A schedule: the lines expression, time zone, a moment, start and end, moments in seconds since 1970.
pub fn schedule(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (Some(expression), Some(zone)) = (lines.next(), lines.next()) else { return };
    // From 1970 to 2220, a little more than AWS's range.
    let mut moment = || lines.next()?.parse::<i64>().ok().map(|s| s.rem_euclid(7_889_000_000));
    let [after, start, end] =
        [moment(), moment(), moment()].map(|secs| secs.and_then(|s| Timestamp::from_second(s).ok()));
    let timetable = match Timetable::new(expression, zone) {
        Ok(timetable) => timetable.between(start, end),
        Err(problem) => return assert!(!problem.is_empty()),
    };
    let after = after.unwrap_or_else(|| NOW.parse().unwrap());
    let origin = Timestamp::UNIX_EPOCH;
    let Some(next) = timetable.next(after, origin) else { return };
    assert!(next > after);
    if !expression.starts_with("at(") {
        assert!(start.is_none_or(|start| next >= start) && end.is_none_or(|end| next <= end));
    }
    // There is no time in between.
    let just_before = Timestamp::from_nanosecond(next.as_nanosecond() - 1).unwrap();
    assert_eq!(timetable.next(just_before, origin), Some(next));
    assert!(timetable.next(next, origin).is_none_or(|later| later > next));
}

/// A template.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parameters = BTreeMap::from([("Stage".to_owned(), "local".to_owned())]);
    let template = match Template::parse(text, &parameters) {
        Ok(template) => template,
        Err(error) => return assert!(!error.place.is_empty() && !error.problem.is_empty()),
    };
    for schedule in &template.schedules {
        assert!(template.functions.iter().any(|function| function.name == schedule.function));
        assert!((1..=64).contains(&schedule.name.len()));
    }
    let routes = template.functions.into_iter().flat_map(|function| function.routes);
    let _ = RouteTable::new(routes.map(|route| (route, ()))).find("GET", "/local/iwc/badge/user/index");
}

static ROUTES: LazyLock<RouteTable<()>> = LazyLock::new(|| {
    let parameters = ["Stage", "CacheUrl"].map(|name| (name.to_owned(), "local".to_owned()));
    let template = Template::parse(include_str!("../../template.yaml"), &parameters.into()).unwrap();
    RouteTable::new(template.functions.into_iter().flat_map(|function| function.routes).map(|route| (route, ())))
});

/// An HTTP request as bytes; returns its event.
#[must_use]
pub fn gateway(data: &[u8]) -> Option<Vec<u8>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    let body = &data[parsed.parse(data).ok().filter(httparse::Status::is_complete)?.unwrap()..];
    let mut request = Request::builder().method(parsed.method?).uri(parsed.path?);
    for header in parsed.headers.iter() {
        request = request.header(header.name, header.value);
    }
    let (head, ()) = request.body(()).ok()?.into_parts();
    let path = Path::read(head.uri.path())?;
    let found = ROUTES.find(head.method.as_str(), path.encoded)?;
    let context = Context {
        path: &path.decoded,
        route_key: &found.target.key,
        parameters: &found.parameters,
        request_id: "JKJaXmPLvHcESHA=",
        source_ip: "127.0.0.9",
        port: 9600,
        trace: "Root=1-0-0",
        now: NOW.parse().unwrap(),
    };
    let written = gateway::write_event(&head, body, &context).unwrap();
    let event: Value = serde_json::from_slice(&written).unwrap();
    assert!(event["headers"].get("cookie").is_none() && event["rawQueryString"] == head.uri.query().unwrap_or(""));
    assert!(event["requestContext"]["http"]["method"] == head.method.as_str());
    let sent = event["body"].as_str().unwrap_or_default();
    let sent = if event["isBase64Encoded"] == true { STANDARD.decode(sent).unwrap() } else { sent.into() };
    assert_eq!(sent, body);
    Some(written)
}

/// What `PUT /_stage/faults` takes.
pub fn faults(data: &[u8]) {
    let Ok(plan) = serde_json::from_slice::<Plan>(data) else { return };
    let written = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&written).unwrap(), plan);
}
