//! `POST /user/logout`: ends the session that the caller came with.

use std::process::ExitCode;

use shared::accounts::sessions::Sessions;
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, EndsSession, Method};
use shared::models::principal::Principal;

async fn logout(_sessions: &Sessions, _request: Request<Principal>) -> Reply {
    Ok(reply::done()?.without_session())
}

fn main() -> ExitCode {
    lambda::http(Method::POST, EndsSession, Sessions::connect, logout)
}
