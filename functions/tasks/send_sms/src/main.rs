//! The task `send_sms`: a verification code goes to a phone, once.

use shared::ctx::{Ctx, Need};
use shared::entry::{self, Fatal};
use shared::error::Error;
use shared::sms::{self, SendSms};

async fn send_sms(ctx: Ctx, task_id: String, message: SendSms) -> Result<(), Error> {
    sms::send(&ctx, &task_id, message).await
}

fn main() -> Result<(), Fatal> {
    entry::task(&[Need::STORE, Need::CODE_KEY, Need::SMS_KEY, Need::SNS], send_sms)
}
