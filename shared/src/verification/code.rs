//! Verification codes: six digits that a phone receives by SMS.
//!
//! A code is not stored. What is stored is a random seed, from which the code follows by HMAC-SHA-256 with a key
//! that the cache does not have, and the code's own HMAC, by which a try is judged. So the same code can be sent
//! again within its time, and the cache alone shows nobody a code. How a code is judged is in `tries`.

use std::sync::Arc;

use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::aws::SecretKeys;
use crate::cache::Cache;
use crate::config::Config;
use crate::error::{Cause, Error};
use crate::models::call::Call;
use crate::models::keys::{Key, KeyRing};
use crate::models::params::{Fields, Params, Required};
use crate::models::phone::Phone;
use crate::random;

/// A MAC, whose `==` takes the same time whatever differs.
pub(super) type Tag = CtOutput<Hmac<Sha256>>;

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

/// The codes of a stage.
pub struct Codes {
    pub(super) cache: Cache,
    pub(super) keys: SecretKeys,
    pub(super) config: Arc<Config>,
}

impl Codes {
    /// Codes in `cache`, made with `keys`.
    #[must_use]
    pub fn new(cache: Cache, keys: SecretKeys, config: Arc<Config>) -> Self {
        Self { cache, keys, config }
    }

    /// A MAC over `parts` by each key of the ring, the signing one first, each of 128 bits in hexadecimal. It is keyed,
    /// because a plain hash would let a reader of the table find a code among the parts.
    ///
    /// # Errors
    /// A key that cannot be had.
    pub async fn receipts(&self, call: &Call, parts: &[&str]) -> Result<Vec<String>, Error> {
        let keys = self.keys.get(call.now.timestamp()).await?;
        let parts: Vec<_> = parts.iter().map(|part| part.as_bytes()).collect();
        keys.keys()
            .map(|key| {
                let mut mac = hex_of(&keyed(key, "receipt", &parts)?);
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
        let mac = hex_of(&code_mac(key, phone, &code_of(key, phone, &seed)?)?);
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
    let mac = keyed(key, "code", &[phone.e164().as_bytes(), seed.as_bytes()])?.into_bytes();
    let mut bits = [0; 8];
    bits.copy_from_slice(&mac[..8]);
    let digits = random::six_digits(u64::from_be_bytes(bits));
    Ok(digits.iter().map(|&digit| char::from(digit)).collect())
}

/// The MAC by which a code is judged.
pub(super) fn code_mac(key: &Key, phone: &Phone, code: &str) -> Result<Tag, Error> {
    keyed(key, "mac", &[phone.e164().as_bytes(), code.as_bytes()])
}

pub(super) fn hex_of(mac: &Tag) -> String {
    const_hex::encode(mac.as_bytes())
}

/// Whether `hex` is what [`hex_of`] writes of the MAC.
pub(super) fn is_hex_of(hex: &str, mac: &Tag) -> bool {
    let mut bytes = [0; 32];
    const_hex::decode_to_slice(hex, &mut bytes).is_ok() && Tag::new(bytes.into()) == *mac
}

/// HMAC-SHA-256 over a purpose and parts, each behind its length, so that no two lists give one message.
pub(super) fn keyed(key: &Key, purpose: &str, parts: &[&[u8]]) -> Result<Tag, Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes())
        .map_err(|_| Error::Internal(Cause::new("the key of verification codes has no length that HMAC takes")))?;
    for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
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
        let mac = |parts: &[&[u8]]| hex_of(&keyed(&key(), "mac", parts).unwrap());
        assert_ne!(mac(&[b"ab", b"c"]), mac(&[b"a", b"bc"]));
    }

    #[test]
    fn a_mac_is_compared_with_its_hexadecimal_form() {
        let mac = |code| code_mac(&key(), &phone(1), code).unwrap();
        let hex = hex_of(&mac("012345"));
        assert!(is_hex_of(&hex, &mac("012345")));
        assert!(!is_hex_of(&hex, &mac("012346")) && !is_hex_of(&hex[2..], &mac("012345")) && !is_hex_of("", &mac("1")));
    }
}
