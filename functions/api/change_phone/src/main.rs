//! `POST /user/change_phone`: moves the caller's account to another phone.

use std::process::ExitCode;

use shared::accounts::phone_change::{NewPhone, PhoneChange};
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, ConfirmsByCode, Method};
use shared::models::principal::Principal;

async fn change_phone(change: &PhoneChange, request: Request<Principal>) -> Reply {
    let new: NewPhone = request.params()?;
    change.change(&request.call, &request.principal, &new).await?;
    reply::done()
}

fn main() -> ExitCode {
    lambda::http(Method::POST, ConfirmsByCode, PhoneChange::connect, change_phone)
}
