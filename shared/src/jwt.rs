//! JSON web tokens (RFC 7519), signed with HS256 (RFC 7515), as the old service made them.
//!
//! The crate `jsonwebtoken` reads and writes them; the time they are checked against is the request's.

mod hs256;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::clock::Now;
use crate::error::{Cause, Error, TokenFault};
use crate::models::keys::{Key, KeyRing};
use crate::models::role::Role;
use crate::models::user::UserId;

/// The largest token that is looked at; ours have about 330 bytes.
const LONGEST_TOKEN: usize = 4096;

/// The header `type` of every token of this service and the one before it.
const TYPE: &str = "jwt";

/// What a token says.
#[derive(Serialize, Deserialize)]
pub struct Claims {
    /// Whose token it is.
    pub user_id: UserId,
    /// The same, by its registered name (RFC 7519, section 4.1.2).
    pub sub: UserId,
    /// What they may do.
    pub role: Role,
    /// The user's epoch.
    pub epoch: u64,
    /// Who made it.
    pub iss: String,
    /// When, in seconds since the Unix epoch.
    pub iat: u64,
    /// From when on it is not accepted (RFC 7519, section 4.1.4).
    pub exp: u64,
    /// Another one in each token (RFC 7519, section 4.1.7).
    pub jti: String,
}

/// Whose token it was, and under which rights it was made.
#[derive(Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Who.
    pub user_id: UserId,
    /// What they might do then.
    pub role: Role,
    /// The user's epoch then. The old service's tokens have none.
    pub epoch: u64,
}

/// Claims as they may arrive: those that we check ourselves can be absent or too many.
#[derive(Deserialize)]
struct Arrived {
    user_id: UserId,
    role: Role,
    #[serde(default)]
    epoch: u64,
    iss: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    aud: Option<serde::de::IgnoredAny>,
}

/// Signs `claims` with the current key.
///
/// # Errors
/// [`Error::Internal`] when they cannot be written.
pub fn sign(keys: &KeyRing, claims: &Claims) -> Result<String, Error> {
    hs256::install();
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(keys.current.kid.clone());
    header.extras.insert("type", TYPE);
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(keys.current.bytes()))
        .map_err(|cause| Error::Internal(Cause::of(&cause)))
}

/// Reads a token that one of `keys` signed: the current one, that before it, or that after it. A token that names its
/// key is checked with that one; the old service's tokens name none.
///
/// # Errors
/// [`Error::Token`].
pub fn verify(keys: &KeyRing, token: &str, issuer: &str, now: &Now) -> Result<Bearer, Error> {
    hs256::install();
    if token.len() > LONGEST_TOKEN {
        return Err(Error::Token(TokenFault::Unverified));
    }
    let header = match jsonwebtoken::decode_header(token) {
        Ok(header) => header,
        // The crate knows no `none` and no made-up algorithm; a header that names one is read here.
        Err(_) if names_an_unknown_algorithm(token) => return Err(Error::Token(TokenFault::Unacceptable)),
        Err(_) => return Err(Error::Token(TokenFault::Unverified)),
    };
    let mut candidates = keys.keys().filter(|key| is_named(&header, key));
    let claims = candidates
        .find_map(|key| match decode(key, token) {
            Err(TokenFault::Unverified) => None,
            outcome => Some(outcome),
        })
        .unwrap_or(Err(TokenFault::Unverified))
        .and_then(|claims| accept(&claims, &header, issuer, now));
    claims.map_err(Error::Token)
}

fn is_named(header: &Header, key: &Key) -> bool {
    header.kid.as_ref().is_none_or(|kid| *kid == key.kid)
}

fn decode(key: &Key, token: &str) -> Result<Arrived, TokenFault> {
    // The crate would ask the machine's clock; `accept` asks the request's.
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Arrived>(token, &DecodingKey::from_secret(key.bytes()), &validation)
        .map(|data| data.claims)
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidAlgorithm => TokenFault::Unacceptable,
            _ => TokenFault::Unverified,
        })
}

fn accept(claims: &Arrived, header: &Header, issuer: &str, now: &Now) -> Result<Bearer, TokenFault> {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let now = now.secs() as f64;
    // RFC 7519, section 4.1.4: a token must be refused on its `exp` already.
    let exp = claims.exp.ok_or(TokenFault::Unacceptable)?;
    if exp <= now {
        return Err(TokenFault::Expired);
    }
    let type_is_ours = matches!(header.extras.get::<String>("type"), Ok(Some(found)) if found == TYPE);
    let is_early = claims.nbf.is_some_and(|nbf| nbf > now);
    let issuer_is_ours = claims.iss.as_deref() == Some(issuer);
    if !type_is_ours || is_early || !issuer_is_ours || claims.aud.is_some() || header.crit.is_some() {
        return Err(TokenFault::Unacceptable);
    }
    Ok(Bearer { user_id: claims.user_id, role: claims.role, epoch: claims.epoch })
}

/// Whether the first of three parts is a JSON object with an `alg` that the crate does not know.
fn names_an_unknown_algorithm(token: &str) -> bool {
    #[derive(Deserialize)]
    struct Named {
        alg: String,
    }
    let mut parts = token.split('.');
    let first = parts.next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let named = first.and_then(|json| serde_json::from_slice::<Named>(&json).ok());
    parts.count() == 2 && named.is_some_and(|named| named.alg.parse::<Algorithm>().is_err())
}

#[cfg(test)]
mod tests;
