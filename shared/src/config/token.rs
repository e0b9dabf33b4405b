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
