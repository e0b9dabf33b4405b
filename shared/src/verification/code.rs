//! Verification codes: six digits that a phone receives by SMS.
//!
//! A code is not stored. What is stored is a random seed, from which the code follows by HMAC-SHA-256 with a key
//! that the cache does not have, and the code's own HMAC, by which a try is judged. So the same code can be sent
//! again within its time, and the cache alone shows nobody a code. How a code is judged is in `tries`.

use std::sync::Arc;

use hmac::digest::CtOutput;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::receipt;
use crate::aws::SecretKeys;
use crate::cache::Cache;
use crate::config::Config;
use crate::error::{Cause, Error};
use crate::mac::hmac_sha256;
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
        Ok(keys.keys().map(|key| receipt::part(hex_of(&keyed(key, "receipt", &parts)))).collect())
    }

    /// A new code for the phone: its seed, and the MAC by which it is judged.
    ///
    /// # Errors
    /// A key that cannot be had.
    pub(super) async fn candidate(&self, call: &Call, phone: &Phone) -> Result<(String, String), Error> {
        let keys = self.keys.get(call.now.timestamp()).await?;
        let key = &keys.current;
        let seed = seed_of(key)?;
        let mac = hex_of(&code_mac(key, phone, &code_of(key, phone, &seed)));
        Ok((seed, mac))
    }
}

/// The code of a seed, to be sent.
///
/// # Errors
/// [`Error::Internal`] when the seed's key is none of the ring.
pub(crate) fn code_of_seed(keys: &KeyRing, phone: &Phone, seed: &str) -> Result<String, Error> {
    let key = key_of(keys, seed).ok_or_else(|| Error::Internal(Cause::new("a seed's key has been retired")))?;
    Ok(code_of(key, phone, seed))
}

/// A new seed: the name of the key that it is for, and 256 random bits.
fn seed_of(key: &Key) -> Result<String, Error> {
    Ok(format!("{}.{}", key.kid, random::unguessable()?))
}

fn key_of<'a>(keys: &'a KeyRing, seed: &str) -> Option<&'a Key> {
    let (kid, _) = seed.rsplit_once('.')?;
    keys.keys().find(|key| key.kid == kid)
}

fn code_of(key: &Key, phone: &Phone, seed: &str) -> String {
    let mac = keyed(key, "code", &[phone.e164().as_bytes(), seed.as_bytes()]).into_bytes();
    let mut bits = [0; 8];
    bits.copy_from_slice(&mac[..8]);
    six_digits(u64::from_be_bytes(bits))
}

/// Six decimal digits from 64 uniform bits. The remainder favours some codes by less than one part in 10^13.
fn six_digits(bits: u64) -> String {
    format!("{:06}", bits % 1_000_000)
}

/// The MAC by which a code is judged.
pub(super) fn code_mac(key: &Key, phone: &Phone, code: &str) -> Tag {
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
pub(super) fn keyed(key: &Key, purpose: &str, parts: &[&[u8]]) -> Tag {
    let mut mac = hmac_sha256(key.bytes());
    for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
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
        let code = |tail, seed| code_of(&key(), &phone(tail), seed);
        assert_eq!(code(1, "a"), code(1, "a"));
        assert_ne!(code(1, "a"), code(2, "a"));
        assert_ne!(code(1, "a"), code(1, "b"));
    }

    #[test]
    fn codes_have_all_ten_digits_in_every_position() {
        const DRAWS: u32 = 10_000;
        let mut seen = [[0_u32; 10]; 6];
        for draw in 0..DRAWS {
            for (position, digit) in code_of(&key(), &phone(draw), "seed").bytes().enumerate() {
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
    fn leading_zeros_survive() {
        for (bits, code) in [(0, "000000"), (7_000_042, "000042"), (999_999, "999999"), (u64::MAX, "551615")] {
            assert_eq!(six_digits(bits), code);
        }
    }

    #[test]
    fn every_digit_is_as_likely_in_every_position() {
        const DRAWS: u32 = 20_000;
        let mut seen = [[0_u32; 10]; 6];
        for _ in 0..DRAWS {
            let digits = six_digits(u64::from_le_bytes(random::bytes().unwrap()));
            for (position, digit) in digits.bytes().enumerate() {
                seen[position][usize::from(digit - b'0')] += 1;
            }
        }
        // Pearson's chi-squared with 9 degrees of freedom: 45 is passed once in a million fair positions.
        let expected = f64::from(DRAWS) / 10.0;
        for position in seen {
            let chi2: f64 = position.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
            assert!(chi2 < 45.0, "{position:?}");
        }
    }

    proptest! {
        #[test]
        fn codes_are_six_digits(bits in any::<u64>()) {
            let code = six_digits(bits);
            prop_assert!(code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit()));
            prop_assert_eq!(code.parse::<u64>().unwrap(), bits % 1_000_000);
        }
    }

    #[test]
    fn no_two_lists_of_parts_give_one_mac() {
        let mac = |parts: &[&[u8]]| hex_of(&keyed(&key(), "mac", parts));
        assert_ne!(mac(&[b"ab", b"c"]), mac(&[b"a", b"bc"]));
    }

    #[test]
    fn a_mac_is_compared_with_its_hexadecimal_form() {
        let mac = |code| code_mac(&key(), &phone(1), code);
        let hex = hex_of(&mac("012345"));
        assert!(is_hex_of(&hex, &mac("012345")));
        assert!(!is_hex_of(&hex, &mac("012346")) && !is_hex_of(&hex[2..], &mac("012345")) && !is_hex_of("", &mac("1")));
    }
}
