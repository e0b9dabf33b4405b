//! `POST /admin/update`: changes the rights of a user, or resets the wrong tries of a phone; for admins.

use std::process::ExitCode;

use shared::accounts::admin::{Admins, UserChange};
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, Admin, Method};
use shared::models::principal::Principal;

async fn admin_update(admins: &Admins, request: Request<Principal>) -> Reply {
    let change: UserChange = request.params()?;
    match admins.update(&request.call, change, &request.principal).await? {
        Some(user) => reply::ok(&user),
        None => reply::done(),
    }
}

fn main() -> ExitCode {
    lambda::http(Method::POST, Admin, Admins::connect, admin_update)
}
