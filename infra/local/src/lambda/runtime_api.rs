//! The Lambda Runtime API, on the port that `AWS_LAMBDA_RUNTIME_API` names.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::json;

use super::debugger;
use super::function::Offer;
use super::invocation::{Job, Outcome, Payload};
use super::sandbox::{Sandbox, error_document};
use crate::server::{self, Reply};

/// Source: "Lambda quotas": 6 MB for a buffered response (the exact number is the one in Lambda's error message).
const MAX_RESPONSE_BYTES: usize = 6_291_556;

/// Source: "Lambda quotas": 200 MB for a streamed response.
const MAX_STREAM_BYTES: usize = 200 * 1024 * 1024;

/// Content type of a streamed response whose JSON prelude carries status and headers.
const WITH_PRELUDE: &str = "application/vnd.awslambda.http-integration-response";

/// Answers a request of a sandbox's process.
pub(crate) async fn answer(sandbox: Arc<Sandbox>, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let Some(path) = head.uri.path().strip_prefix("/2018-06-01/runtime/") else {
        return refuse(StatusCode::NOT_FOUND, "NotFound", "no such path in the runtime API");
    };
    match (&head.method, path) {
        (&Method::GET, "invocation/next") => next(&sandbox).await,
        (&Method::POST, "init/error") => init_error(&sandbox, body).await,
        (&Method::POST, path) => match path.strip_prefix("invocation/").and_then(|rest| rest.split_once('/')) {
            Some((id, "response")) => response(&sandbox, id, &head.headers, body).await,
            Some((id, "error")) => error(&sandbox, id, body).await,
            _ => refuse(StatusCode::NOT_FOUND, "NotFound", "no such path in the runtime API"),
        },
        _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "no such method on that path"),
    }
}

/// `GET invocation/next`: waits until there is an event.
async fn next(sandbox: &Arc<Sandbox>) -> Reply {
    sandbox.log.drain();
    if let Some(active) = sandbox.take(None) {
        let message = format!(
            "RequestId: {} Error: the runtime asked for the next event before it answered",
            active.request_id()
        );
        sandbox.complete(active, Outcome::Error, error_document("Runtime.NoResponse", &message));
    }
    let is_first = sandbox.ready();
    if is_first && sandbox.spec.waits_for_debugger {
        debugger::wait_until_attached(&sandbox.spec.binary, sandbox.process).await;
    }
    let job = match sandbox.function.offer(sandbox, is_first) {
        Offer::Job(job) => Some(job),
        Offer::Wait(receiver) => receiver.await.ok(),
        Offer::Retire => {
            sandbox.retire();
            None
        }
    };
    let Some(job) = job else {
        // The sandbox is about to end, or has asked again on another connection.
        return pending().await;
    };
    let headers = event_headers(sandbox, &job);
    match sandbox.begin(job) {
        Ok(event) => {
            let mut reply = server::json(StatusCode::OK, event);
            reply.headers_mut().extend(headers);
            reply
        }
        Err(job) => {
            sandbox.function.dispatch(job);
            pending().await
        }
    }
}

fn event_headers(sandbox: &Sandbox, job: &Job) -> HeaderMap {
    #[expect(clippy::disallowed_methods, reason = "a process compares its deadline with the clock of the machine")]
    let now = SystemTime::now();
    let deadline = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO) + sandbox.spec.timeout;
    let deadline = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
    let mut headers = HeaderMap::with_capacity(5);
    if let Ok(id) = HeaderValue::from_str(&job.request_id) {
        headers.insert("lambda-runtime-aws-request-id", id);
    }
    headers.insert("lambda-runtime-deadline-ms", deadline.into());
    headers.insert("lambda-runtime-invoked-function-arn", sandbox.function.arn.clone());
    headers.insert("lambda-runtime-trace-id", job.trace.clone());
    headers
}

/// `POST invocation/{id}/response`, buffered or streamed.
async fn response(sandbox: &Sandbox, id: &str, headers: &HeaderMap, body: Incoming) -> Reply {
    let streamed = headers
        .get("lambda-runtime-function-response-mode")
        .is_some_and(|mode| mode.as_bytes().eq_ignore_ascii_case(b"streaming"));
    let has_prelude = streamed && headers.get(http::header::CONTENT_TYPE).is_some_and(|kind| kind == WITH_PRELUDE);
    let limit = if streamed { MAX_STREAM_BYTES } else { MAX_RESPONSE_BYTES };
    let collected = Limited::new(body, limit).collect().await;
    if sandbox.is_running(id) && sandbox.function.host.faults.kills_before_reply() {
        sandbox.kill();
        return pending().await;
    }
    let Some(active) = sandbox.take(Some(id)) else {
        return wrong_id();
    };
    match collected {
        Ok(collected) => match collected.trailers().and_then(trailing_error) {
            Some(error) => sandbox.complete(active, Outcome::Error, error),
            None => sandbox.complete(active, Outcome::Ok, Payload { bytes: collected.to_bytes(), has_prelude }),
        },
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).");
            sandbox.complete(active, Outcome::Error, error_document("Function.ResponseSizeTooLarge", &message));
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message);
        }
        Err(_) => {
            let error = error_document("Runtime.TruncatedResponse", "the response broke off");
            sandbox.complete(active, Outcome::Error, error);
        }
    }
    accepted()
}

/// The error that a streamed response ends with, in its trailers.
fn trailing_error(trailers: &HeaderMap) -> Option<Payload> {
    let kind = trailers.get("lambda-runtime-function-error-type")?;
    let document = trailers.get("lambda-runtime-function-error-body").map(HeaderValue::as_bytes);
    Some(match document.map(decode_base64) {
        Some(document) => document.into(),
        None => error_document(&String::from_utf8_lossy(kind.as_bytes()), "the streamed response failed"),
    })
}

/// Runtimes send the trailer base64-encoded, because a document may hold bytes that a header cannot.
fn decode_base64(text: &[u8]) -> Bytes {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).map_or_else(|_| Bytes::copy_from_slice(text), Bytes::from)
}

/// `POST invocation/{id}/error`.
async fn error(sandbox: &Sandbox, id: &str, body: Incoming) -> Reply {
    let document = server::read(body, MAX_RESPONSE_BYTES).await.unwrap_or_default();
    let Some(active) = sandbox.take(Some(id)) else {
        return wrong_id();
    };
    sandbox.complete(active, Outcome::Error, document.into());
    accepted()
}

/// `POST init/error`.
async fn init_error(sandbox: &Sandbox, body: Incoming) -> Reply {
    sandbox.fail_init(server::read(body, MAX_RESPONSE_BYTES).await.unwrap_or_default());
    accepted()
}

fn accepted() -> Reply {
    server::json(StatusCode::ACCEPTED, "{\"status\":\"OK\"}\n")
}

fn wrong_id() -> Reply {
    refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
}

fn refuse(status: StatusCode, kind: &str, message: &str) -> Reply {
    server::json(status, json!({ "errorMessage": message, "errorType": kind }).to_string())
}
