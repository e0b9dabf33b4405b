//! The message with a code.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::aws::Task;
use crate::clock::Now;
use crate::models::phone::Phone;

/// The task of sending a code. It carries the code's seed and not the code, so that no queue holds one.
#[derive(Serialize, Deserialize)]
pub struct SendSms {
    /// E.164.
    pub(crate) phone: String,
    /// The code follows from it.
    pub(crate) seed: String,
    /// The code's last moment, in milliseconds since the Unix epoch.
    good_until_ms: u64,
}

impl Task for SendSms {
    const NAME: &'static str = "send_sms";

    fn masked_phone(&self) -> Option<String> {
        Some(Phone::stored(self.phone.clone()).masked())
    }
}

impl SendSms {
    /// The code of `seed`, to `phone`, good for so long from `now` on.
    pub(crate) fn new(now: &Now, phone: &Phone, seed: String, good_for: Duration) -> Self {
        let good_for_ms = u64::try_from(good_for.as_millis()).unwrap_or(u64::MAX);
        Self { phone: phone.e164().to_owned(), seed, good_until_ms: now.millis().saturating_add(good_for_ms) }
    }

    /// What the message says.
    pub(crate) fn text(&self, now: &Now, signature: &str, code: &str) -> String {
        let minutes = self.good_until_ms.saturating_sub(now.millis()).div_ceil(60_000);
        format!("【{signature}】验证码{code}，{minutes}分钟内有效，请勿告诉他人。")
    }

    /// Whether the code has expired, and so helps nobody.
    pub(crate) fn has_expired(&self, now: &Now) -> bool {
        self.good_until_ms <= now.millis()
    }
}
