//! A name that a client gives its request, so that the same request sent again takes effect once
//! (draft-ietf-httpapi-idempotency-key-header).

use crate::error::Reason;

/// The longest one.
const LONGEST: usize = 255;

/// The value of an `Idempotency-Key` header: 1 to 255 printable ASCII characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads the value of the header.
    ///
    /// # Errors
    /// [`Reason::NotAKey`].
    pub fn parse(value: &[u8]) -> Result<Self, Reason> {
        let text = std::str::from_utf8(value.trim_ascii()).map_err(|_| Reason::NotAKey)?;
        let is_key = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'));
        if is_key { Ok(Self(text.to_owned())) } else { Err(Reason::NotAKey) }
    }

    /// The key as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_printable_ascii_without_the_blanks_around_it() {
        for (value, key) in [("a b", Some("a b")), (" a\t", Some("a")), ("a\tb", None), ("é", None), (" ", None)] {
            let read = IdempotencyKey::parse(value.as_bytes()).ok();
            assert_eq!(read.as_ref().map(IdempotencyKey::as_str), key, "{value:?}");
        }
        assert!(IdempotencyKey::parse(&[b'k'; 255]).is_ok());
        assert!(IdempotencyKey::parse(&[b'k'; 256]).is_err());
    }
}
