//! Doubles of AWS APIs: Lambda `Invoke`, `ElastiCache`, and of Secrets Manager what functions and `make rotate` call.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::account;
use crate::cache;
use crate::clock::Clock;
use crate::elasticache;
use crate::invocation::Outcome;
use crate::lambda::{Event, Lambda, NoAnswer};
use crate::random;
use crate::route::decode;
use crate::secrets::Secrets;
use crate::server::{self, BodyError, Reply};

/// Source: "Lambda quotas": 6 MB synchronous.
const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// Source: "Lambda quotas": 1 MB asynchronous.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// All doubles, on one port.
#[derive(Debug)]
pub(crate) struct Aws {
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) cache: cache::Address,
    /// Where functions reach it.
    pub(crate) cache_port: u16,
    pub(crate) clock: Clock,
}

impl Aws {
    /// Answers a call of a function.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let body = match server::read(body, MAX_PAYLOAD_BYTES).await {
            Ok(body) => body,
            Err(BodyError::TooLarge) => return too_large(),
            Err(BodyError::Broken) => return server::message(StatusCode::BAD_REQUEST, "the body broke off"),
        };
        let target = head.headers.get("x-amz-target").map(HeaderValue::as_bytes);
        match (&head.method, head.uri.path(), target) {
            (&Method::POST, "/", Some(b"secretsmanager.GetSecretValue")) => self.secret(&head.headers, &body, false),
            (&Method::POST, "/", Some(b"secretsmanager.PutSecretValue")) => self.secret(&head.headers, &body, true),
            (&Method::POST, "/", None) if is_signed_for(&head.headers, "elasticache") => {
                elasticache::answer(&body, self.cache, self.cache_port).await
            }
            (&Method::POST, path, _) => match function_name(path) {
                Some(name) => self.invoke(&name, &head, body).await,
                None => unknown_operation(),
            },
            _ => unknown_operation(),
        }
    }

    /// Source: AWS Secrets Manager API Reference, `GetSecretValue`, `PutSecretValue`.
    fn secret(&self, headers: &HeaderMap, body: &[u8], is_put: bool) -> Reply {
        let refuse = |kind: &str, message: &str| {
            server::json(StatusCode::BAD_REQUEST, json!({ "__type": kind, "Message": message }).to_string())
        };
        if !is_signed_for(headers, "secretsmanager") {
            return refuse("MissingAuthenticationTokenException", "Missing Authentication Token");
        }
        let request: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(id) = request["SecretId"].as_str() else {
            return refuse("ValidationException", "SecretId is missing");
        };
        let found = match (is_put, request["SecretString"].as_str()) {
            (false, _) => Ok(self.secrets.get(id)),
            (true, Some(value)) => self.secrets.put(id, value.to_owned(), &self.clock),
            (true, None) => return refuse("InvalidRequestException", "SecretString is missing"),
        };
        let (name, secret) = match found {
            Ok(Some(found)) => found,
            Ok(None) => {
                return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
            }
            Err(error) => return refuse("InternalServiceError", &error.to_string()),
        };
        let mut document = json!({
            "ARN": account::secret_arn(&name),
            "Name": name,
            "VersionId": secret.version,
            "VersionStages": ["AWSCURRENT"],
        });
        if !is_put {
            document["SecretString"] = secret.value.into();
            document["CreatedDate"] = secret.created.into();
        }
        let mut reply = server::json(StatusCode::OK, document.to_string());
        // In the stage's time, as `CreatedDate` is: the age of a version is the difference.
        if let Ok(date) = HeaderValue::try_from(self.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()) {
            reply.headers_mut().insert(header::DATE, date);
        }
        reply
    }

    /// Source: AWS Lambda API Reference, `Invoke`.
    async fn invoke(&self, name: &str, head: &Parts, body: Bytes) -> Reply {
        if !is_signed_for(&head.headers, "lambda") {
            let message = "Missing Authentication Token";
            return refuse(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", message);
        }
        let Some(function) = self.lambda.function(name) else {
            let message = format!("Function not found: {}", account::function_arn(name));
            return refuse(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
        };
        let trace = head.headers.get("x-amzn-trace-id").cloned().or_else(|| {
            let trace = random::trace(self.clock.now().as_second());
            HeaderValue::try_from(trace).ok()
        });
        let Some(trace) = trace else { return unknown_operation() };
        let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
        if serde_json::from_slice::<IgnoredAny>(&body).is_err() {
            let message = "Could not parse request body into json";
            return refuse(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message);
        }
        let event = Event { request_id: random::id(), body, trace };
        let request_id = HeaderValue::from_str(&event.request_id);
        let kind =
            head.headers.get("x-amz-invocation-type").map_or(b"RequestResponse".as_slice(), HeaderValue::as_bytes);
        let mut reply = match kind {
            b"RequestResponse" => self.wait(&function, event).await,
            b"Event" if event.body.len() > MAX_EVENT_BYTES => too_large(),
            b"Event" if function.host.faults.refuses() => throttled(),
            b"Event" => {
                self.lambda.send(function, event);
                empty(StatusCode::ACCEPTED)
            }
            b"DryRun" => empty(StatusCode::NO_CONTENT),
            _ => {
                let message = "InvocationType is one of Event, RequestResponse, DryRun";
                refuse(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message)
            }
        };
        if let Ok(id) = request_id {
            reply.headers_mut().insert(REQUEST_ID, id);
        }
        reply
    }

    async fn wait(&self, function: &Arc<crate::function::Function>, event: Event) -> Reply {
        match self.lambda.invoke(function, event).await {
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
}

fn throttled() -> Reply {
    refuse(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "Rate Exceeded.")
}

/// The function that an `Invoke` path names: a name, `name:alias`, a partial or a whole ARN.
fn function_name(path: &str) -> Option<String> {
    let id = path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")?;
    let id = decode(id);
    let mut parts = id.split(':').skip_while(|part| *part != "function").skip(1);
    parts.next().or_else(|| id.split(':').next()).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Whether a request carries an AWS Signature Version 4 for that service. The signature itself is not checked.
fn is_signed_for(headers: &HeaderMap, service: &str) -> bool {
    let authorization = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    authorization
        .and_then(|text| text.strip_prefix("AWS4-HMAC-SHA256 "))
        .filter(|text| text.contains("SignedHeaders=") && text.contains("Signature="))
        .and_then(|text| text.split("Credential=").nth(1))
        .and_then(|text| text.split(',').next())
        // <access key>/<date>/<region>/<service>/aws4_request
        .is_some_and(|scope| scope.trim().rsplit('/').nth(1) == Some(service))
}

fn refuse(status: StatusCode, kind: &str, message: &str) -> Reply {
    let mut reply = server::json(status, json!({ "Type": "User", "message": message }).to_string());
    if let Ok(kind) = HeaderValue::from_str(kind) {
        reply.headers_mut().insert(ERROR_TYPE, kind);
    }
    reply
}

fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = status;
    reply
}

fn too_large() -> Reply {
    refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", "Request must be smaller than the quota")
}

fn unknown_operation() -> Reply {
    let message =
        "the local stage knows Lambda Invoke, ElastiCache, and Secrets Manager GetSecretValue and PutSecretValue";
    refuse(StatusCode::NOT_FOUND, "UnknownOperationException", message)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::{function_name, is_signed_for};

    #[test]
    fn a_function_is_named_in_every_form() {
        for id in [
            "b-send",
            "b-send:live",
            "arn:aws:lambda:us-east-1:000000000000:function:b-send",
            "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ab-send%3Alive",
            "000000000000:function:b-send",
        ] {
            let path = format!("/2015-03-31/functions/{id}/invocations");
            assert_eq!(function_name(&path).as_deref(), Some("b-send"), "{id}");
        }
        assert_eq!(function_name("/2015-03-31/functions//invocations"), None);
        assert_eq!(function_name("/2015-03-31/functions/b-send"), None);
    }

    #[test]
    fn a_signature_names_its_service() {
        let mut headers = HeaderMap::new();
        assert!(!is_signed_for(&headers, "lambda"));
        let text =
            "AWS4-HMAC-SHA256 Credential=AK/20261122/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static(text));
        assert!(is_signed_for(&headers, "lambda"));
        assert!(!is_signed_for(&headers, "sns"));
    }
}
