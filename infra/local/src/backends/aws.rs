//! Doubles of AWS APIs on one port, for what functions and `make rotate` call: Lambda, Secrets Manager, `ElastiCache`.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use parking_lot::RwLock;

use super::cache::CacheAddress;
use super::secrets::Secrets;
use super::{elasticache, invoke, secrets_manager};
use crate::clock::Clock;
use crate::lambda::Lambda;
use crate::server::{self, BodyError, Reply};

/// Source: "Lambda quotas": 6 MB synchronous. No other call is larger.
const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// All doubles.
#[derive(Debug)]
pub(crate) struct Aws {
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) cache: CacheAddress,
    /// The port at which functions reach it.
    pub(crate) cache_port: u16,
    /// Its names in `ElastiCache`.
    pub(crate) cache_names: Arc<RwLock<Vec<String>>>,
    pub(crate) clock: Clock,
}

impl Aws {
    /// Answers a call.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let body = match server::read(body, MAX_BODY_BYTES).await {
            Ok(body) => body,
            Err(BodyError::TooLarge) => return invoke::too_large(),
            Err(BodyError::Broken) => return server::message(StatusCode::BAD_REQUEST, "the body broke off"),
        };
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        match (&head.method, head.uri.path(), target) {
            (&Method::POST, "/", Some(target)) if let Some(operation) = target.strip_prefix("secretsmanager.") => {
                secrets_manager::answer(&self.secrets, &self.clock, operation, &head.headers, &body)
            }
            (&Method::POST, "/", None) if is_signed_for(&head.headers, "elasticache") => {
                let names = self.cache_names.read().clone();
                elasticache::answer(&body, &names, self.cache, self.cache_port).await
            }
            (&Method::POST, path, _) if let Some(id) = invoke::function_id(path) => {
                invoke::answer(&self.lambda, &self.clock, &id, &head, body).await
            }
            _ => unknown_operation(),
        }
    }
}

/// Whether a request carries an AWS Signature Version 4 for that service. The signature itself is not checked.
pub(super) fn is_signed_for(headers: &HeaderMap, service: &str) -> bool {
    let authorization = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    authorization
        .and_then(|text| text.strip_prefix("AWS4-HMAC-SHA256 "))
        .filter(|text| text.contains("SignedHeaders=") && text.contains("Signature="))
        .and_then(|text| text.split("Credential=").nth(1))
        .and_then(|text| text.split(',').next())
        // <access key>/<date>/<region>/<service>/aws4_request
        .is_some_and(|scope| scope.trim().rsplit('/').nth(1) == Some(service))
}

/// An error in the form of Lambda's API.
pub(super) fn error(status: StatusCode, kind: &'static str, message: &str) -> Reply {
    let mut reply = server::json(status, serde_json::json!({ "Type": "User", "message": message }).to_string());
    reply.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(kind));
    reply
}

pub(super) fn unknown_operation() -> Reply {
    let message = "the local emulator has Lambda Invoke, ElastiCache, and Secrets Manager GetSecretValue, BatchGetSecretValue and PutSecretValue";
    error(StatusCode::NOT_FOUND, "UnknownOperationException", message)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::is_signed_for;

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
