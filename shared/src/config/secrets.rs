//! `[secrets]`: names in the secret store, never a secret.

use serde::Deserialize;

use super::error::{SettingError, require};

/// `[secrets]`: names in the secret store.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Signs tokens.
    pub jwt: String,
    /// Keys verification codes.
    pub veri_code: String,
    /// Signs messages to the SMS provider.
    pub sms: String,
}

impl Secrets {
    pub(super) fn check(&self) -> Result<(), SettingError> {
        require(!self.jwt.is_empty(), "secrets.jwt", "must not be empty")?;
        require(!self.veri_code.is_empty(), "secrets.veri_code", "must not be empty")?;
        require(!self.sms.is_empty(), "secrets.sms", "must not be empty")
    }
}
