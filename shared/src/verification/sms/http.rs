//! The SMS provider `http`: a JSON POST, signed as [Standard Webhooks](https://www.standardwebhooks.com) says, which carries
//! the task's id, so that the provider can drop a repetition too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;

use super::message::Message;
use crate::aws::{CALL, Clients, HttpClient, SecretKeys};
use crate::clock::{Now, wall_millis};
use crate::error::{Cause, Error, StartError};
use crate::mac::hmac_sha256;
use crate::models::keys::KeyRing;
use crate::models::phone::Phone;

/// The provider at `SMS_URL`.
pub struct HttpProvider {
    /// The provider can have a certificate of any public authority.
    http: HttpClient,
    url: String,
    keys: SecretKeys,
}

impl HttpProvider {
    /// Reads the keys that sign messages.
    ///
    /// # Errors
    /// A variable or a secret that cannot work.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let url = clients.config.sms_url().map_err(StartError::of)?.to_owned();
        let keys = SecretKeys::connect(clients, &clients.config.secrets.sms).await?;
        Ok(Self { http: clients.public_http(CALL)?, url, keys })
    }

    /// Hands over a message. `id` is the same in every delivery of it.
    ///
    /// # Errors
    /// [`Error::Http`] when the provider refuses, or does not answer.
    pub async fn send(&self, now: &Now, id: &str, phone: &Phone, message: &Message<'_>) -> Result<(), Error> {
        let (text, template) = (message.text(), message.template());
        let body = serde_json::json!({
            "id": id, "phone": phone.e164(), "text": text, "template": template, "params": message.params(),
        });
        let body = body.to_string();
        // The machine's time, because the provider compares it with its own.
        let timestamp = (wall_millis() / 1000).to_string();
        let signatures = signatures(&*self.keys.get(now.timestamp()).await?, id, &timestamp, &body);
        let request = http::Request::post(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures)
            .body(body.into_bytes())
            .map_err(|cause| Error::Internal(Cause::of(&cause)))?;
        match self.http.send(request).await?.status {
            200..300 => Ok(()),
            status => Err(Error::Http(Cause::new(&format!("the SMS provider refused with status {status}")))),
        }
    }
}

/// One for each key, set apart by spaces as the standard has it, so that the provider may change its own key whenever it
/// likes during a rotation.
fn signatures(keys: &KeyRing, id: &str, timestamp: &str, body: &str) -> String {
    let signatures: Vec<_> = keys.keys().map(|key| signature(key.bytes(), id, timestamp, body)).collect();
    signatures.join(" ")
}

/// `v1,` and the HMAC-SHA-256 of id, timestamp and body, in base64.
fn signature(key: &[u8], id: &str, timestamp: &str, body: &str) -> String {
    let mac = hmac_sha256(key).chain_update(format!("{id}.{timestamp}.{body}"));
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // The example of the specification, whose key is base64 behind `whsec_`.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signature = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_key_of_the_ring_signs() {
        let ring = serde_json::json!({ "kid": "b", "key": "now", "previous": { "kid": "a", "key": "before" },
            "next": { "kid": "c", "key": "after" } });
        let ring: KeyRing = serde_json::from_value(ring).unwrap();
        let of = |key: &str| signature(key.as_bytes(), "id", "1", "{}");
        let all = [of("now"), of("after"), of("before")].join(" ");
        assert_eq!(signatures(&ring, "id", "1", "{}"), all);
    }
}
