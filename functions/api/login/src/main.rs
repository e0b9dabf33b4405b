//! `POST /user/login`: opens a session and issues a token for a right code.

use std::process::ExitCode;

use shared::accounts::login::{Attempt, Login};
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, Anyone, Method};

async fn login(login: &Login, request: Request) -> Reply {
    let attempt: Attempt = request.params()?;
    let mut signed_in = login.sign_in(&request.call, attempt, request.sessions()).await?;
    if request.is_of_other_site() {
        signed_in = signed_in.with_bare_session();
    }
    let device = Some(signed_in.reply.device());
    Ok(reply::ok(&signed_in.reply)?.with_device(device).with_session(signed_in.principal))
}

fn main() -> ExitCode {
    lambda::http(Method::POST, Anyone, Login::connect, login)
}
