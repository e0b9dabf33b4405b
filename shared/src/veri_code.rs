//! Verification codes: six digits that a phone receives by SMS.
//!
//! A code is not stored. What is stored is a random seed, from which the code follows by HMAC-SHA-256 with a key
//! that the cache does not have, and the code's own HMAC, by which a try is judged. So the same code can be sent
//! again within its time, and the cache alone tells nobody a code.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::cache::codes::{Candidate, Day, Offer, Try, Use};
use crate::check::{Checked, Field, Fields, Required, Rules, text_or_integer};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Reason};
use crate::phone::Phone;
use crate::random;
use crate::secrets::KeyRing;
use crate::sms::SendSms;
use crate::user::applicant::{Applicant, PlaceCode};

/// Six digits that somebody typed. Neither `Debug` nor `Display`.
pub struct VeriCode(String);

impl Field for VeriCode {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        let text = text_or_integer(value).ok_or(Reason::NotACode)?;
        let is_code = text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit());
        if is_code { Ok(Self(text)) } else { Err(Reason::NotACode) }
    }
}

/// Somebody who wants a code.
pub struct Recipient {
    phone: Phone,
}

impl Checked for Recipient {
    const REQUIRED: Required = Required::OneByOne(&["phone"]);

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { phone: fields.read("phone")? })
    }
}

/// What the asker is told; the same whether or not the phone has a user.
#[derive(serde::Serialize)]
pub struct Sent {
    /// Seconds that the code is still good.
    expires_in: u64,
    /// Seconds until the next send.
    retry_after: u64,
}

/// Sends a code to the phone: the one that is still good, else a new one.
///
/// # Errors
/// [`Error::TooManyRequests`] by the limits of the phone; [`Error::Redis`] when they cannot be looked up, and then
/// nothing is sent.
pub async fn send(ctx: &Ctx, recipient: &Recipient) -> Result<Sent, Error> {
    let phone = &recipient.phone;
    let limits = &ctx.config().veri_code;
    let sent = |good_for: Duration| Sent { expires_in: ceil_secs(good_for), retry_after: limits.resend_secs };
    if ctx.config().fixed_code(phone, ctx.now().today()).is_some() {
        return Ok(sent(Duration::from_secs(limits.ttl_secs)));
    }
    let keys = ctx.code_keys().await?;
    let seed = random::unguessable()?;
    let mac = mac_of(&keys, phone, &code_of(&keys, phone, &seed)?)?;
    match ctx.cache()?.offer_code(phone, &Candidate { seed, mac }, limits, &day(ctx)).await? {
        Offer::Wait(wait) => Err(too_many(wait)),
        Offer::Send { seed, good_for } => {
            let message = SendSms::new(ctx, phone, seed, good_for);
            if let Err(error) = ctx.spawn(&message).await {
                // Ours, so it must not cost the asker the wait. If this fails too, the cool-down ends by itself.
                let _ = ctx.cache()?.withdraw_send(phone, &day(ctx)).await;
                return Err(error);
            }
            Ok(sent(good_for))
        }
    }
}

/// Somebody who knew the code of a phone.
pub enum Proof {
    /// The MAC of the code, which [`crate::session::open`] uses up.
    Code {
        /// As the cache has it.
        mac: String,
    },
    /// A test number and its fixed code.
    Fixed,
}

/// Judges a code without using it up.
///
/// # Errors
/// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], or a backend.
pub async fn peek(ctx: &Ctx, phone: &Phone, code: &VeriCode) -> Result<Proof, Error> {
    judge(ctx, phone, code, Use::Peek).await
}

/// Judges a code and uses it up for everything but a registration.
///
/// # Errors
/// As [`peek`].
pub async fn claim(ctx: &Ctx, phone: &Phone, code: &VeriCode) -> Result<Proof, Error> {
    judge(ctx, phone, code, Use::Claim).await
}

async fn judge(ctx: &Ctx, phone: &Phone, code: &VeriCode, usage: Use) -> Result<Proof, Error> {
    let keys = ctx.code_keys().await?;
    let mac = mac_of(&keys, phone, &code.0)?;
    if let Some(fixed) = ctx.config().fixed_code(phone, ctx.now().today()) {
        // By their MACs, so that the time of the comparison tells nothing.
        return if mac == mac_of(&keys, phone, fixed)? { Ok(Proof::Fixed) } else { Err(Error::VeriCodeWrong) };
    }
    match ctx.cache()?.try_code(phone, &mac, &ctx.config().veri_code, &day(ctx), usage).await? {
        Try::Right => Ok(Proof::Code { mac }),
        Try::Wrong => Err(Error::VeriCodeWrong),
        Try::Wait(wait) => Err(too_many(wait)),
    }
}

/// What only the very same registration request gives again: a MAC over all that it says. It is kept with the user,
/// and it is keyed because a plain hash would let a reader of the table find the code.
///
/// # Errors
/// A key that cannot be had.
pub async fn receipt(ctx: &Ctx, applicant: &Applicant) -> Result<String, Error> {
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
    let mut mac = keyed(&keys, "receipt", &parts)?;
    mac.truncate(32);
    Ok(mac)
}

/// The code of a seed, to be sent.
///
/// # Errors
/// A key that cannot be had.
pub(crate) async fn of_seed(ctx: &Ctx, phone: &Phone, seed: &str) -> Result<String, Error> {
    code_of(&*ctx.code_keys().await?, phone, seed)
}

fn code_of(keys: &KeyRing, phone: &Phone, seed: &str) -> Result<String, Error> {
    let mac = keyed_bytes(keys, "code", &[phone.e164(), seed])?;
    let mut bits = [0; 8];
    bits.copy_from_slice(&mac[..8]);
    let digits = random::six_digits(u64::from_be_bytes(bits));
    Ok(digits.iter().map(|&digit| char::from(digit)).collect())
}

fn mac_of(keys: &KeyRing, phone: &Phone, code: &str) -> Result<String, Error> {
    keyed(keys, "mac", &[phone.e164(), code])
}

fn keyed(keys: &KeyRing, purpose: &str, parts: &[&str]) -> Result<String, Error> {
    use std::fmt::Write;
    let mut hex = String::with_capacity(64);
    for byte in keyed_bytes(keys, purpose, parts)? {
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

/// HMAC-SHA-256 over a purpose and parts, each behind its length, so that no two lists give one message.
fn keyed_bytes(keys: &KeyRing, purpose: &str, parts: &[&str]) -> Result<[u8; 32], Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(keys.current.bytes())
        .map_err(|_| Error::Internal(Cause::new("the key of verification codes has no length that HMAC takes")))?;
    for part in std::iter::once(&purpose).chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    Ok(mac.finalize().into_bytes().into())
}

fn day(ctx: &Ctx) -> Day {
    Day { date: ctx.now().today(), left: Duration::from_millis(ctx.now().rest_millis_of_day()) }
}

fn too_many(wait: Duration) -> Error {
    Error::TooManyRequests { retry_after_secs: ceil_secs(wait).max(1) }
}

fn ceil_secs(span: Duration) -> u64 {
    u64::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys() -> KeyRing {
        serde_json::from_value(json!({ "kid": "k1", "key": "0123456789abcdef0123456789abcdef" })).unwrap()
    }

    fn phone(tail: u32) -> Phone {
        Phone::stored(format!("+86138{tail:08}"))
    }

    #[test]
    fn a_code_follows_from_phone_and_seed() {
        let code = |tail, seed| code_of(&keys(), &phone(tail), seed).unwrap();
        assert_eq!(code(1, "a"), code(1, "a"));
        assert_ne!(code(1, "a"), code(2, "a"));
        assert_ne!(code(1, "a"), code(1, "b"));
    }

    #[test]
    fn codes_have_all_ten_digits_in_every_position() {
        const DRAWS: u32 = 10_000;
        let mut seen = [[0_u32; 10]; 6];
        for draw in 0..DRAWS {
            for (position, digit) in code_of(&keys(), &phone(draw), "seed").unwrap().bytes().enumerate() {
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
        assert_ne!(keyed(&keys(), "mac", &["ab", "c"]).unwrap(), keyed(&keys(), "mac", &["a", "bc"]).unwrap());
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

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        assert_eq!(ceil_secs(Duration::from_millis(1)), 1);
        assert_eq!(ceil_secs(Duration::from_millis(59_001)), 60);
        assert_eq!(ceil_secs(Duration::from_mins(1)), 60);
    }
}
