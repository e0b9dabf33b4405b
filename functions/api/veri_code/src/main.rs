//! `POST /user/veri_code`: sends a verification code to a phone.

use std::process::ExitCode;

use shared::http::{Reply, Request, reply};
use shared::lambda::{self, Anyone, Method};
use shared::verification::{Recipient, Sender};

async fn veri_code(sender: &Sender, request: Request) -> Reply {
    let recipient: Recipient = request.params()?;
    let sent = sender.send(&request.call, &recipient, request.idempotency_key()?).await?;
    reply::ok(&sent)
}

fn main() -> ExitCode {
    lambda::http(Method::POST, Anyone, Sender::connect, veri_code)
}
