//! `GET /user/me`: returns the caller's profile.

use std::process::ExitCode;

use shared::accounts::profile::Own;
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, Method, SignedIn};
use shared::models::principal::Principal;

async fn user_me(own: &Own, request: Request<Principal>) -> Reply {
    reply::ok(&own.me(&request.call, request.principal).await?)
}

fn main() -> ExitCode {
    lambda::http(Method::GET, SignedIn, Own::connect, user_me)
}
