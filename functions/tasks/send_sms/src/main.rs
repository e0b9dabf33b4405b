//! The task `send_sms`: sends a message to a phone, once.

use std::process::ExitCode;

use shared::error::Error;
use shared::jobs::send_sms::SmsDelivery;
use shared::lambda;
use shared::models::call::Call;
use shared::verification::sms::SendSms;

async fn send_sms(delivery: &SmsDelivery, call: Call, task_id: String, message: SendSms) -> Result<(), Error> {
    delivery.deliver(&call, &task_id, message).await
}

fn main() -> ExitCode {
    lambda::task(SmsDelivery::connect, send_sms)
}
