//! Sessions and callers: who is asking.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cache::sessions::{NewSession, SessionKey, UsedCode};
use crate::cache::slot_of;
use crate::config;
use crate::ctx::Ctx;
use crate::error::{Cause, Error};
use crate::hex;
use crate::phone::Phone;
use crate::random;
use crate::request::Request;
use crate::token;
use crate::user::{Role, User, UserId};
use crate::veri_code::Proof;

/// Name of the cookie, kept from the old service.
pub(crate) const COOKIE: &str = "__sid__";

/// Two characters of slot and 43 of randomness.
const SID_LENGTH: usize = 45;

/// The id of a session: the hash tag of its slot in the cache, then 256 random bits. Only its holder has it; the
/// cache has its SHA-256. Neither `Debug` nor `Display`.
pub struct Sid(pub(crate) String);

impl Sid {
    /// A new one, in the slot of the phone that it is opened for.
    fn new(phone: &Phone) -> Result<Self, Error> {
        Ok(Self(slot_of(phone.e164()) + &random::unguessable()?))
    }

    /// Reads what a client sent; anything that we cannot have given is nothing, and costs no round trip.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let slot_is_right = text.bytes().take(2).all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let rest_is_right = text.bytes().skip(2).all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        (text.len() == SID_LENGTH && slot_is_right && rest_is_right).then(|| Self(text.to_owned()))
    }

    pub(crate) fn key(&self) -> SessionKey {
        SessionKey { slot: self.0[..2].to_owned(), hash: hex::of(&Sha256::digest(self.0.as_bytes())) }
    }

    /// The whole id, for the `Set-Cookie` header alone.
    pub(crate) fn cookie(&self, settings: &config::Session) -> String {
        cookie(&self.0, settings.ttl_secs, settings)
    }
}

/// RFC 6265, section 4.1.
fn cookie(value: &str, max_age_secs: u64, settings: &config::Session) -> String {
    let secure = if settings.cookie_secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={max_age_secs}; HttpOnly; SameSite=Lax{secure}")
}

/// Somebody whose credential was accepted.
pub struct Caller {
    /// Who.
    pub user_id: UserId,
    /// What they may do.
    pub role: Role,
    /// The session they came with; a token has none.
    pub(crate) session: Option<Sid>,
}

/// Which credentials a function takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepts {
    SessionOrToken,
    /// A session, which has ended when it is found.
    EndingSession,
}

/// What the cache keeps of a session.
#[derive(Serialize, Deserialize)]
struct Kept {
    user_id: UserId,
    role: Role,
}

/// Opens a session for the user whose code `proof` is of; always a new one, whatever the client sent.
///
/// # Errors
/// [`Error::VeriCodeWrong`] when another request used the code meanwhile, or [`Error::Redis`].
pub async fn open(ctx: &Ctx, proof: &Proof, user: &User) -> Result<Sid, Error> {
    let sid = Sid::new(&user.phone)?;
    let kept = Kept { user_id: user.id, role: user.role };
    let value = serde_json::to_string(&kept).map_err(|cause| Error::Internal(Cause::of(&cause)))?;
    let session = NewSession { key: sid.key(), value: &value, ttl_secs: ctx.config().session.ttl_secs };
    match proof {
        Proof::Fixed => ctx.cache()?.open_session(&session).await?,
        Proof::Code { macs } => {
            let code = UsedCode { phone: &user.phone, macs, tries: ctx.config().veri_code.tries };
            let was_first = ctx.cache()?.open_session_with_code(&code, &session, ctx.now().today()).await?;
            if !was_first {
                return Err(Error::VeriCodeWrong);
            }
        }
    }
    Ok(sid)
}

/// The cookie that makes a browser forget its session.
#[must_use]
pub fn forgetting(ctx: &Ctx) -> String {
    cookie("", 0, &ctx.config().session)
}

/// Finds out who is asking. A token in `Authorization` is judged without a round trip; else the cookie is tried,
/// and a bare session id in `Authorization` when there is no cookie or it is worth nothing.
///
/// # Errors
/// [`Error::Token`], [`Error::NotLoggedIn`], or a backend.
pub(crate) async fn identify(ctx: &Ctx, request: &Request, accepts: Accepts) -> Result<Caller, Error> {
    let authorization = request.authorization().unwrap_or_default();
    let token = scheme(authorization, "jwt").or_else(|| scheme(authorization, "bearer"));
    if let (Some(token), Accepts::SessionOrToken) = (token, accepts) {
        let keys = ctx.token_keys().await?;
        let (user_id, role) = token::verify(&keys, token, &ctx.config().token.issuer, &ctx.now())?;
        return Ok(Caller { user_id, role, session: None });
    }
    for sid in [request.cookie(COOKIE), Some(authorization)].into_iter().flatten().filter_map(Sid::parse) {
        let found = match accepts {
            Accepts::SessionOrToken => ctx.cache()?.touch_session(&sid.key(), ctx.config().session.ttl_secs).await?,
            Accepts::EndingSession => ctx.cache()?.take_session(&sid.key()).await?,
        };
        if let Some(kept) = found.and_then(|value| serde_json::from_str::<Kept>(&value).ok()) {
            return Ok(Caller { user_id: kept.user_id, role: kept.role, session: Some(sid) });
        }
    }
    Err(Error::NotLoggedIn)
}

/// What follows the scheme, which is case-insensitive (RFC 9110, section 11.1).
pub(crate) fn scheme<'a>(authorization: &'a str, name: &str) -> Option<&'a str> {
    let (scheme, rest) = authorization.split_once(' ')?;
    let rest = rest.trim();
    (scheme.eq_ignore_ascii_case(name) && !rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid() -> Sid {
        Sid::new(&Phone::stored("+8613800138000".to_owned())).unwrap()
    }

    #[test]
    fn an_id_reads_back_and_is_never_its_own_key() {
        let sid = sid();
        let again = Sid::parse(&sid.0).unwrap();
        assert_eq!(again.key().hash, sid.key().hash);
        assert_eq!(sid.key().slot, slot_of("+8613800138000"));
        assert!(!sid.key().hash.contains(&sid.0[2..]));
    }

    #[test]
    fn what_we_cannot_have_given_is_nothing() {
        let good = sid().0;
        for text in
            ["", "x", "null", &good[1..], &format!("{good}x"), &good.replacen(&good[..1], "X", 1), &"é".repeat(45)]
        {
            assert!(Sid::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_cookie_is_hardened() {
        let settings = |cookie_secure| config::Session { ttl_secs: 86_400, cookie_secure };
        assert_eq!(
            cookie("x", 86_400, &settings(true)),
            "__sid__=x; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(cookie("", 0, &settings(false)), "__sid__=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn schemes_are_known_in_any_case() {
        assert_eq!(scheme("jwt abc", "jwt"), Some("abc"));
        assert_eq!(scheme("BEARER  abc ", "bearer"), Some("abc"));
        for none in ["", "jwt", "jwt ", "jwtabc", "basic abc"] {
            assert_eq!(scheme(none, "jwt"), None, "{none}");
        }
    }
}
