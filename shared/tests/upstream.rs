//! Faults of the packages under `shared::lambda`, as they are. A test that fails here says that upstream has fixed one,
//! and that a guard of ours can go. `docs/upstream.md` lists them.

use std::panic::catch_unwind;

use http::header::{AUTHORIZATION, COOKIE};
use lambda_http::aws_lambda_events::alb::AlbTargetGroupRequest;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use lambda_http::request::LambdaRequest;
use lambda_http::{Request, RequestExt};
use serde_json::{Value, json};

/// Members of an event of format 2.0, and what makes it one.
fn http_api(mut event: Value) -> serde_json::Result<LambdaRequest> {
    event["requestContext"]["http"]["method"] = "GET".into();
    serde_json::from_value::<ApiGatewayV2httpRequest>(event).map(LambdaRequest::ApiGatewayV2)
}

fn rest_api(mut event: Value) -> serde_json::Result<LambdaRequest> {
    event["httpMethod"] = "GET".into();
    event["requestContext"]["httpMethod"] = "GET".into();
    serde_json::from_value::<ApiGatewayProxyRequest>(event).map(LambdaRequest::ApiGatewayV1)
}

fn load_balancer(mut event: Value) -> serde_json::Result<LambdaRequest> {
    event["httpMethod"] = "GET".into();
    event["requestContext"]["elb"] = json!({});
    serde_json::from_value::<AlbTargetGroupRequest>(event).map(LambdaRequest::Alb)
}

#[test]
fn the_conversion_panics_at_what_a_client_wrote() {
    let host = json!({ "host": "a b" });
    for event in [
        http_api(json!({ "rawPath": "/", "headers": host })),
        rest_api(json!({ "path": "/", "headers": host })),
        load_balancer(json!({ "path": "/", "headers": host })),
        http_api(json!({ "rawPath": "/", "headers": { "host": "a", "x-forwarded-proto": "a b" } })),
        http_api(json!({ "rawPath": ":x" })),
        http_api(json!({ "rawPath": "/", "rawQueryString": "name=\"x\"" })),
        http_api(json!({ "rawPath": "/", "body": "{", "isBase64Encoded": true })),
        rest_api(json!({ "path": "/", "multiValueQueryStringParameters": { "name": [] } })),
    ] {
        let event = event.unwrap();
        let text = format!("{event:?}");
        assert!(catch_unwind(|| Request::from(event)).is_err(), "{text}");
    }
}

#[test]
fn one_bad_cookie_loses_the_others() {
    let request = Request::from(http_api(json!({ "rawPath": "/", "cookies": ["a=1", "b=\u{1}"] })).unwrap());
    assert_eq!(request.headers().get(COOKIE), None);
}

#[test]
fn an_empty_list_of_cookies_replaces_the_header() {
    let event = json!({ "rawPath": "/", "cookies": [], "headers": { "cookie": "a=1" } });
    assert_eq!(Request::from(http_api(event).unwrap()).headers()[COOKIE], "");
}

#[test]
fn the_last_value_of_a_header_replaces_the_list_of_all() {
    let event = json!({
        "path": "/", "headers": { "authorization": "b" }, "multiValueHeaders": { "authorization": ["a", "b"] }
    });
    for event in [rest_api(event.clone()), load_balancer(event)] {
        let request = Request::from(event.unwrap());
        let values: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
        assert_eq!(values, ["b"]);
    }
}

#[test]
fn the_resource_of_a_rest_api_is_dropped() {
    let request = Request::from(rest_api(json!({ "path": "/", "resource": "/{proxy+}" })).unwrap());
    let context = serde_json::to_value(request.request_context()).unwrap();
    assert_eq!(context["resourcePath"], Value::Null);
}

#[test]
fn one_bad_header_fails_the_whole_event() {
    for headers in [json!({ "x": "a\u{1}" }), json!({ "a b": "x" }), json!({ "x": null })] {
        assert!(http_api(json!({ "rawPath": "/", "headers": headers })).is_err(), "{headers}");
    }
}

#[test]
fn null_is_absent_in_one_type_and_an_error_in_another() {
    assert!(rest_api(json!({ "isBase64Encoded": null, "queryStringParameters": null })).is_ok());
    assert!(http_api(json!({ "isBase64Encoded": null })).is_err());
    assert!(load_balancer(json!({ "queryStringParameters": null })).is_err());
}

#[test]
fn an_event_is_tried_as_every_type_in_turn() {
    // Of format 2.0 by its context, and without the method that each such event has.
    let event = json!({ "httpMethod": "POST", "path": "/", "requestContext": { "elb": {}, "http": {} } });
    let read: LambdaRequest = serde_json::from_value(event).unwrap();
    assert!(matches!(read, LambdaRequest::Alb(_)));
}

#[test]
fn no_method_is_taken_for_get() {
    let event = json!({ "rawPath": "/", "requestContext": { "http": { "method": "" } } });
    let event: ApiGatewayV2httpRequest = serde_json::from_value(event).unwrap();
    assert_eq!(event.request_context.http.method, http::Method::GET);
}
