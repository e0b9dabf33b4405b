//! The front: what a client and a function see of each other through API Gateway.

use serde_json::{Value, json};
use support::{Repository, TestApp, get, send};

#[tokio::test]
async fn a_function_gets_the_event_and_the_client_its_response() {
    let app = TestApp::with_probe().await;
    let headers = [("content-type", "application/json"), ("cookie", "x=1; y=2"), ("x-stage-source-ip", "10.1.2.3")];
    let answer = send("POST", &app.url("/test/probe?q=1&q=2"), &headers, "{}").await;
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
    let app = TestApp::with_probe().await;
    let event = get(&app.url("/elsewhere")).await.json()["event"].clone();
    assert_eq!(event["routeKey"], "$default");
    assert_eq!(event["rawPath"], "/elsewhere");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "127.0.0.1");
}

#[tokio::test]
async fn without_a_default_route_there_is_no_such_path() {
    let app = Repository::empty().start(|_| {}).await;
    let answer = get(&app.url("/elsewhere")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (404, r#"{"message":"Not Found"}"#));
}

#[tokio::test]
async fn a_head_request_gets_no_body() {
    let app = TestApp::with_probe().await;
    let answer = send("HEAD", &app.url("/test/probe"), &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let app = TestApp::with_probe().await;
    let body = vec![b' '; 10 * 1024 * 1024 + 1];
    let answer = send("POST", &app.url("/test/probe"), &[], body).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (413, r#"{"message":"Request Entity Too Large"}"#));
    assert_eq!(app.invocations().await, Vec::<Value>::new());
}

#[tokio::test]
async fn json_without_a_status_is_the_body_of_a_200() {
    let app = TestApp::with_probe().await;
    let answer = app.probe(&json!({"do": "answer", "payload": "{\"a\": 1}"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "{\"a\": 1}"));
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test]
async fn an_answer_that_is_no_response_is_an_internal_error() {
    let app = TestApp::with_probe().await;
    let answer = app.probe(&json!({"do": "answer", "payload": "not JSON"})).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (500, r#"{"message":"Internal Server Error"}"#));
}

#[tokio::test]
async fn headers_over_the_quota_are_refused() {
    let app = TestApp::with_probe().await;
    let host = app.emulator.url().trim_start_matches("http://").to_owned();
    let rest = "POST /test/probe HTTP/1.1\r\n".len() + host.len();
    for (size, status) in [(10_240 - rest, 200), (10_241 - rest, 431), (20_000, 431)] {
        let response = send("POST", &app.url("/test/probe"), &[("x-fill", &"a".repeat(size))], "").await;
        assert_eq!(response.status, status, "{size}");
        if status == 431 {
            assert_eq!(response.text(), r#"{"message":"Request Header Fields Too Large"}"#);
        }
    }
    let response = get(&app.url(&format!("/test/probe?{}", "a".repeat(10_240)))).await;
    assert_eq!(response.status, 431, "the request line counts");
    assert_eq!(app.invocations().await.len(), 1);
}

#[tokio::test]
async fn a_path_is_cut_at_an_escaped_question_mark() {
    let app = TestApp::with_probe().await;
    let event = send("POST", &app.url("/test/probe%3Fa=1?b=2"), &[], "").await.json()["event"].clone();
    assert_eq!((&event["rawPath"], &event["routeKey"]), (&json!("/test/probe"), &json!("POST /{stage}/probe")));
    assert_eq!(
        (&event["rawQueryString"], &event["requestContext"]["http"]["path"]),
        (&json!("b=2"), &json!("/test/probe"))
    );
    assert_eq!(get(&app.url("/a%252Fb")).await.json()["event"]["rawPath"], "/a/b", "paths are decoded twice");
    assert_eq!(get(&app.url("/a%25b")).await.status, 400);
}

#[tokio::test]
async fn a_cookie_that_is_not_ascii_does_not_hide_the_others() {
    let app = TestApp::with_probe().await;
    let event = send("POST", &app.url("/test/probe"), &[("cookie", "n=张; a=1")], "").await.json()["event"].clone();
    assert_eq!(event["cookies"], json!(["n=张", "a=1"]));
}
