//! `GET /user/sessions`: returns the caller's sessions, newest first.

use std::process::ExitCode;

use shared::accounts::own_sessions::OwnSessions;
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, Method, SignedIn};
use shared::models::principal::Principal;

async fn user_sessions(sessions: &OwnSessions, request: Request<Principal>) -> Reply {
    reply::page(&sessions.list(&request.call, request.principal).await?, None)
}

fn main() -> ExitCode {
    lambda::http(Method::GET, SignedIn, OwnSessions::connect, user_sessions)
}
