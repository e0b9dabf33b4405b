//! Verification codes: six digits that a phone receives by SMS.
//!
//! A code is not stored. What is stored is a random seed, from which the code follows by HMAC-SHA-256 with a key
//! that the cache does not have, and the code's own HMAC, by which a try is judged. So the same code can be sent
//! again within its time, and the cache alone shows nobody a code.

use std::sync::Arc;

use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::limits::{self, too_many};
use crate::aws::SecretKeys;
use crate::cache::{Cache, Try, TryLimits, Use};
use crate::config::Config;
use crate::error::{Cause, Error};
use crate::models::call::Call;
use crate::models::keys::{Key, KeyRing};
use crate::models::params::{Fields, Params, Required};
use crate::models::phone::Phone;
use crate::models::veri_code::VeriCode;
use crate::random;

/// Somebody who wants a code.
pub struct Recipient {
    pub(crate) phone: Phone,
}

impl Params for Recipient {
    fn required() -> Required {
        Required::OneByOne(&["phone"])
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { phone: fields.read("phone")? })
    }
}

/// What somebody showed who knew the code of a phone.
pub enum Proof {
    /// The MACs of the code, by each key that may have made it; opening a session uses the code up by them.
    Code {
        /// As [`Cache::try_code`] takes them.
        macs: String,
    },
    /// A test number and its fixed code.
    Fixed,
}

/// The codes of a stage.
pub struct Codes {
    cache: Cache,
    keys: SecretKeys,
    config: Arc<Config>,
}

impl Codes {
    /// Codes in `cache`, made with `keys`.
    #[must_use]
    pub fn new(cache: Cache, keys: SecretKeys, config: Arc<Config>) -> Self {
        Self { cache, keys, config }
    }

    /// Judges a code without using it up.
    ///
    /// # Errors
    /// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], or a backend.
    pub async fn verify(&self, call: &Call, phone: &Phone, code: &VeriCode) -> Result<Proof, Error> {
        self.judge(call, phone, code, Use::Verify).await
    }

    /// Judges a code and uses it up for everything but a registration.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn claim(&self, call: &Call, phone: &Phone, code: &VeriCode) -> Result<Proof, Error> {
        self.judge(call, phone, code, Use::Claim).await
    }

    async fn judge(&self, call: &Call, phone: &Phone, code: &VeriCode, usage: Use) -> Result<Proof, Error> {
        let (cache, config) = (&self.cache, &*self.config);
        let keys = self.keys.get(call.now.timestamp()).await?;
        if let Some(fixed) = config.veri_code.fixed_code(phone, call.now.today()) {
            let mac = |code| mac_of(&keys.current, phone, code);
            return if mac(code.digits())? == mac(fixed)? { Ok(Proof::Fixed) } else { Err(Error::VeriCodeWrong) };
        }
        // Any key of the ring may have made it, in a sandbox that read the last rotation earlier or later than this one.
        let macs: Result<Vec<_>, _> =
            keys.keys().map(|key| mac_of(key, phone, code.digits()).map(|mac| hex_of(&mac))).collect();
        let macs = macs?.join(" ");
        let may_miss = TryLimits { per_code: config.veri_code.tries, per_day: config.limits.tries_per_day() };
        let day = limits::day(call);
        let (outcome, wait) = tokio::join!(
            cache.try_code(phone, &macs, &may_miss, &day, usage),
            limits::wait_to_try(cache, config, call)
        );
        match (outcome?, wait?) {
            (Try::Wait(phone), network) => Err(too_many(network.map_or(phone, |network| network.max(phone)))),
            // Whatever the code was: who has guessed too often does not learn it.
            (_, Some(wait)) => Err(too_many(wait)),
            (Try::Right, None) => Ok(Proof::Code { macs }),
            (Try::Used, None) => Err(Error::VeriCodeWrong),
            (Try::Wrong, None) => {
                limits::count_miss(cache, config, call).await?;
                Err(Error::VeriCodeWrong)
            }
        }
    }

    /// Records that somebody reads what is sent to this phone, which the limits of its range of numbers take into account.
    pub async fn record_use(&self, phone: &Phone, proof: &Proof) {
        if let Proof::Code { macs } = proof {
            // The first one names the code; once is enough.
            let mac = macs.split(' ').next().unwrap_or_default();
            limits::credit(&self.cache, &self.config, phone, mac).await;
        }
    }

    /// A MAC over `parts` by each key of the ring, the signing one first, each of 128 bits in hexadecimal. It is keyed,
    /// because a plain hash would let a reader of the table find a code among the parts.
    ///
    /// # Errors
    /// A key that cannot be had.
    pub async fn receipts(&self, call: &Call, parts: &[&str]) -> Result<Vec<String>, Error> {
        let keys = self.keys.get(call.now.timestamp()).await?;
        keys.keys()
            .map(|key| {
                let mut mac = hex_of(&keyed(key, "receipt", parts)?);
                mac.truncate(32);
                Ok(mac)
            })
            .collect()
    }

    /// A new code for the phone: its seed, and the MAC by which it is judged.
    ///
    /// # Errors
    /// A key that cannot be had.
    pub(super) async fn candidate(&self, call: &Call, phone: &Phone) -> Result<(String, String), Error> {
        let keys = self.keys.get(call.now.timestamp()).await?;
        let key = &keys.current;
        let seed = seed_of(key)?;
        let mac = hex_of(&mac_of(key, phone, &code_of(key, phone, &seed)?)?);
        Ok((seed, mac))
    }
}

/// The code of a seed, to be sent.
///
/// # Errors
/// [`Error::Internal`] when the seed's key is none of the ring.
pub(crate) fn code_of_seed(keys: &KeyRing, phone: &Phone, seed: &str) -> Result<String, Error> {
    let key = key_of(keys, seed).ok_or_else(|| Error::Internal(Cause::new("a seed's key has been retired")))?;
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

fn hex_of(mac: &CtOutput<Hmac<Sha256>>) -> String {
    hex::encode(mac.as_bytes())
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
        let mac = |parts| hex_of(&keyed(&key(), "mac", parts).unwrap());
        assert_ne!(mac(&["ab", "c"]), mac(&["a", "bc"]));
    }
}
