//! `POST /user/end_sessions`: ends one session of the caller, or all others.

use std::process::ExitCode;

use shared::accounts::own_sessions::{Ended, OwnSessions};
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, Method, SignedIn};
use shared::models::principal::Principal;

async fn end_sessions(sessions: &OwnSessions, request: Request<Principal>) -> Reply {
    let ended: Ended = request.params()?;
    sessions.end(&request.call, ended, request.principal).await?;
    reply::done()
}

fn main() -> ExitCode {
    lambda::http(Method::POST, SignedIn, OwnSessions::connect, end_sessions)
}
