//! `POST /user/delete`: deletes the caller's account, which can be restored for some days.

use std::process::ExitCode;

use shared::accounts::deletion::{Confirmation, Deletion};
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, ConfirmsByCode, Method};
use shared::models::principal::Principal;

async fn delete_account(deletion: &Deletion, request: Request<Principal>) -> Reply {
    let confirmation: Confirmation = request.params()?;
    let deleted = deletion.delete(&request.call, &request.principal, &confirmation).await?;
    Ok(reply::ok(&deleted)?.without_session())
}

fn main() -> ExitCode {
    lambda::http(Method::POST, ConfirmsByCode, Deletion::connect, delete_account)
}
