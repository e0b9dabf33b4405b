//! `POST /user/logout`: ends the session that the caller came with.

use shared::ctx::{Ctx, Need};
use shared::entry::{self, Fatal};
use shared::envelope::{self, Reply};
use shared::request::Request;
use shared::session::{self, Caller};

async fn logout(ctx: Ctx, _req: Request, caller: Caller) -> Reply {
    let cleared = session::end(&ctx, &caller).await?;
    Ok(envelope::done()?.with_cookie(cleared))
}

fn main() -> Result<(), Fatal> {
    entry::with_session(&[Need::CACHE], logout)
}
