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

/// Six decimal digits, leading zeros included, from 64 uniform bits. The remainder favours some codes by
/// less than one part in 10^13.
#[must_use]
pub fn six_digits(bits: u64) -> [u8; 6] {
    let mut rest = bits % 1_000_000;
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn leading_zeros_survive() {
        assert_eq!(&six_digits(0), b"000000");
        assert_eq!(&six_digits(7_000_042), b"000042");
        assert_eq!(&six_digits(999_999), b"999999");
        assert_eq!(&six_digits(u64::MAX), b"551615");
    }

    #[test]
    fn every_digit_is_as_likely_in_every_position() {
        const DRAWS: u32 = 20_000;
        let mut seen = [[0_u32; 10]; 6];
        for _ in 0..DRAWS {
            let digits = six_digits(u64::from_le_bytes(bytes().unwrap()));
            for (position, digit) in digits.into_iter().enumerate() {
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

    #[test]
    fn unguessable_strings_differ_and_have_256_bits() {
        let (a, b) = (unguessable().unwrap(), unguessable().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), 43);
    }

    proptest! {
        #[test]
        fn codes_are_six_digits(bits in any::<u64>()) {
            let code = six_digits(bits);
            prop_assert!(code.iter().all(u8::is_ascii_digit));
            let number: u64 = std::str::from_utf8(&code).unwrap().parse().unwrap();
            prop_assert_eq!(number, bits % 1_000_000);
        }
    }
}
