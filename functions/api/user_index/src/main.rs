//! `GET /user/index`: one page of users, newest first.

use shared::ctx::{Ctx, Need};
use shared::entry::{self, Fatal, Method};
use shared::envelope::{self, Reply};
use shared::request::Request;
use shared::session::Caller;
use shared::user::index::{self, PageOf};

async fn user_index(ctx: Ctx, req: Request, caller: Caller) -> Reply {
    let page: PageOf = req.check_query()?;
    let (rows, next) = index::page(&ctx, page, &caller).await?;
    envelope::page(&rows, next)
}

fn main() -> Result<(), Fatal> {
    entry::guarded(&Method::GET, &[Need::STORE, Need::CACHE, Need::TOKEN_KEY], user_index)
}
