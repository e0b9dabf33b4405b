//! The event of payload format 2.0 for an HTTP request.
//!
//! Source: Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs".

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::account;

/// What the event has in addition to what the client sent.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// Decoded, see [`Path`](super::path::Path).
    pub(crate) path: &'a str,
    pub(crate) route_key: &'a str,
    pub(crate) parameters: &'a [(Arc<str>, String)],
    /// API Gateway's id, not that of the invocation.
    pub(crate) request_id: &'a str,
    pub(crate) source_ip: &'a str,
    pub(crate) port: u16,
    pub(crate) trace: &'a str,
    pub(crate) now: Timestamp,
}

/// The event as JSON.
pub(crate) fn write(head: &Parts, body: &[u8], context: &Context<'_>) -> serde_json::Result<Vec<u8>> {
    let query = head.uri.query().unwrap_or("");
    let text = |name: HeaderName| head.headers.get(name).map(text).unwrap_or_default();
    let (domain_name, user_agent) = (text(header::HOST), text(header::USER_AGENT));
    let (body, is_base64_encoded) = write_body(&head.headers, body);
    let event = Event {
        version: "2.0",
        route_key: context.route_key,
        raw_path: context.path,
        raw_query_string: query,
        cookies: cookies(&head.headers),
        headers: Headers { sent: &head.headers, context },
        query_string_parameters: query_parameters(query),
        path_parameters: (!context.parameters.is_empty()).then_some(PathParameters(context.parameters)),
        request_context: RequestContext {
            account_id: account::ACCOUNT,
            api_id: "local",
            domain_name: &domain_name,
            domain_prefix: domain_name.split(['.', ':']).next().unwrap_or(""),
            http: Http {
                method: head.method.as_str(),
                path: context.path,
                protocol: "HTTP/1.1",
                source_ip: context.source_ip,
                user_agent: &user_agent,
            },
            request_id: context.request_id,
            route_key: context.route_key,
            stage: "$default",
            time: context.now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            time_epoch: context.now.as_millisecond(),
        },
        body,
        is_base64_encoded,
    };
    let mut json = Vec::with_capacity(2_048);
    serde_json::to_writer(&mut json, &event)?;
    Ok(json)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'a str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: Headers<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<Cow<'a, str>, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_parameters: Option<PathParameters<'a>>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'a str,
    api_id: &'a str,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'a str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'a str,
    source_ip: &'a str,
    user_agent: &'a str,
}

/// The client's headers and those that API Gateway adds; names in lower case, repeated ones joined by a comma.
struct Headers<'a> {
    sent: &'a HeaderMap,
    context: &'a Context<'a>,
}

impl Headers<'_> {
    /// Not passed on: cookies have a list of their own, the others concern the connection.
    fn is_dropped(name: &HeaderName) -> bool {
        const DROPPED: [HeaderName; 6] = [
            header::COOKIE,
            header::CONNECTION,
            header::TE,
            header::TRAILER,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
        ];
        DROPPED.contains(name) || matches!(name.as_str(), "keep-alive" | "x-amzn-trace-id") || is_forwarded(name)
    }
}

fn is_forwarded(name: &HeaderName) -> bool {
    matches!(name.as_str(), "x-forwarded-for" | "x-forwarded-port" | "x-forwarded-proto")
}

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for name in self.sent.keys().filter(|name| !Self::is_dropped(name)) {
            map.serialize_entry(name.as_str(), &joined(self.sent, name, ","))?;
        }
        map.serialize_entry("x-amzn-trace-id", self.context.trace)?;
        let forwarded = joined(self.sent, &HeaderName::from_static("x-forwarded-for"), ", ");
        if forwarded.is_empty() {
            map.serialize_entry("x-forwarded-for", self.context.source_ip)?;
        } else {
            map.serialize_entry("x-forwarded-for", &format!("{forwarded}, {}", self.context.source_ip))?;
        }
        map.serialize_entry("x-forwarded-port", &self.context.port.to_string())?;
        map.serialize_entry("x-forwarded-proto", "http")?;
        map.end()
    }
}

struct PathParameters<'a>(&'a [(Arc<str>, String)]);

impl Serialize for PathParameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (&**name, value)))
    }
}

/// A value as text; API Gateway passes bytes beyond ASCII on as UTF-8.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// All values of a header in one text.
fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName, separator: &str) -> Cow<'a, str> {
    let mut values = headers.get_all(name).iter().map(text);
    let mut all = values.next().unwrap_or_default();
    for value in values {
        let all = all.to_mut();
        all.push_str(separator);
        all.push_str(&value);
    }
    all
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines: Vec<_> = headers.get_all(header::COOKIE).iter().map(text).collect();
    let cookies = lines.iter().flat_map(|line| line.split(';')).map(str::trim).filter(|cookie| !cookie.is_empty());
    cookies.map(str::to_owned).collect()
}

fn query_parameters(query: &str) -> BTreeMap<Cow<'_, str>, String> {
    let mut parameters = BTreeMap::<_, String>::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        parameters
            .entry(name)
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    parameters
}

/// The body as text when its type is one that API Gateway knows to be text, else as base64.
fn write_body<'a>(headers: &HeaderMap, body: &'a [u8]) -> (Option<Cow<'a, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(text) if headers.get(header::CONTENT_TYPE).is_some_and(is_text) => (Some(Cow::Borrowed(text)), false),
        _ => (Some(Cow::Owned(STANDARD.encode(body))), true),
    }
}

fn is_text(content_type: &HeaderValue) -> bool {
    let Ok(content_type) = content_type.to_str() else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let kind = essence.strip_prefix("application/").unwrap_or("");
    essence.starts_with("text/")
        || matches!(kind, "json" | "xml" | "javascript")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Request;
    use serde_json::{Value, json};

    use super::{Context, write};

    fn event(request: http::request::Builder, body: &[u8]) -> Value {
        let (head, ()) = request.body(()).unwrap().into_parts();
        let parameters = [(Arc::from("stage"), "local".to_owned())];
        let context = Context {
            path: "/local/login",
            route_key: "POST /{stage}/login",
            parameters: &parameters,
            request_id: "JKJaXmPLvHcESHA=",
            source_ip: "127.0.0.9",
            port: 9600,
            trace: "Root=1-0-0",
            now: "2026-11-22T07:37:00.5Z".parse().unwrap(),
        };
        serde_json::from_slice(&write(&head, body, &context).unwrap()).unwrap()
    }

    #[test]
    fn a_request_becomes_an_event_of_format_2() {
        let request = Request::post("/local/lo%67in?a=1&b=x%20y&a=2&c")
            .header("Host", "127.0.0.1:9600")
            .header("User-Agent", "test")
            .header("Content-Type", "application/json; charset=utf-8")
            .header("Cookie", "a=1; b=2")
            .header("Cookie", "c=3; n=张")
            .header("X-Many", "1")
            .header("X-Many", "2")
            .header("X-Forwarded-For", "10.0.0.1")
            .header("Connection", "keep-alive");
        assert_eq!(
            event(request, b"{}"),
            json!({
                "version": "2.0",
                "routeKey": "POST /{stage}/login",
                "rawPath": "/local/login",
                "rawQueryString": "a=1&b=x%20y&a=2&c",
                "cookies": ["a=1", "b=2", "c=3", "n=张"],
                "headers": {
                    "host": "127.0.0.1:9600",
                    "user-agent": "test",
                    "content-type": "application/json; charset=utf-8",
                    "x-many": "1,2",
                    "x-amzn-trace-id": "Root=1-0-0",
                    "x-forwarded-for": "10.0.0.1, 127.0.0.9",
                    "x-forwarded-port": "9600",
                    "x-forwarded-proto": "http",
                },
                "queryStringParameters": {"a": "1,2", "b": "x y", "c": ""},
                "pathParameters": {"stage": "local"},
                "requestContext": {
                    "accountId": "000000000000",
                    "apiId": "local",
                    "domainName": "127.0.0.1:9600",
                    "domainPrefix": "127",
                    "http": {
                        "method": "POST",
                        "path": "/local/login",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "127.0.0.9",
                        "userAgent": "test",
                    },
                    "requestId": "JKJaXmPLvHcESHA=",
                    "routeKey": "POST /{stage}/login",
                    "stage": "$default",
                    "time": "22/Nov/2026:07:37:00 +0000",
                    "timeEpoch": 1_795_333_020_500_i64,
                },
                "body": "{}",
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn missing_parts_are_absent() {
        let event = event(Request::get("/"), b"");
        for key in ["body", "cookies", "queryStringParameters"] {
            assert_eq!(event.get(key), None, "{key}");
        }
        assert_eq!(event["rawQueryString"], "");
    }

    #[test]
    fn a_body_that_is_not_text_is_base64() {
        for (kind, body, expected) in [
            ("application/x-www-form-urlencoded", b"a".as_slice(), json!("YQ==")),
            ("application/json", b"\xff".as_slice(), json!("/w==")),
            ("TEXT/plain", b"a".as_slice(), json!("a")),
            ("application/problem+json", b"a".as_slice(), json!("a")),
        ] {
            let event = event(Request::post("/").header("Content-Type", kind), body);
            assert_eq!(event["body"], expected, "{kind}");
            assert_eq!(event["isBase64Encoded"], expected != "a", "{kind}");
        }
        assert_eq!(event(Request::post("/"), b"a")["isBase64Encoded"], true);
    }
}
