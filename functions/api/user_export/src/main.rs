//! `GET /user/export`: returns all that is stored about the caller.

use std::process::ExitCode;

use shared::accounts::export::Export;
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, BySession, Method};
use shared::models::principal::Principal;

async fn user_export(export: &Export, request: Request<Principal>) -> Reply {
    reply::ok(&export.all(&request.call, request.principal).await?)
}

fn main() -> ExitCode {
    lambda::http(Method::GET, BySession, Export::connect, user_export)
}
