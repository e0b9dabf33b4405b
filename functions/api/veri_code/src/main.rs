//! `POST /user/veri_code`: a phone receives the code that it proves itself with.

use shared::ctx::{Ctx, Need};
use shared::entry::{self, Fatal, Method};
use shared::envelope::{self, Reply};
use shared::request::Request;
use shared::veri_code::{self, Recipient};

async fn veri_code(ctx: Ctx, req: Request) -> Reply {
    let recipient: Recipient = req.check()?;
    let sent = veri_code::send(&ctx, &recipient, req.network(), req.idempotency_key()?).await?;
    envelope::ok(&sent)
}

fn main() -> Result<(), Fatal> {
    entry::open(&Method::POST, &[Need::CACHE, Need::CODE_KEY, Need::TASKS], veri_code)
}
