//! A double of Lambda's `Invoke`.
//!
//! Source: AWS Lambda API Reference, `Invoke`. Messages of errors are those of the service.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::de::IgnoredAny;

use super::aws::{error, is_signed_for, unknown_operation};
use crate::account;
use crate::clock::Clock;
use crate::lambda::{Event, Function, Lambda, NoAnswer, Outcome};
use crate::random;
use crate::server::{self, Reply, decode};

/// Source: "Lambda quotas": 1 MB asynchronous.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

const INVALID: &str = "InvalidParameterValueException";
const NOT_FOUND: &str = "ResourceNotFoundException";

/// Status, type and message of an error.
type Exception = (StatusCode, &'static str, String);

/// A function in a call: its name, and its alias or version.
#[derive(Debug, PartialEq, Eq)]
struct Target<'a> {
    name: &'a str,
    qualifier: Option<&'a str>,
}

/// `FunctionName` in the path of a call.
pub(super) fn function_id(path: &str) -> Option<Cow<'_, str>> {
    path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations").map(decode)
}

/// Answers a call.
pub(super) async fn answer(lambda: &Arc<Lambda>, clock: &Clock, id: &str, head: &Parts, body: Bytes) -> Reply {
    if !is_signed_for(&head.headers, "lambda") {
        let message = "Missing Authentication Token";
        return error(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", message);
    }
    let query = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    let qualifier = query.into_owned().find(|(name, _)| name == "Qualifier").map(|(_, value)| value);
    let function = match Target::read(id, qualifier.as_deref()).and_then(|target| target.find(lambda)) {
        Ok(function) => function,
        Err((status, kind, message)) => return error(status, kind, &message),
    };
    let trace = head.headers.get("x-amzn-trace-id").cloned().or_else(|| {
        let trace = random::trace(clock.now().as_second());
        HeaderValue::try_from(trace).ok()
    });
    let Some(trace) = trace else { return unknown_operation() };
    let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
    if serde_json::from_slice::<IgnoredAny>(&body).is_err() {
        let message = "Could not parse request body into json";
        return error(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message);
    }
    let event = Event { request_id: random::id(), body, trace };
    let request_id = HeaderValue::from_str(&event.request_id);
    let kind = head.headers.get("x-amz-invocation-type").map_or(b"RequestResponse".as_slice(), HeaderValue::as_bytes);
    let mut reply = match kind {
        b"RequestResponse" => wait(lambda, &function, event).await,
        b"Event" if event.body.len() > MAX_EVENT_BYTES => too_large(),
        b"Event" if function.host.faults.refuses() => throttled(),
        b"Event" => {
            lambda.send(function, event);
            empty(StatusCode::ACCEPTED)
        }
        b"DryRun" => empty(StatusCode::NO_CONTENT),
        _ => error(StatusCode::BAD_REQUEST, INVALID, "InvocationType is one of Event, RequestResponse, DryRun"),
    };
    if let Ok(id) = request_id {
        reply.headers_mut().insert(REQUEST_ID, id);
    }
    reply
}

impl<'a> Target<'a> {
    /// From a name, a partial or a full ARN, each with or without a qualifier, and the parameter `Qualifier`.
    fn read(id: &'a str, parameter: Option<&'a str>) -> Result<Self, Exception> {
        let invalid = |message: &str| (StatusCode::BAD_REQUEST, INVALID, message.to_owned());
        let parts: Vec<&str> = id.split(':').collect();
        let (region, owner, rest) = match &parts[..] {
            ["arn", account::PARTITION, "lambda", region, owner, "function", rest @ ..] => (*region, *owner, rest),
            [owner, "function", rest @ ..] => (account::REGION, *owner, rest),
            ["function", rest @ ..] | rest => (account::REGION, account::ACCOUNT, rest),
        };
        let (name, own) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some(*qualifier)),
            _ => return Err(invalid("FunctionName is not a name or an ARN of a function")),
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Err(invalid("FunctionName is not a name or an ARN of a function"));
        }
        if region != account::REGION {
            let here = account::REGION;
            let message = format!("Functions from '{region}' are not reachable in this region ('{here}')");
            return Err((StatusCode::NOT_FOUND, NOT_FOUND, message));
        }
        if owner != account::ACCOUNT {
            let message = "no resource-based policy allows the lambda:InvokeFunction action";
            return Err((StatusCode::FORBIDDEN, "AccessDeniedException", message.to_owned()));
        }
        if own.zip(parameter).is_some_and(|(own, parameter)| own != parameter) {
            let message = "The derived qualifier from the function name does not match the specified qualifier.";
            return Err(invalid(message));
        }
        Ok(Self { name, qualifier: own.or(parameter) })
    }

    fn find(&self, lambda: &Lambda) -> Result<Arc<Function>, Exception> {
        let function = lambda.function(self.name).filter(|function| {
            let spec = function.spec();
            self.qualifier.is_none_or(|qualifier| qualifier == "$LATEST" || Some(qualifier) == spec.alias.as_deref())
        });
        function.ok_or_else(|| {
            let qualifier = self.qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
            let message = format!("Function not found: {}{qualifier}", account::function_arn(self.name));
            (StatusCode::NOT_FOUND, NOT_FOUND, message)
        })
    }
}

async fn wait(lambda: &Lambda, function: &Arc<Function>, event: Event) -> Reply {
    match lambda.invoke(function, event).await {
        Ok(completion) => {
            let mut reply = server::json(StatusCode::OK, completion.payload.bytes);
            reply.headers_mut().insert("x-amz-executed-version", HeaderValue::from_static("$LATEST"));
            if completion.outcome != Outcome::Ok {
                reply.headers_mut().insert(FUNCTION_ERROR, HeaderValue::from_static("Unhandled"));
            }
            reply
        }
        Err(NoAnswer::TooLate | NoAnswer::Lost) => throttled(),
    }
}

fn throttled() -> Reply {
    error(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "Rate Exceeded.")
}

pub(super) fn too_large() -> Reply {
    error(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", "Request must be smaller than the quota")
}

fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = status;
    reply
}

#[cfg(test)]
mod tests {
    use super::{Target, function_id};

    #[test]
    fn a_function_is_named_in_every_form() {
        for (id, qualifier) in [
            ("b-send", None),
            ("b-send:live", Some("live")),
            ("arn:aws:lambda:us-east-1:000000000000:function:b-send", None),
            ("arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ab-send%3Alive", Some("live")),
            ("000000000000:function:b-send", None),
            ("function:b-send:$LATEST", Some("$LATEST")),
        ] {
            let path = format!("/2015-03-31/functions/{id}/invocations");
            let id = function_id(&path).unwrap();
            assert_eq!(Target::read(&id, None).unwrap(), Target { name: "b-send", qualifier }, "{id}");
        }
        assert_eq!(function_id("/2015-03-31/functions/b-send"), None);
    }

    #[test]
    fn other_names_are_refused() {
        for (id, qualifier, status) in [
            ("", None, 400),
            ("a b", None, 400),
            ("a:b:c", None, 400),
            ("arn:aws:sns:us-east-1:000000000000:function:b-send", None, 400),
            ("arn:aws-cn:lambda:us-east-1:000000000000:function:b-send", None, 400),
            ("b-send:live", Some("$LATEST"), 400),
            ("arn:aws:lambda:eu-west-1:000000000000:function:b-send", None, 404),
            ("arn:aws:lambda:us-east-1:111111111111:function:b-send", None, 403),
            ("111111111111:function:b-send", None, 403),
        ] {
            assert_eq!(Target::read(id, qualifier).unwrap_err().0, status, "{id}");
        }
        assert!(Target::read("b-send:live", Some("live")).is_ok());
    }
}
