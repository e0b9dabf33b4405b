//! Events of API Gateway (HTTP APIs and REST APIs), function URLs and load balancers, by the types of `lambda_http`,
//! with guards for what it converts badly; see `docs/upstream.md`.

use ::http::header::HOST;
use ::http::{HeaderMap, HeaderName, HeaderValue};
use lambda_http::aws_lambda_events::alb::AlbTargetGroupRequest;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use lambda_http::request::{LambdaRequest, RequestOrigin};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::Cause;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// An event, and the front whose shape the response takes. An event that cannot be read is answered too.
pub(super) struct FrontEvent {
    pub(super) origin: RequestOrigin,
    pub(super) request: Result<LambdaRequest, Cause>,
}

impl<'de> Deserialize<'de> for FrontEvent {
    /// Never fails: `lambda_runtime` would answer an error in the shape of no front.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = <&RawValue>::deserialize(deserializer);
        Ok(event.map_or_else(
            |_| Self { origin: RequestOrigin::ApiGatewayV2, request: Err(Cause::new("not JSON")) },
            |event| Self::read(event.get()),
        ))
    }
}

impl FrontEvent {
    /// Reads an event by the type of the front that made it. Each front has a member of its own in `requestContext`.
    fn read(event: &str) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Probe {
            request_context: Members,
        }
        #[derive(Deserialize)]
        struct Members {
            http: Option<IgnoredAny>,
            identity: Option<IgnoredAny>,
            elb: Option<IgnoredAny>,
        }
        let members = serde_json::from_str(event).map(|probe: Probe| probe.request_context);
        let (origin, request) = match members {
            Ok(Members { http: None, identity: Some(_), .. }) => (RequestOrigin::ApiGatewayV1, rest_api(event)),
            Ok(Members { http: None, elb: Some(_), .. }) => (RequestOrigin::Alb, load_balancer(event)),
            Ok(_) => (RequestOrigin::ApiGatewayV2, http_api(event)),
            Err(cause) => (RequestOrigin::ApiGatewayV2, Err(cause)),
        };
        // The message of an error can quote the event.
        Self { origin, request: request.map_err(|cause| Cause::new(&format!("{:?}", cause.classify()))) }
    }
}

/// An event of format 2.0: an HTTP API's, or a function URL's.
fn http_api(event: &str) -> serde_json::Result<LambdaRequest> {
    let mut event: ApiGatewayV2httpRequest = read(event)?;
    // All cookies become one header, which replaces the one that there is: one bad cookie would lose the others, and an
    // empty list a filled header.
    if let Some(cookies) = &mut event.cookies {
        cookies.retain(|cookie| HeaderValue::from_str(cookie).is_ok());
    }
    event.cookies = event.cookies.filter(|cookies| !cookies.is_empty());
    // Clients send characters in a query that cannot stand in a URI, at which the conversion would panic.
    if let Some(query) = event.raw_query_string.take() {
        event.query_string_parameters = query.parse().unwrap_or_default();
    }
    Ok(LambdaRequest::ApiGatewayV2(event))
}

/// An event of format 1.0: a REST API's, or that of an HTTP API that is set to it.
fn rest_api(event: &str) -> serde_json::Result<LambdaRequest> {
    let mut event: ApiGatewayProxyRequest = read(event)?;
    prefer_lists(&mut event.headers, &event.multi_value_headers);
    // The conversion drops `resource`, and keeps the context.
    event.request_context.resource_path = event.resource.take().or(event.request_context.resource_path);
    Ok(LambdaRequest::ApiGatewayV1(event))
}

fn load_balancer(event: &str) -> serde_json::Result<LambdaRequest> {
    let mut event: AlbTargetGroupRequest = read(event)?;
    prefer_lists(&mut event.headers, &event.multi_value_headers);
    Ok(LambdaRequest::Alb(event))
}

/// Reads an event. A null where the type wants a map is as if it were absent, which not every type knows; so an event that
/// cannot be read is read again without its nulls.
fn read<T: DeserializeOwned>(event: &str) -> serde_json::Result<T> {
    serde_json::from_str(event).or_else(|_| {
        let mut members: Map<String, Value> = serde_json::from_str(event)?;
        members.retain(|_, value| !value.is_null());
        // By way of text, because a second implementation of each type, for `Value`, would be 100 kB of every endpoint.
        serde_json::from_str(&Value::from(members).to_string())
    })
}

/// Removes headers that are in the lists too: in the conversion the last value of a header would replace its list. The
/// conversion makes a URL of two headers, which it takes from `headers` alone.
fn prefer_lists(headers: &mut HeaderMap, lists: &HeaderMap) {
    for name in lists.keys().filter(|name| **name != HOST && **name != FORWARDED_PROTO) {
        headers.remove(name);
    }
}
