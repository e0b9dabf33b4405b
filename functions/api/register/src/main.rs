//! `POST /user/register`: a phone that proved itself with a code becomes a user.

use shared::ctx::{Ctx, Need};
use shared::entry::{self, Fatal, Method};
use shared::envelope::{self, Reply};
use shared::request::Request;
use shared::user;
use shared::user::applicant::Applicant;

async fn register(ctx: Ctx, req: Request) -> Reply {
    let applicant: Applicant = req.check()?;
    let registered = user::register(&ctx, applicant, req.network()).await?;
    envelope::ok(&registered)
}

fn main() -> Result<(), Fatal> {
    entry::open(&Method::POST, &[Need::STORE, Need::CACHE, Need::CODE_KEY], register)
}
