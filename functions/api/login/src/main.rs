//! `POST /user/login`: a user who proved the phone with a code gets a session and a token.

use shared::ctx::{Ctx, Need};
use shared::entry::{self, Fatal, Method};
use shared::envelope::{self, Reply};
use shared::login::{self, Attempt};
use shared::request::Request;

async fn login(ctx: Ctx, req: Request) -> Reply {
    let attempt: Attempt = req.check()?;
    let (signed_in, cookie) = login::sign_in(&ctx, &attempt, req.network()).await?;
    Ok(envelope::ok(&signed_in)?.with_cookie(cookie))
}

fn main() -> Result<(), Fatal> {
    entry::open(&Method::POST, &[Need::STORE, Need::CACHE, Need::CODE_KEY, Need::TOKEN_KEY], login)
}
