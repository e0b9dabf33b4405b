//! Message authentication: HMAC with SHA-256 (RFC 2104), by every key of ours.

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

/// An HMAC by this key, to be fed.
#[expect(clippy::expect_used, reason = "HMAC hashes a key that is longer than a block, and fills up a shorter one")]
pub(crate) fn hmac_sha256(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}
