//! `POST /user/token`: issues a token for a session.

use std::process::ExitCode;

use shared::accounts::refresh::Refresh;
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, BySession, Method};
use shared::models::principal::Principal;

async fn user_token(refresh: &Refresh, request: Request<Principal>) -> Reply {
    reply::ok(&refresh.token(&request.call, &request.principal).await?)
}

fn main() -> ExitCode {
    lambda::http(Method::POST, BySession, Refresh::connect, user_token)
}
