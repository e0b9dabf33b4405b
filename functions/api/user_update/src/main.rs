//! `POST /user/update`: updates the caller's profile.

use std::process::ExitCode;

use shared::accounts::profile::Own;
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, Method, SignedIn};
use shared::models::principal::Principal;
use shared::models::profile::ProfileChange;

async fn user_update(own: &Own, request: Request<Principal>) -> Reply {
    let change: ProfileChange = request.params()?;
    reply::ok(&own.update(&request.call, change, request.principal).await?)
}

fn main() -> ExitCode {
    lambda::http(Method::POST, SignedIn, Own::connect, user_update)
}
