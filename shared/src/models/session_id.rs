//! The id of a session.

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::random;

/// Two characters of slot and 43 of randomness.
const LENGTH: usize = 45;

/// The id of a session: the hash tag of its slot in the cache, then 256 random bits. Only its holder has it; the cache
/// has its SHA-256. Neither `Debug` nor `Display`.
#[derive(Clone)]
pub struct SessionId(String);

impl SessionId {
    /// A new one, in this slot.
    ///
    /// # Errors
    /// [`Error::Internal`] when the system has no randomness to give.
    pub fn new(slot: &str) -> Result<Self, Error> {
        Ok(Self(slot.to_owned() + &random::unguessable()?))
    }

    /// Reads what a client sent; anything that we cannot have given is nothing, and costs no round trip.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let slot_is_right = text.bytes().take(2).all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let rest_is_right = text.bytes().skip(2).all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        (text.len() == LENGTH && slot_is_right && rest_is_right).then(|| Self(text.to_owned()))
    }

    /// The whole id, for its holder alone.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash tag of its slot in the cache.
    #[must_use]
    pub fn slot(&self) -> &str {
        &self.0[..2]
    }

    /// Its SHA-256 in hexadecimal, by which the cache knows it.
    #[must_use]
    pub fn hash(&self) -> String {
        const_hex::encode(Sha256::digest(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_is_never_its_own_key() {
        let id = SessionId::new("3f").unwrap();
        let again = SessionId::parse(id.as_str()).unwrap();
        assert_eq!(again.hash(), id.hash());
        assert_eq!(id.slot(), "3f");
        assert!(id.hash().len() == 64 && !id.hash().contains(&id.as_str()[2..]));
    }

    #[test]
    fn what_we_cannot_have_given_is_nothing() {
        let good = SessionId::new("3f").unwrap().0;
        for text in
            ["", "x", "null", &good[1..], &format!("{good}x"), &good.replacen(&good[..1], "X", 1), &"é".repeat(45)]
        {
            assert!(SessionId::parse(text).is_none(), "{text}");
        }
    }
}
