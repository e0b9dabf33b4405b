//! Bytes in hexadecimal, in small letters.

/// `bytes`, written at the end of `to`.
pub(crate) fn push(to: &mut String, bytes: &[u8]) {
    for byte in bytes {
        to.extend([byte >> 4, byte & 0x0f].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
}

/// `bytes` alone.
pub(crate) fn of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push(&mut text, bytes);
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(super::of(&[0x00, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }
}
