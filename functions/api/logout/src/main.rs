//! `POST /user/logout`: ends the session that the caller came with.

use shared::ctx::{Ctx, Need};
use shared::entry::{self, Fatal, Method};
use shared::envelope::{self, Reply};
use shared::request::Request;
use shared::session::{self, Caller};

async fn logout(ctx: Ctx, _req: Request, _caller: Caller) -> Reply {
    Ok(envelope::done()?.with_cookie(session::forgetting(&ctx)))
}

fn main() -> Result<(), Fatal> {
    entry::leaving(&Method::POST, &[Need::CACHE], logout)
}
