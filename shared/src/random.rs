//! Chance, from the system's random source only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Cause, Error};

/// So many random bytes.
///
/// # Errors
/// [`Error::Internal`] when the system has no randomness to give.
#[expect(clippy::disallowed_methods, reason = "the one place that draws")]
pub fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|cause| Error::Internal(Cause::new(&cause.to_string())))?;
    Ok(bytes)
}

/// A string that nobody can guess: 256 random bits in 43 characters of the URL-safe alphabet
/// (RFC 4648, section 5).
///
/// # Errors
/// As [`bytes`].
pub fn unguessable() -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unguessable_strings_differ_and_have_256_bits() {
        let (a, b) = (unguessable().unwrap(), unguessable().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), 43);
    }
}
