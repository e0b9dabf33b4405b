//! Tencent Cloud SMS: `SendSms` of version 2021-01-11, signed with `TC3-HMAC-SHA256`.
//!
//! Sources: Tencent Cloud API, "Signature v3"; Short Message Service, `SendSms`, "Error Codes".

use serde::Deserialize;

use super::message::Message;
use super::refusal::{Refusal, unreadable};
use super::signing::{canonical_request, hash, host, mac, names};
use crate::aws::{BACKGROUND_CALL, Clients, HttpClient, SecretKeys};
use crate::clock::{Now, wall_timestamp};
use crate::config::Tencent as Settings;
use crate::error::{Cause, Error, StartError};
use crate::models::keys::Key;
use crate::models::phone::Phone;

const ALGORITHM: &str = "TC3-HMAC-SHA256";

const JSON: &str = "application/json; charset=utf-8";

/// A client of Tencent Cloud SMS.
pub struct Tencent {
    http: HttpClient,
    settings: Settings,
    /// The API key: `SecretId` is `kid`, `SecretKey` is `key`.
    keys: SecretKeys,
}

/// The response, also of refusals, which have the status 200.
#[derive(Deserialize)]
struct Outcome {
    #[serde(rename = "Response")]
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    /// Of the whole request.
    error: Option<Status>,
    /// Of each number, of which there is one.
    #[serde(default)]
    send_status_set: Vec<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    code: String,
}

impl Tencent {
    /// Reads the API key.
    ///
    /// # Errors
    /// A secret that cannot work.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let settings = clients.config.sms.tencent.clone();
        let keys = SecretKeys::connect(clients, &clients.config.secrets.sms).await?;
        Ok(Self { http: clients.public_http(BACKGROUND_CALL)?, settings, keys })
    }

    /// Hands over a message. `id` is the same in every delivery of it.
    ///
    /// # Errors
    /// [`Error::Http`] when the provider refuses, with its code, or does not answer.
    pub async fn send(&self, now: &Now, id: &str, phone: &Phone, message: &Message<'_>) -> Result<(), Error> {
        let keys = self.keys.get(now.timestamp()).await?;
        // Its templates number their places; those of ours stand in the order of the text.
        let params: Vec<_> = message.places().into_iter().map(|(_, value)| value).collect();
        let body = serde_json::json!({
            "PhoneNumberSet": [phone.e164()], "SmsSdkAppId": self.settings.app_id, "SignName": message.signature(),
            "TemplateId": message.template(), "TemplateParamSet": params, "SessionContext": id,
        });
        let body = body.to_string().into_bytes();
        // The machine's time, because the provider compares it with its own.
        let at = wall_timestamp();
        let (timestamp, date) = (at.as_second().to_string(), at.strftime("%Y-%m-%d").to_string());
        let endpoint = self.settings.endpoint.trim_end_matches('/');
        let headers = [("content-type", JSON), ("host", host(endpoint)), ("x-tc-action", "sendsms")];
        let request = http::Request::post(format!("{endpoint}/"))
            .header("authorization", authorization(&keys.current, "sms", &timestamp, &date, &headers, &body))
            .header("content-type", JSON)
            .header("host", host(endpoint))
            .header("x-tc-action", "SendSms")
            .header("x-tc-version", "2021-01-11")
            .header("x-tc-timestamp", &timestamp)
            .header("x-tc-region", &self.settings.region)
            .body(body)
            .map_err(|cause| Error::Internal(Cause::of(&cause)))?;
        let response = self.http.send(request).await?;
        verdict(response.status, &response.body)
    }
}

/// The header `authorization`. `headers` are the signed ones, their values in lower case; `date` is the day of `timestamp`.
fn authorization(
    key: &Key,
    service: &str,
    timestamp: &str,
    date: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> String {
    let scope = format!("{date}/{service}/tc3_request");
    let request = hash(canonical_request("", headers, body).as_bytes());
    let mut signing = [b"TC3", key.bytes()].concat();
    for part in [date, service, "tc3_request"] {
        signing = mac(&signing, part);
    }
    let signature = const_hex::encode(mac(&signing, &format!("{ALGORITHM}\n{timestamp}\n{scope}\n{request}")));
    let names = names(headers);
    format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", key.kid)
}

fn verdict(status: u16, body: &[u8]) -> Result<(), Error> {
    let outcome: Outcome = serde_json::from_slice(body).map_err(|_| unreadable(status))?;
    let Response { error, send_status_set } = outcome.response;
    let status = error.or_else(|| send_status_set.into_iter().next()).ok_or_else(|| unreadable(status))?;
    match &*status.code {
        "Ok" => Ok(()),
        code => Err(kind(code).error(code)),
    }
}

fn kind(code: &str) -> Refusal {
    let (group, detail) = code.split_once('.').unwrap_or((code, ""));
    match group {
        "LimitExceeded" | "RequestLimitExceeded" => Refusal::Limit,
        "AuthFailure" | "UnauthorizedOperation" => Refusal::Account,
        _ if detail.contains("PhoneNumber") || detail.contains("GlobalPhone") || detail.contains("MainlandPhone") => {
            Refusal::Number
        }
        _ if detail.contains("InsufficientBalance") || detail.contains("SdkAppId") => Refusal::Account,
        _ if detail.contains("Signature") || detail.contains("Template") => Refusal::Unapproved,
        _ => Refusal::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of "Signature v3".
    const BODY: &str = r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
    const HEADERS: [(&str, &str); 3] =
        [("content-type", JSON), ("host", "cvm.tencentcloudapi.com"), ("x-tc-action", "describeinstances")];

    #[test]
    fn a_signature_is_that_of_the_documentation() {
        // The edition that shows its key.
        let key = serde_json::json!({
            "kid": "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "key": "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
        });
        let key: Key = serde_json::from_value(key).unwrap();
        let signed = authorization(&key, "cvm", "1551113065", "2019-02-25", &HEADERS[..2], BODY.as_bytes());
        assert_eq!(
            signed,
            "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, \
             SignedHeaders=content-type;host, \
             Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
        );
    }

    #[test]
    fn a_request_with_its_action_is_that_of_the_documentation() {
        // The present edition, which signs the action too. It masks its key, but shows what follows from it.
        let request = hash(canonical_request("", &HEADERS, BODY.as_bytes()).as_bytes());
        assert_eq!(request, "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84");
        let of_day = const_hex::decode("da98fb70dcf6b112dc21038d1eeeb3a95c74b4dcb12c1131f864f6066bd02be0").unwrap();
        let signing = mac(&mac(&of_day, "cvm"), "tc3_request");
        let text = format!("{ALGORITHM}\n1551113065\n2019-02-25/cvm/tc3_request\n{request}");
        let signature = const_hex::encode(mac(&signing, &text));
        assert_eq!(signature, "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f");
    }

    #[test]
    fn codes_of_the_provider_are_told_apart() {
        for (code, expected) in [
            ("LimitExceeded.PhoneNumberDailyLimit", Refusal::Limit),
            ("LimitExceeded.PhoneNumberThirtySecondLimit", Refusal::Limit),
            ("RequestLimitExceeded", Refusal::Limit),
            ("InvalidParameterValue.IncorrectPhoneNumber", Refusal::Number),
            ("FailedOperation.PhoneNumberInBlacklist", Refusal::Number),
            ("UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone", Refusal::Number),
            ("FailedOperation.SignatureIncorrectOrUnapproved", Refusal::Unapproved),
            ("FailedOperation.TemplateIncorrectOrUnapproved", Refusal::Unapproved),
            ("FailedOperation.TemplateParamSetNotMatchApprovedTemplate", Refusal::Unapproved),
            ("FailedOperation.InsufficientBalanceInSmsPackage", Refusal::Account),
            ("AuthFailure.SignatureFailure", Refusal::Account),
            ("UnauthorizedOperation.SmsSdkAppIdVerifyFail", Refusal::Account),
            ("InternalError.Timeout", Refusal::Other),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
    }

    #[test]
    fn a_response_is_read_as_a_whole_and_of_the_number() {
        let taken = br#"{"Response": {"SendStatusSet": [{"Code": "Ok", "Fee": 1}], "RequestId": "r"}}"#;
        assert!(verdict(200, taken).is_ok());
        let refused = br#"{"Response": {"SendStatusSet": [{"Code": "LimitExceeded.PhoneNumberDailyLimit"}]}}"#;
        assert!(verdict(200, refused).unwrap_err().to_string().contains("LimitExceeded.PhoneNumberDailyLimit"));
        let unsigned = br#"{"Response": {"Error": {"Code": "AuthFailure.SignatureFailure", "Message": "m"}}}"#;
        assert!(verdict(200, unsigned).unwrap_err().to_string().contains("our key or account"));
        for body in [&b"{}"[..], br#"{"Response": {"SendStatusSet": []}}"#] {
            assert!(verdict(200, body).unwrap_err().to_string().contains("no result"));
        }
    }
}
