//! Short messages: what they say, and the provider that takes them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::SmsProvider;
use crate::ctx::Ctx;
use crate::error::{Cause, Error};
use crate::phone::Phone;
use crate::runs::{self, Progress};
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
            SmsProvider::Http => post(ctx, task_id, &phone, &text).await.map(Progress::Done),
        }
    })
    .await
    .map(drop)
}

/// The provider `http`: a JSON POST that carries the task's id, so that the provider can drop a repetition too.
async fn post(ctx: &Ctx, id: &str, phone: &Phone, text: &str) -> Result<(), Error> {
    let url = ctx.config().sms_url().map_err(|cause| Error::Internal(Cause::of(&cause)))?;
    let body = serde_json::json!({ "id": id, "phone": phone.e164(), "text": text });
    let request = http::Request::post(url)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .map_err(|cause| Error::Internal(Cause::of(&cause)))?;
    let answer = ctx.aws().http.send(request).await?;
    match answer.status {
        200..300 => Ok(()),
        status => Err(Error::Http(Cause::new(&format!("the SMS provider refused with status {status}")))),
    }
}
