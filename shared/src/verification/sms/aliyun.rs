//! Alibaba Cloud SMS: `SendSms` of version 2017-05-25, signed with `ACS3-HMAC-SHA256`.
//!
//! Sources: Alibaba Cloud SDK, "Request syntax and signature method V3"; Short Message Service, `SendSms`, "API error codes".

use serde::Deserialize;

use super::message::Message;
use super::refusal::{Refusal, unreadable};
use super::signing::{canonical_request, hash, host, mac, names, query};
use crate::aws::{BACKGROUND_CALL, Clients, HttpClient, SecretKeys};
use crate::clock::{Now, wall_timestamp};
use crate::error::{Cause, Error, StartError};
use crate::models::keys::Key;
use crate::models::phone::Phone;
use crate::random;

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// A client of Alibaba Cloud SMS.
pub struct Aliyun {
    http: HttpClient,
    endpoint: String,
    /// The access key: its id is `kid`, its secret `key`.
    keys: SecretKeys,
}

/// The result, also of most refusals, which have the status 200.
#[derive(Deserialize)]
struct Outcome {
    #[serde(rename = "Code")]
    code: String,
}

impl Aliyun {
    /// Reads the access key.
    ///
    /// # Errors
    /// A secret that cannot work.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let endpoint = clients.config.sms.aliyun.endpoint.trim_end_matches('/').to_owned();
        let keys = SecretKeys::connect(clients, &clients.config.secrets.sms).await?;
        Ok(Self { http: clients.public_http(BACKGROUND_CALL)?, endpoint, keys })
    }

    /// Hands over a message. `id` is the same in every delivery of it.
    ///
    /// # Errors
    /// [`Error::Http`] when the provider refuses, with its code, or does not answer.
    pub async fn send(&self, now: &Now, id: &str, phone: &Phone, message: &Message<'_>) -> Result<(), Error> {
        let keys = self.keys.get(now.timestamp()).await?;
        let places =
            message.places().into_iter().map(|(name, value)| (name.to_owned(), serde_json::Value::from(value)));
        let params = serde_json::Value::Object(places.collect()).to_string();
        let query = query(&[
            ("OutId", id),
            ("PhoneNumbers", phone.e164().trim_start_matches('+')),
            ("SignName", message.signature()),
            ("TemplateCode", message.template()),
            ("TemplateParam", &params),
        ]);
        // The machine's time, because the provider compares it with its own.
        let date = wall_timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (nonce, body_hash) = (random::unguessable()?, hash(&[]));
        let headers = [
            ("host", host(&self.endpoint)),
            ("x-acs-action", "SendSms"),
            ("x-acs-content-sha256", &*body_hash),
            ("x-acs-date", &*date),
            ("x-acs-signature-nonce", &*nonce),
            ("x-acs-version", "2017-05-25"),
        ];
        let mut request = http::Request::post(format!("{}/?{query}", self.endpoint))
            .header("authorization", authorization(&keys.current, &query, &headers));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Vec::new()).map_err(|cause| Error::Internal(Cause::of(&cause)))?;
        let response = self.http.send(request).await?;
        verdict(response.status, &response.body)
    }
}

/// The header `authorization` of a request without a body.
fn authorization(key: &Key, query: &str, headers: &[(&str, &str)]) -> String {
    let request = hash(canonical_request(query, headers, &[]).as_bytes());
    let signature = const_hex::encode(mac(key.bytes(), &format!("{ALGORITHM}\n{request}")));
    format!("{ALGORITHM} Credential={},SignedHeaders={},Signature={signature}", key.kid, names(headers))
}

fn verdict(status: u16, body: &[u8]) -> Result<(), Error> {
    let outcome: Outcome = serde_json::from_slice(body).map_err(|_| unreadable(status))?;
    match &*outcome.code {
        "OK" => Ok(()),
        code => Err(kind(code).error(code)),
    }
}

fn kind(code: &str) -> Refusal {
    match code {
        "isv.BLACK_KEY_CONTROL_LIMIT" => Refusal::Unapproved,
        _ if code.contains("LIMIT_CONTROL") || code.contains("BUSINESS_LIMIT") || code.starts_with("Throttling") => {
            Refusal::Limit
        }
        "isv.NOT_SUPPORTED_COUNTRY" | "isv.COUNTRY_RESTRICTED" => Refusal::Number,
        _ if code.contains("MOBILE_") || code.contains("PHONE_NUMBER") => Refusal::Number,
        _ if code.contains("SIGN") || code.contains("TEMPLATE") || code.contains("PARAM_") => Refusal::Unapproved,
        "isv.AMOUNT_NOT_ENOUGH" | "isv.OUT_OF_SERVICE" | "isv.PRODUCT_UN_SUBSCRIPT" | "isp.RAM_PERMISSION_DENY" => {
            Refusal::Account
        }
        _ if ["isv.ACCOUNT_", "InvalidAccessKeyId", "Signature", "Forbidden", "NoPermission"]
            .iter()
            .any(|start| code.starts_with(start)) =>
        {
            Refusal::Account
        }
        _ => Refusal::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_documentation() {
        // "Request syntax and signature method V3", "Fixed parameters".
        let key = serde_json::json!({ "kid": "YourAccessKeyId", "key": "YourAccessKeySecret" });
        let key: Key = serde_json::from_value(key).unwrap();
        let query =
            query(&[("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"), ("RegionId", "cn-shanghai")]);
        let empty = hash(&[]);
        let headers = [
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-content-sha256", &*empty),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-version", "2014-05-26"),
        ];
        assert_eq!(
            hash(canonical_request(&query, &headers, &[]).as_bytes()),
            "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"
        );
        assert_eq!(
            authorization(&key, &query, &headers),
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;\
             x-acs-date;x-acs-signature-nonce;x-acs-version,\
             Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    #[test]
    fn a_query_is_encoded_as_rfc_3986_says() {
        let query = query(&[("SignName", "徽章 a*b~c"), ("TemplateParam", r#"{"code":"012345"}"#)]);
        let expected = "SignName=%E5%BE%BD%E7%AB%A0%20a%2Ab~c&TemplateParam=%7B%22code%22%3A%22012345%22%7D";
        assert_eq!(query, expected);
    }

    #[test]
    fn codes_of_the_provider_are_told_apart() {
        for (code, expected) in [
            ("isv.BUSINESS_LIMIT_CONTROL", Refusal::Limit),
            ("isv.DAY_LIMIT_CONTROL", Refusal::Limit),
            ("Throttling.User", Refusal::Limit),
            ("isv.MOBILE_NUMBER_ILLEGAL", Refusal::Number),
            ("isv.NOT_SUPPORTED_COUNTRY", Refusal::Number),
            ("isv.SMS_SIGNATURE_ILLEGAL", Refusal::Unapproved),
            ("isv.SMS_TEMPLATE_ILLEGAL", Refusal::Unapproved),
            ("isv.TEMPLATE_MISSING_PARAMETERS", Refusal::Unapproved),
            ("isv.BLACK_KEY_CONTROL_LIMIT", Refusal::Unapproved),
            ("isv.AMOUNT_NOT_ENOUGH", Refusal::Account),
            ("SignatureDoesNotMatch", Refusal::Account),
            ("InvalidAccessKeyId.NotFound", Refusal::Account),
            ("isp.SYSTEM_ERROR", Refusal::Other),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
        assert!(verdict(200, br#"{"Code": "OK", "BizId": "9006"}"#).is_ok());
        for body in [&b"<html>"[..], b"{}", b""] {
            assert!(verdict(502, body).unwrap_err().to_string().contains("502"));
        }
    }
}
