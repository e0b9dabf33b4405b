//! `GET /admin/user`: returns a user in any state; for admins.

use std::process::ExitCode;

use shared::accounts::admin::{Admins, Wanted};
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, Admin, Method};
use shared::models::principal::Principal;

async fn admin_user(admins: &Admins, request: Request<Principal>) -> Reply {
    let wanted: Wanted = request.query_params()?;
    reply::ok(&admins.user(wanted).await?)
}

fn main() -> ExitCode {
    lambda::http(Method::GET, Admin, Admins::connect, admin_user)
}
