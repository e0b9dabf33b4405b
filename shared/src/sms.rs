//! Short messages: what they say, and the provider that takes them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::clock::wall_millis;
use crate::config::SmsProvider;
use crate::ctx::Ctx;
use crate::error::{Cause, Error};
use crate::phone::Phone;
use crate::runs::{self, Progress};
use crate::secrets::KeyRing;
use crate::tasks::Task;
use crate::veri_code;

/// The task of sending a code. It carries the code's seed and not the code, so that no queue holds one.
#[derive(Serialize, Deserialize)]
pub struct SendSms {
    phone: String,
    seed: String,
    /// The code's last moment.
    good_until_ms: u64,
}

impl Task for SendSms {
    const NAME: &'static str = "send_sms";
}

impl SendSms {
    /// The code of `seed`, to `phone`, good for so long from `ctx`'s now on.
    pub(crate) fn new(ctx: &Ctx, phone: &Phone, seed: String, good_for: Duration) -> Self {
        let good_for_ms = u64::try_from(good_for.as_millis()).unwrap_or(u64::MAX);
        Self { phone: phone.e164().to_owned(), seed, good_until_ms: ctx.now().millis().saturating_add(good_for_ms) }
    }
}

/// Sends the message once, however often the task is delivered.
///
/// # Errors
/// [`Error::Http`] when the provider refuses or does not answer, [`Error::Db`] when it cannot be known whether the
/// message was sent before. Lambda then delivers again.
pub async fn send(ctx: &Ctx, task_id: &str, message: SendSms) -> Result<(), Error> {
    let left_ms = message.good_until_ms.saturating_sub(ctx.now().millis());
    if left_ms == 0 {
        // A code that has expired helps nobody.
        return Ok(());
    }
    let run = format!("{}#{task_id}", SendSms::NAME);
    runs::once(ctx, &run, async {
        let phone = Phone::stored(message.phone);
        let code = veri_code::of_seed(ctx, &phone, &message.seed).await?;
        let minutes = left_ms.div_ceil(60_000);
        let signature = &ctx.config().sms.signature;
        let text = format!("【{signature}】验证码{code}，{minutes}分钟内有效，请勿告诉他人。");
        match ctx.config().sms.provider {
            SmsProvider::Http => post(ctx, task_id, &phone, &text).await?,
            SmsProvider::Sns => ctx.sns()?.publish(phone.e164(), &text, signature).await?,
        }
        Ok(Progress::Done(()))
    })
    .await
    .map(drop)
}

/// The provider `http`: a JSON POST, signed as [Standard Webhooks](https://www.standardwebhooks.com) says, which
/// carries the task's id, so that the provider can drop a repetition too.
async fn post(ctx: &Ctx, id: &str, phone: &Phone, text: &str) -> Result<(), Error> {
    let url = ctx.config().sms_url().map_err(|cause| Error::Internal(Cause::of(&cause)))?;
    let body = serde_json::json!({ "id": id, "phone": phone.e164(), "text": text });
    let body = body.to_string();
    // The machine's time, because the provider compares it with its own.
    let timestamp = (wall_millis() / 1000).to_string();
    let signatures = signatures(&*ctx.sms_keys().await?, id, &timestamp, &body)?;
    let request = http::Request::post(url)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signatures)
        .body(body.into())
        .map_err(|cause| Error::Internal(Cause::of(&cause)))?;
    let answer = ctx.aws().http()?.send(request).await?;
    match answer.status {
        200..300 => Ok(()),
        status => Err(Error::Http(Cause::new(&format!("the SMS provider refused with status {status}")))),
    }
}

/// One for each key, set apart by spaces as the standard has it, so that the provider may change its own key whenever it
/// likes during a rotation.
fn signatures(keys: &KeyRing, id: &str, timestamp: &str, body: &str) -> Result<String, Error> {
    let signatures: Result<Vec<_>, _> = keys.keys().map(|key| signature(key.bytes(), id, timestamp, body)).collect();
    Ok(signatures?.join(" "))
}

/// `v1,` and the HMAC-SHA-256 of id, timestamp and body, in base64.
fn signature(key: &[u8], id: &str, timestamp: &str, body: &str) -> Result<String, Error> {
    let mac = Hmac::<Sha256>::new_from_slice(key)
        .map_err(|_| Error::Internal(Cause::new("the key of messages has no length that HMAC takes")))?
        .chain_update(format!("{id}.{timestamp}.{body}"));
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // The example of the specification, whose key is base64 behind `whsec_`.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signature = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_key_of_the_ring_signs() {
        let ring = serde_json::json!({ "kid": "b", "key": "now", "previous": { "kid": "a", "key": "before" },
            "next": { "kid": "c", "key": "after" } });
        let ring: KeyRing = serde_json::from_value(ring).unwrap();
        let of = |key: &str| signature(key.as_bytes(), "id", "1", "{}").unwrap();
        let all = [of("now"), of("after"), of("before")].join(" ");
        assert_eq!(signatures(&ring, "id", "1", "{}").unwrap(), all);
    }
}
