//! What a client calls itself.

use super::unicode;

/// Characters that are kept of it.
const LONGEST: usize = 64;

/// The beginning of a `User-Agent`, without control characters: enough for people to recognise their devices.
#[must_use]
pub fn client_name(user_agent: &str) -> String {
    let visible = user_agent.chars().filter(|c| !c.is_control() && !unicode::is_bidi_control(*c));
    visible.take(LONGEST).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_has_no_controls() {
        assert_eq!(client_name("curl/8.5.0"), "curl/8.5.0");
        assert_eq!(client_name(" a\u{202e}\nb\u{7} "), "ab");
        assert_eq!(client_name(&"é".repeat(80)), "é".repeat(64));
    }
}
