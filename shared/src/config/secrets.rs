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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_has_a_name() {
        let secrets = |names: [&str; 3]| {
            let [jwt, veri_code, sms] = names.map(str::to_owned);
            Secrets { jwt, veri_code, sms }.check()
        };
        assert!(secrets(["a", "b", "c"]).is_ok());
        for (names, key) in
            [(["", "b", "c"], "secrets.jwt"), (["a", "", "c"], "secrets.veri_code"), (["a", "b", ""], "secrets.sms")]
        {
            assert!(secrets(names).unwrap_err().to_string().starts_with(key));
        }
    }
}
