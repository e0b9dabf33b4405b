//! `GET /user/index`: returns a page of users, newest first.

use std::process::ExitCode;

use shared::accounts::list::{PageRequest, UserList};
use shared::http::{Reply, Request, reply};
use shared::lambda::{self, Method, SignedIn};
use shared::models::principal::Principal;

async fn user_index(users: &UserList, request: Request<Principal>) -> Reply {
    let page: PageRequest = request.query_params()?;
    let page = users.page(&request.call, page, request.principal).await?;
    reply::page(&page, page.next.clone())
}

fn main() -> ExitCode {
    lambda::http(Method::GET, SignedIn, UserList::connect, user_index)
}
