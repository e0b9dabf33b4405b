//! Verification codes: six digits that a phone receives by SMS.
//!
//! A code is not stored. What is stored is a random seed, from which the code follows by HMAC-SHA-256 with a key
//! that the cache does not have, and the code's own HMAC, by which a try is judged. So the same code can be sent
//! again within its time, and the cache alone tells nobody a code.

mod sending;

use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

pub use self::sending::{Sent, send};
use crate::cache::codes::{Try, TryLimits, Use};
use crate::check::{Checked, Field, Fields, Required, Rules, text_or_integer};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Reason};
use crate::hex;
use crate::limits::{self, Network, too_many};
use crate::phone::Phone;
use crate::random;
use crate::secrets::{Key, KeyRing};
use crate::user::applicant::{Applicant, PlaceCode};

/// Six digits that somebody typed. Neither `Debug` nor `Display`.
pub struct VeriCode(pub(crate) String);

impl Field for VeriCode {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        let text = text_or_integer(value).ok_or(Reason::NotACode)?;
        let is_code = text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit());
        if is_code { Ok(Self(text)) } else { Err(Reason::NotACode) }
    }
}

/// Somebody who wants a code.
pub struct Recipient {
    pub(crate) phone: Phone,
}

impl Checked for Recipient {
    const REQUIRED: Required = Required::OneByOne(&["phone"]);

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { phone: fields.read("phone")? })
    }
}

/// Somebody who knew the code of a phone.
pub enum Proof {
    /// The MACs of the code, which [`crate::session::open`] uses up.
    Code {
        /// As [`crate::cache::Cache::try_code`] takes them.
        macs: String,
    },
    /// A test number and its fixed code.
    Fixed,
}

/// Judges a code without using it up.
///
/// # Errors
/// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], or a backend.
pub async fn peek(ctx: &Ctx, phone: &Phone, code: &VeriCode, network: &Network) -> Result<Proof, Error> {
    judge(ctx, phone, code, network, Use::Peek).await
}

/// Judges a code and uses it up for everything but a registration.
///
/// # Errors
/// As [`peek`].
pub async fn claim(ctx: &Ctx, phone: &Phone, code: &VeriCode, network: &Network) -> Result<Proof, Error> {
    judge(ctx, phone, code, network, Use::Claim).await
}

async fn judge(ctx: &Ctx, phone: &Phone, code: &VeriCode, network: &Network, usage: Use) -> Result<Proof, Error> {
    let keys = ctx.code_keys().await?;
    if let Some(fixed) = ctx.config().fixed_code(phone, ctx.now().today()) {
        let mac = |code| mac_of(&keys.current, phone, code);
        return if mac(&code.0)? == mac(fixed)? { Ok(Proof::Fixed) } else { Err(Error::VeriCodeWrong) };
    }
    // Any key of the ring may have made it, in a sandbox that heard of the last rotation earlier or later than this one.
    let macs: Result<Vec<_>, _> = keys.keys().map(|key| mac_of(key, phone, &code.0).map(|mac| hex(&mac))).collect();
    let macs = macs?.join(" ");
    let may_miss = TryLimits { per_code: ctx.config().veri_code.tries, per_day: ctx.config().limits.tries_per_day() };
    let day = limits::day(ctx);
    let (outcome, wait) = tokio::join!(
        async { ctx.cache()?.try_code(phone, &macs, &may_miss, &day, usage).await },
        limits::wait_to_try(ctx, network)
    );
    match (outcome?, wait?) {
        (Try::Wait(phone), network) => Err(too_many(network.map_or(phone, |network| network.max(phone)))),
        // Whatever the code was: who has guessed too often is not told.
        (_, Some(wait)) => Err(too_many(wait)),
        (Try::Right, None) => Ok(Proof::Code { macs }),
        (Try::Used, None) => Err(Error::VeriCodeWrong),
        (Try::Wrong, None) => {
            limits::count_miss(ctx, network).await?;
            Err(Error::VeriCodeWrong)
        }
    }
}

/// Tells the limits that somebody reads what is sent to this phone.
pub async fn acknowledge(ctx: &Ctx, phone: &Phone, proof: &Proof) {
    if let Proof::Code { macs } = proof {
        // The first one names the code; once is enough.
        limits::prove(ctx, phone, macs.split(' ').next().unwrap_or_default()).await;
    }
}

/// What only the very same registration request gives again: a MAC over all that it says, by each key of the ring, the
/// signing one first. That one is kept with the user; it is keyed because a plain hash would let a reader of the table
/// find the code.
///
/// # Errors
/// A key that cannot be had.
pub async fn receipts(ctx: &Ctx, applicant: &Applicant) -> Result<Vec<String>, Error> {
    let place = |place: &Option<PlaceCode>| place.as_ref().map(|code| code.0.clone()).unwrap_or_default();
    let keys = ctx.code_keys().await?;
    let parts = [
        applicant.user_name.0.as_str(),
        &applicant.gender.0.to_string(),
        &applicant.birth_day.0.to_string(),
        applicant.phone.e164(),
        &applicant.veri_code.0,
        &place(&applicant.province),
        &place(&applicant.city),
    ];
    keys.keys()
        .map(|key| {
            let mut mac = hex(&keyed(key, "receipt", &parts)?);
            mac.truncate(32);
            Ok(mac)
        })
        .collect()
}

/// The code of a seed, to be sent.
///
/// # Errors
/// A key that cannot be had.
pub(crate) async fn of_seed(ctx: &Ctx, phone: &Phone, seed: &str) -> Result<String, Error> {
    let keys = ctx.code_keys().await?;
    let key = key_of(&keys, seed).ok_or_else(|| Error::Internal(Cause::new("a seed's key has been retired")))?;
    code_of(key, phone, seed)
}

/// A new seed: the name of the key that it is for, and 256 random bits.
fn seed_of(key: &Key) -> Result<String, Error> {
    Ok(format!("{}.{}", key.kid, random::unguessable()?))
}

fn key_of<'a>(keys: &'a KeyRing, seed: &str) -> Option<&'a Key> {
    let (kid, _) = seed.rsplit_once('.')?;
    keys.keys().find(|key| key.kid == kid)
}

fn code_of(key: &Key, phone: &Phone, seed: &str) -> Result<String, Error> {
    let mac = keyed(key, "code", &[phone.e164(), seed])?.into_bytes();
    let mut bits = [0; 8];
    bits.copy_from_slice(&mac[..8]);
    let digits = random::six_digits(u64::from_be_bytes(bits));
    Ok(digits.iter().map(|&digit| char::from(digit)).collect())
}

fn mac_of(key: &Key, phone: &Phone, code: &str) -> Result<CtOutput<Hmac<Sha256>>, Error> {
    keyed(key, "mac", &[phone.e164(), code])
}

fn hex(mac: &CtOutput<Hmac<Sha256>>) -> String {
    hex::of(mac.as_bytes())
}

/// HMAC-SHA-256 over a purpose and parts, each behind its length, so that no two lists give one message. The output's
/// `==` takes the same time whatever differs.
fn keyed(key: &Key, purpose: &str, parts: &[&str]) -> Result<CtOutput<Hmac<Sha256>>, Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes())
        .map_err(|_| Error::Internal(Cause::new("the key of verification codes has no length that HMAC takes")))?;
    for part in std::iter::once(&purpose).chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    Ok(mac.finalize())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> Key {
        serde_json::from_value(json!({ "kid": "k1", "key": "0123456789abcdef0123456789abcdef" })).unwrap()
    }

    fn phone(tail: u32) -> Phone {
        Phone::stored(format!("+86138{tail:08}"))
    }

    #[test]
    fn a_code_follows_from_phone_and_seed() {
        let code = |tail, seed| code_of(&key(), &phone(tail), seed).unwrap();
        assert_eq!(code(1, "a"), code(1, "a"));
        assert_ne!(code(1, "a"), code(2, "a"));
        assert_ne!(code(1, "a"), code(1, "b"));
    }

    #[test]
    fn codes_have_all_ten_digits_in_every_position() {
        const DRAWS: u32 = 10_000;
        let mut seen = [[0_u32; 10]; 6];
        for draw in 0..DRAWS {
            for (position, digit) in code_of(&key(), &phone(draw), "seed").unwrap().bytes().enumerate() {
                seen[position][usize::from(digit - b'0')] += 1;
            }
        }
        // Pearson's chi-squared with 9 degrees of freedom; the inputs are fixed, so this cannot fail by chance.
        let expected = f64::from(DRAWS) / 10.0;
        for position in seen {
            let chi2: f64 = position.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
            assert!(chi2 < 30.0, "{position:?}");
        }
    }

    #[test]
    fn no_two_lists_of_parts_give_one_mac() {
        let mac = |parts| hex(&keyed(&key(), "mac", parts).unwrap());
        assert_ne!(mac(&["ab", "c"]), mac(&["a", "bc"]));
    }

    #[test]
    fn a_code_is_six_digits() {
        let rules = Rules::sample();
        for (value, is_code) in [
            (json!("012345"), true),
            (json!(123_456), true),
            (json!(12_345), false),
            (json!("12345"), false),
            (json!("1234567"), false),
            (json!("12345a"), false),
            (json!("１２３４５６"), false),
            (json!(123_456.0), false),
            (json!(-12345), false),
            (json!(["123456"]), false),
        ] {
            assert_eq!(VeriCode::parse(&value, &rules).is_ok(), is_code, "{value}");
        }
    }
}
