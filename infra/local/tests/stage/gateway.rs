//! The front: what a client and a function see of each other through API Gateway.

use serde_json::{Value, json};

use crate::bed::{Bed, Repository};
use crate::client::{get, send};

#[tokio::test]
async fn a_function_gets_the_event_and_the_client_its_response() {
    let bed = Bed::new().await;
    let headers = [("content-type", "application/json"), ("cookie", "x=1; y=2"), ("x-stage-source-ip", "10.1.2.3")];
    let answer = send("POST", &bed.url("/test/probe?q=1&q=2"), &headers, "{}").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["apigw-requestid"].len(), 16);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
    let event = &answer.json()["event"];
    assert_eq!(event["routeKey"], "POST /{stage}/probe");
    assert_eq!(event["pathParameters"], json!({"stage": "test"}));
    assert_eq!(event["queryStringParameters"], json!({"q": "1,2"}));
    assert_eq!(event["cookies"], json!(["x=1", "y=2"]));
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "10.1.2.3");
    assert_eq!(event["headers"]["x-forwarded-for"], "10.1.2.3");
    assert_eq!(event["headers"].get("x-stage-source-ip"), None);
    assert_eq!(event["body"], "{}");
}

#[tokio::test]
async fn what_no_route_takes_goes_to_the_default_route() {
    let bed = Bed::new().await;
    let event = get(&bed.url("/elsewhere")).await.json()["event"].clone();
    assert_eq!(event["routeKey"], "$default");
    assert_eq!(event["rawPath"], "/elsewhere");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "127.0.0.1");
}

#[tokio::test]
async fn without_a_default_route_there_is_no_such_path() {
    let bed = Repository::empty().start(|_| {}).await;
    let answer = get(&bed.url("/elsewhere")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (404, r#"{"message":"Not Found"}"#));
}

#[tokio::test]
async fn a_head_request_gets_no_body() {
    let bed = Bed::new().await;
    let answer = send("HEAD", &bed.url("/test/probe"), &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let bed = Bed::new().await;
    let body = vec![b' '; 10 * 1024 * 1024 + 1];
    let answer = send("POST", &bed.url("/test/probe"), &[], body).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (413, r#"{"message":"Request Entity Too Large"}"#));
    assert_eq!(bed.invocations().await, Vec::<Value>::new());
}

#[tokio::test]
async fn json_without_a_status_is_the_body_of_a_200() {
    let bed = Bed::new().await;
    let answer = bed.probe(&json!({"do": "answer", "payload": "{\"a\": 1}"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "{\"a\": 1}"));
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test]
async fn an_answer_that_is_no_response_is_an_internal_error() {
    let bed = Bed::new().await;
    let answer = bed.probe(&json!({"do": "answer", "payload": "not JSON"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (500, r#"{"message":"Internal Server Error"}"#));
}
