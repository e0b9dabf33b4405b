//! Signing in: a right code of a live user becomes a session and a token.

use serde::Serialize;

use crate::check::{Checked, Fields, Required};
use crate::ctx::Ctx;
use crate::error::Error;
use crate::limits::Network;
use crate::phone::Phone;
use crate::session;
use crate::token::{self, Claims};
use crate::user::UserId;
use crate::veri_code::{self, VeriCode};

/// A phone and the code that it received.
pub struct Attempt {
    pub(crate) phone: Phone,
    pub(crate) veri_code: VeriCode,
}

impl Checked for Attempt {
    const REQUIRED: Required = Required::OneByOne(&["phone", "veri_code"]);

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let phone = fields.read("phone");
        let veri_code = fields.read("veri_code");
        Some(Self { phone: phone?, veri_code: veri_code? })
    }
}

/// What somebody who signed in receives beside the cookie.
#[derive(Serialize)]
pub struct SignedIn {
    user_id: UserId,
    /// A JSON web token.
    token: String,
    /// Seconds that the token is valid.
    expires_in: u64,
}

/// Judges the code while the user is looked up, then uses the code up and opens the session in one step: a fault of
/// ours before that step leaves the code as it was. Gives the reply and the session's cookie.
///
/// # Errors
/// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], [`Error::UserNotFound`] (the code then stays good, for a
/// registration), or a backend.
pub async fn sign_in(ctx: &Ctx, attempt: &Attempt, network: &Network) -> Result<(SignedIn, String), Error> {
    let (proof, user) = tokio::join!(veri_code::peek(ctx, &attempt.phone, &attempt.veri_code, network), async {
        ctx.store()?.user_by_phone(&attempt.phone).await
    },);
    // A wrong code is told before anything about the user, a failed look-up included.
    let proof = proof?;
    let user = user?.ok_or(Error::UserNotFound)?;
    let keys = ctx.token_keys().await?;
    let settings = &ctx.config().token;
    let iat = ctx.now().secs();
    let claims =
        Claims { user_id: user.id, role: user.role, iss: settings.issuer.clone(), iat, exp: iat + settings.ttl_secs };
    let token = token::sign(&keys, &claims)?;
    let (sid, ()) =
        tokio::join!(session::open(ctx, &proof, &user), veri_code::acknowledge(ctx, &attempt.phone, &proof));
    let sid = sid?;
    let reply = SignedIn { user_id: user.id, token, expires_in: settings.ttl_secs };
    Ok((reply, sid.cookie(&ctx.config().session)))
}
