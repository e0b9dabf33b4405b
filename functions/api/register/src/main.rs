//! `POST /user/register`: creates a user for a right code.

use std::process::ExitCode;

use shared::accounts::register::{Applicant, Register};
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, Anyone, Method};

async fn register(register: &Register, request: Request) -> Reply {
    let applicant: Applicant = request.params()?;
    let registered = register.register(&request.call, applicant).await?;
    Ok(reply::ok(&registered)?.with_device(registered.device()))
}

fn main() -> ExitCode {
    lambda::http(Method::POST, Anyone, Register::connect, register)
}
