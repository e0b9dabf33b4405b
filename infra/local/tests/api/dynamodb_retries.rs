//! How DynamoDB's refusals are taken: what may pass is tried once more and signed anew, what will not pass is not, and
//! either ends in time.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::json;

use support::{DynamoDbProxy, Refusal, Reply, SignedIn, TestApp, TestAppBuilder, applicant, code};

/// The contract's bound on every answer.
const IN_TIME: Duration = Duration::from_millis(2500);

const INVALID_SIGNATURE: &str = "com.amazon.coral.service#InvalidSignatureException";
const EXPIRED: &str =
    "Signature expired: 20261126T000000Z is now earlier than 20261126T001000Z (20261126T001500Z - 5 min.)";
const DYNAMODB: &str = "com.amazonaws.dynamodb.v20120810";

/// Runs a test on functions that reach the emulator's DynamoDB through a proxy.
async fn behind_a_proxy(test: impl AsyncFnOnce(&TestApp, &DynamoDbProxy)) {
    let proxy = DynamoDbProxy::new().await;
    let opening = TestAppBuilder::new().variable("AWS_ENDPOINT_URL_DYNAMODB", &proxy.url);
    opening
        .run(async |app| {
            proxy.lead_to(app);
            test(app, &proxy).await;
        })
        .await;
}

/// What may pass, each once.
fn passing() -> Vec<Refusal> {
    let kinds = ["ProvisionedThroughputExceededException", "RequestLimitExceeded"];
    let kinds = kinds.map(|kind| Refusal::new(&format!("{DYNAMODB}#{kind}"), "Rate exceeded"));
    let html = || Refusal { status: 503, body: "<html>".to_owned(), date: None };
    kinds
        .into_iter()
        .chain([
            Refusal::new("com.amazon.coral.availability#ThrottlingException", "Rate of requests exceeds the limit"),
            Refusal::new(&format!("{DYNAMODB}#InternalServerError"), "The request processing has failed").status(500),
            Refusal::new("com.amazon.coral.service#ServiceUnavailableException", "Unavailable").status(503),
            html(),
            html().status(500),
        ])
        .collect()
}

/// An HTTP date, so many minutes from now.
#[expect(clippy::disallowed_methods, reason = "DynamoDB has the time of the machine")]
fn http_date(minutes: i64) -> String {
    let now = Timestamp::try_from(SystemTime::now()).unwrap();
    let then = now + jiff::Span::new().minutes(minutes);
    then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A page of users by token, whose first request to DynamoDB is a read.
async fn index(app: &TestApp, who: &SignedIn) -> Reply {
    let authorization = format!("jwt {}", who.token);
    app.send("GET", "/user/index", &[("authorization", &authorization)], "").await
}

#[tokio::test]
async fn an_expired_signature_is_made_anew_and_the_request_succeeds() {
    behind_a_proxy(async |app, proxy| {
        let somebody = app.somebody().await;
        for minutes in [None, Some(0), Some(10)] {
            let refusal = Refusal::new(INVALID_SIGNATURE, EXPIRED).date(minutes.map(http_date));
            proxy.refuse_next([refusal]);
            let reply = index(app, &somebody).await;
            let attempts = proxy.attempts_at_the_first();
            assert_eq!((reply.code, attempts.len()), (0, 2), "{minutes:?} minutes: {attempts:?}");
            let is_same_time = attempts[0].date == attempts[1].date;
            if minutes == Some(10) {
                assert!(!is_same_time, "the clock of DynamoDB counts: {attempts:?}");
            }
            let is_same = attempts[0].authorization == attempts[1].authorization;
            assert!(is_same_time || !is_same, "{minutes:?} minutes: {attempts:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_may_pass_is_tried_once_more() {
    behind_a_proxy(async |app, proxy| {
        let somebody = app.somebody().await;
        for refusal in passing() {
            proxy.refuse_next([refusal.clone()]);
            assert_eq!(index(app, &somebody).await.code, 0, "{refusal:?}");
            assert_eq!(proxy.attempts_at_the_first().len(), 2, "{refusal:?}");

            let phone = app.phone();
            let code = app.code(&phone, 1).await;
            proxy.refuse_next([refusal.clone()]);
            assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0, "{refusal:?}");
            assert_eq!(proxy.attempts_at_the_first().len(), 2, "{refusal:?}");
        }
        let users = passing().len() + 1;
        let page = index(app, &somebody).await;
        assert_eq!(page.data.as_array().unwrap().len(), users, "each registration made one user");
    })
    .await;
}

#[tokio::test]
async fn what_will_not_pass_fails_at_the_first_attempt() {
    behind_a_proxy(async |app, proxy| {
        let somebody = app.somebody().await;
        for (kind, message) in [
            ("com.amazon.coral.validate#ValidationException", "One or more parameter values were invalid"),
            ("com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "Requested resource not found"),
            ("com.amazon.coral.service#AccessDeniedException", "User is not authorized to perform: dynamodb:Query"),
            ("com.amazon.coral.service#UnrecognizedClientException", "The security token is invalid"),
            (INVALID_SIGNATURE, "The request signature we calculated does not match the signature you provided."),
        ] {
            proxy.refuse_next([Refusal::new(kind, message).date(Some(http_date(0)))]);
            let failed = index(app, &somebody).await;
            assert_eq!((failed.code, proxy.attempts_at_the_first().len()), (code::DB_ERROR, 1), "{kind}");
            let line = app.log(&failed.request_id).await.pop().unwrap();
            let name = kind.rsplit('#').next().unwrap();
            assert_eq!((&line["level"], &line["code"]), (&json!("ERROR"), &json!(code::DB_ERROR)), "{line}");
            assert!(line["error"].as_str().unwrap().contains(name), "{line}");
            assert_eq!(index(app, &somebody).await.code, 0, "{kind}: with the next request");
        }
    })
    .await;
}

#[tokio::test]
async fn a_table_that_always_refuses_is_given_up_in_time_after_two_attempts() {
    behind_a_proxy(async |app, proxy| {
        let somebody = app.somebody().await;
        for refusal in passing().into_iter().chain([Refusal::new(INVALID_SIGNATURE, EXPIRED)]) {
            proxy.refuse_all(Some(refusal.clone()));
            let failed = index(app, &somebody).await;
            let took = app.duration(&failed).await;
            assert!(took < IN_TIME, "{refusal:?}: {took:?}");
            assert_eq!((failed.code, proxy.attempts_at_the_first().len()), (code::DB_ERROR, 2), "{refusal:?}");
            proxy.refuse_all(None);
            assert_eq!(index(app, &somebody).await.code, 0, "{refusal:?}: with the next request");
        }
    })
    .await;
}
