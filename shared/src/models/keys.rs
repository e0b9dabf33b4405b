//! Keys of the secret store: what signs, and what verifies.
//!
//! A key is published before it signs and verifies after it has signed, so a rotation refuses no credential, although
//! warm sandboxes read it at different times; see `docs/decisions/0009-rotation.md`.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// The shortest key that is accepted: as long as the output of the hash (RFC 7518, section 3.2).
pub const SHORTEST_KEY_BYTES: usize = 32;

/// The key that signs, the one before it and the one after it, which verify too.
#[derive(Deserialize)]
pub struct KeyRing {
    /// Signs and verifies.
    #[serde(flatten)]
    pub current: Key,
    /// Verifies already, for sandboxes that have not heard yet that it signs.
    pub next: Option<Key>,
    /// Verifies until what it signed has expired.
    pub previous: Option<Key>,
}

impl KeyRing {
    /// Reads the text of a secret; else says what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, &'static str> {
        let ring = Self::read_any(text)?;
        if ring.keys().any(|key| key.bytes().len() < SHORTEST_KEY_BYTES) {
            return Err("has a key of fewer than 32 bytes");
        }
        Ok(ring)
    }

    /// The same, for keys that somebody else has made: their length is not ours to choose.
    pub(crate) fn read_any(text: &str) -> Result<Self, &'static str> {
        let ring: Self =
            serde_json::from_str(text).map_err(|_| r#"is not JSON of the form {"kid": "…", "key": "…"}"#)?;
        if ring.keys().any(|key| key.bytes().is_empty()) {
            return Err("has an empty key");
        }
        Ok(ring)
    }

    /// All that verify, the signing one first.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        [Some(&self.current), self.next.as_ref(), self.previous.as_ref()].into_iter().flatten()
    }
}

/// A key and its name.
#[derive(Deserialize)]
pub struct Key {
    /// Stands in the header of each token that the key signed.
    pub kid: String,
    key: SecretString,
}

impl Key {
    /// The bytes of the key.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.key.expose_secret().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn key(kid: &str, bytes: usize) -> Value {
        json!({ "kid": kid, "key": "k".repeat(bytes) })
    }

    #[test]
    fn every_key_of_a_ring_has_at_least_32_bytes() {
        let ring = |current, previous, next| {
            let mut ring = key("b", current);
            ring["previous"] = key("a", previous);
            ring["next"] = key("c", next);
            KeyRing::read(&ring.to_string())
        };
        let good = ring(32, 32, 33).ok().unwrap();
        let keys: Vec<_> = good.keys().map(|key| (key.kid.as_str(), key.bytes().len())).collect();
        assert_eq!(keys, [("b", 32), ("c", 33), ("a", 32)]);
        for (current, previous, next) in [(31, 32, 32), (32, 31, 32), (32, 32, 31), (1, 32, 32)] {
            assert_eq!(ring(current, previous, next).err(), Some("has a key of fewer than 32 bytes"));
        }
        assert_eq!(ring(0, 32, 32).err(), Some("has an empty key"));
        assert_eq!(KeyRing::read(&key("b", 32).to_string()).ok().unwrap().keys().count(), 1);
        assert_eq!(KeyRing::read_any(&key("LTAI5t", 30).to_string()).ok().unwrap().current.bytes().len(), 30);
        assert_eq!(KeyRing::read_any(&key("b", 0).to_string()).err(), Some("has an empty key"));
        for text in ["", "{}", "[]", "k", r#"{"kid": "b"}"#] {
            assert!(KeyRing::read(text).err().unwrap().starts_with("is not JSON"), "{text}");
        }
    }
}
