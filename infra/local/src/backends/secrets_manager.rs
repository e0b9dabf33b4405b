//! A double of Secrets Manager's `GetSecretValue`, `BatchGetSecretValue` and `PutSecretValue`.
//!
//! Source: AWS Secrets Manager API Reference. Messages of errors are those of the service.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::aws::{is_signed_for, unknown_operation};
use super::secrets::{Secret, Secrets, Version};
use crate::account;
use crate::clock::Clock;
use crate::random;
use crate::server::{self, Reply};

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// An exception, and its message.
type Exception = (&'static str, String);

/// Answers a call.
pub(super) fn answer(secrets: &Secrets, clock: &Clock, operation: &str, headers: &HeaderMap, body: &[u8]) -> Reply {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let result = match operation {
        _ if !is_signed_for(headers, "secretsmanager") => {
            Err(("MissingAuthenticationTokenException", "Missing Authentication Token".to_owned()))
        }
        "GetSecretValue" => find(secrets, &request).and_then(|(name, secret)| get(&name, &secret, &request)),
        "BatchGetSecretValue" => batch(secrets, &request),
        "PutSecretValue" => {
            find(secrets, &request).and_then(|(name, secret)| put(secrets, clock, &name, secret, &request))
        }
        _ => return unknown_operation(),
    };
    let mut reply = match result {
        Ok(document) => server::json(StatusCode::OK, document.to_string()),
        Err((kind, message)) => {
            server::json(StatusCode::BAD_REQUEST, json!({ "__type": kind, "Message": message }).to_string())
        }
    };
    // In emulated time, like `CreatedDate`: the difference is the age of the version.
    if let Ok(date) = HeaderValue::try_from(clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()) {
        reply.headers_mut().insert(header::DATE, date);
    }
    reply
}

fn find(secrets: &Secrets, request: &Value) -> Result<(String, Secret), Exception> {
    let id = request["SecretId"].as_str();
    let id = id.ok_or_else(|| ("ValidationException", "SecretId is missing".to_owned()))?;
    secrets.get(id).ok_or_else(|| not_found("the specified secret."))
}

fn not_found(what: &str) -> Exception {
    ("ResourceNotFoundException", format!("Secrets Manager can't find {what}"))
}

fn get(name: &str, secret: &Secret, request: &Value) -> Result<Value, Exception> {
    let (id, stage) = (request["VersionId"].as_str(), request["VersionStage"].as_str());
    let wanted = stage.unwrap_or(CURRENT);
    let found = match id {
        Some(id) => (secret.versions().find(|(_, version)| version.version == id), format!("VersionId: {id}")),
        None => (secret.versions().find(|(label, _)| *label == wanted), format!("staging label: {wanted}")),
    };
    let (Some((label, version)), _) = found else {
        return Err(not_found(&format!("the specified secret value for {}", found.1)));
    };
    if stage.is_some_and(|stage| stage != label) {
        let message = "You provided a VersionStage that is not associated to the provided VersionId.";
        return Err(("InvalidRequestException", message.to_owned()));
    }
    let mut document = describe(name, version, label);
    document["SecretString"] = version.value.as_str().into();
    document["CreatedDate"] = version.created.into();
    Ok(document)
}

/// Each secret of a list of up to 20, or why there is none.
fn batch(secrets: &Secrets, request: &Value) -> Result<Value, Exception> {
    let ids = request["SecretIdList"].as_array().filter(|ids| (1..=20).contains(&ids.len()));
    let ids = ids.ok_or_else(|| ("InvalidParameterException", "SecretIdList has 1 to 20 secrets".to_owned()))?;
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        let one = json!({ "SecretId": id });
        match find(secrets, &one).and_then(|(name, secret)| get(&name, &secret, &one)) {
            Ok(value) => values.push(value),
            Err((code, message)) => errors.push(json!({ "SecretId": id, "ErrorCode": code, "Message": message })),
        }
    }
    Ok(json!({ "SecretValues": values, "Errors": errors }))
}

fn put(secrets: &Secrets, clock: &Clock, name: &str, secret: Secret, request: &Value) -> Result<Value, Exception> {
    let value = request["SecretString"].as_str();
    let value = value.ok_or_else(|| ("InvalidRequestException", "SecretString is missing".to_owned()))?;
    let invalid = |message: &str| ("InvalidParameterException", message.to_owned());
    if !request["VersionStages"].is_null() && request["VersionStages"] != json!([CURRENT]) {
        return Err(invalid("the local emulator has the staging labels AWSCURRENT and AWSPREVIOUS alone"));
    }
    let token = request["ClientRequestToken"].as_str();
    if token.is_some_and(|token| !(32..=64).contains(&token.len())) {
        return Err(invalid("ClientRequestToken has 32 to 64 characters"));
    }
    // The same call again is the same version; another value needs another one.
    if let Some((label, version)) = secret.versions().find(|(_, version)| Some(version.version.as_str()) == token) {
        if version.value == value {
            return Ok(describe(name, version, label));
        }
        let (token, arn) = (&version.version, account::secret_arn(name));
        let message = format!(
            "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {arn}."
        );
        return Err(("ResourceExistsException", message));
    }
    let id = token.map_or_else(|| random::id().to_string(), str::to_owned);
    let version = Version { value: value.to_owned(), version: id, created: clock.now().as_second() };
    let document = describe(name, &version, CURRENT);
    let stored = secrets.set(name, Secret { current: version, previous: Some(secret.current) });
    stored.map_err(|error| ("InternalServiceError", error.to_string()))?;
    Ok(document)
}

fn describe(name: &str, version: &Version, label: &str) -> Value {
    json!({
        "ARN": account::secret_arn(name),
        "Name": name,
        "VersionId": version.version,
        "VersionStages": [label],
    })
}

impl Secret {
    /// The versions with their staging labels.
    fn versions(&self) -> impl Iterator<Item = (&'static str, &Version)> {
        std::iter::once((CURRENT, &self.current)).chain(self.previous.iter().map(|version| (PREVIOUS, version)))
    }
}
