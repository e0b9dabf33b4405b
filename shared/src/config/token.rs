//! `[token]`: JSON web tokens.

use serde::Deserialize;

use super::error::{SettingError, require};

/// `[token]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Claim `iss` of our tokens, and the only one accepted.
    pub issuer: String,
    /// How long a token is valid, in seconds.
    pub ttl_secs: u64,
}

impl Token {
    pub(super) fn check(&self) -> Result<(), SettingError> {
        require(!self.issuer.is_empty(), "token.issuer", "must not be empty")?;
        require((60..=86_400).contains(&self.ttl_secs), "token.ttl_secs", "must be 60 to 86400")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_an_issuer_and_a_possible_life() {
        let token = |issuer: &str, ttl_secs| Token { issuer: issuer.to_owned(), ttl_secs }.check();
        assert!(token("badge", 60).is_ok() && token("badge", 86_400).is_ok());
        for (bad, key) in [
            (token("", 60), "token.issuer"),
            (token("badge", 59), "token.ttl_secs"),
            (token("badge", 86_401), "token.ttl_secs"),
        ] {
            assert!(bad.unwrap_err().to_string().starts_with(key));
        }
    }
}
