//! `POST /user/logout`: ends the sessions of the request.

use std::process::ExitCode;

use shared::accounts::sessions::Authenticator;
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, EndsSession, Method};
use shared::models::principal::Principal;

async fn logout(_authenticator: &Authenticator, _request: Request<Principal>) -> Reply {
    Ok(reply::done()?.without_session())
}

fn main() -> ExitCode {
    lambda::http(Method::POST, EndsSession, Authenticator::connect, logout)
}
