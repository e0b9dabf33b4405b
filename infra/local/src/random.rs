//! Random identifiers and secrets, from the system's source. All other code draws here.
#![expect(clippy::disallowed_methods, reason = "all other code draws here")]

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// A request id of Lambda, also the version of a secret.
pub(crate) fn id() -> Arc<str> {
    Uuid::new_v4().hyphenated().encode_lower(&mut Uuid::encode_buffer()).into()
}

/// 32 hexadecimal digits, as at the end of a log stream's name.
pub(crate) fn hex() -> String {
    Uuid::new_v4().simple().to_string()
}

/// A request id of API Gateway: eleven bytes make the sixteen characters of a real one.
pub(crate) fn gateway_id() -> String {
    STANDARD.encode(&Uuid::new_v4().as_bytes()[..11])
}

/// An `X-Amzn-Trace-Id`, in the format of AWS X-Ray, "Tracing header".
pub(crate) fn trace(epoch_s: i64) -> String {
    format!("Root=1-{epoch_s:08x}-{}", &hex()[..24])
}

/// An address in 127.0.0.0/8 that nobody can guess.
pub(crate) fn loopback() -> Ipv4Addr {
    let [a, b, c, ..] = *Uuid::new_v4().as_bytes();
    Ipv4Addr::new(127, a, b, c.clamp(1, 254))
}

/// True in that share of cases: never for 0, always for 1.
pub(crate) fn chance(rate: f64) -> bool {
    // The first 32 bits of a random id are all random.
    rate > 0.0 && f64::from(Uuid::new_v4().as_fields().0) < rate * (f64::from(u32::MAX) + 1.0)
}

/// Characters of the alphabet, each equally likely.
pub(crate) fn text(alphabet: &[u8], length: usize) -> io::Result<String> {
    let unusable = || io::Error::other("an alphabet has 1 to 255 characters");
    let size = u8::try_from(alphabet.len()).ok().filter(|size| *size > 0).ok_or_else(unusable)?;
    // Bytes from here on would make some characters likelier than others.
    let bound = u8::MAX - u8::MAX % size;
    let mut text = String::with_capacity(length);
    let mut random = [0; 64];
    while text.len() < length {
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let fair = random.iter().filter(|byte| **byte < bound);
        text.extend(fair.take(length - text.len()).map(|byte| char::from(alphabet[usize::from(byte % size)])));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{gateway_id, text, trace};

    #[test]
    fn a_text_uses_its_whole_alphabet_and_nothing_else() {
        let drawn = text(b"abc", 1_000).unwrap();
        assert_eq!(drawn.len(), 1_000);
        for letter in ['a', 'b', 'c'] {
            // A fair draw is outside these bounds once in far more than a billion runs.
            assert!((200..=470).contains(&drawn.matches(letter).count()), "{drawn}");
        }
        assert_eq!(drawn.trim_matches(['a', 'b', 'c']), "");
        assert!(text(b"", 1).is_err());
    }

    #[test]
    fn ids_have_the_shape_of_real_ones() {
        assert_eq!(gateway_id().len(), 16);
        let trace = trace(0x6b02_a6b5);
        assert!(trace.starts_with("Root=1-6b02a6b5-") && trace.len() == 40, "{trace}");
    }
}
