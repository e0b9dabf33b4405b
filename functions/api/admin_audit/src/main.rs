//! `GET /admin/audit`: returns who changed what of one user, newest first; for admins.

use std::process::ExitCode;

use shared::accounts::audit_log::{AuditLog, AuditRequest};
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, Admin, Method};
use shared::models::principal::Principal;

async fn admin_audit(log: &AuditLog, request: Request<Principal>) -> Reply {
    let asked: AuditRequest = request.query_params()?;
    let page = log.page(asked).await?;
    reply::page(&page.events, page.next)
}

fn main() -> ExitCode {
    lambda::http(Method::GET, Admin, AuditLog::connect, admin_audit)
}
