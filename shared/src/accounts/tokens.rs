//! The stage's JSON web tokens.

use std::sync::Arc;

use hmac::Mac;

use crate::aws::{Clients, SecretKeys};
use crate::config::Config;
use crate::error::{Error, StartError};
use crate::jwt::{self, Bearer, Claims};
use crate::mac::hmac_sha256;
use crate::models::call::Call;
use crate::random;

/// What makes and verifies tokens.
pub(super) struct Tokens {
    keys: SecretKeys,
    config: Arc<Config>,
}

/// A new token.
pub(super) struct NewToken {
    /// The token.
    pub token: String,
    /// Seconds that it is valid.
    pub expires_in: u64,
}

impl Tokens {
    /// Reads the keys.
    ///
    /// # Errors
    /// A secret that cannot be used.
    pub(super) async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let keys = SecretKeys::connect(clients, &clients.config.secrets.jwt).await?;
        Ok(Self { keys, config: Arc::clone(&clients.config) })
    }

    /// Reads the keys, and those of verification codes with them.
    ///
    /// # Errors
    /// A secret that cannot be used.
    pub(super) async fn connect_with_codes(clients: &Clients) -> Result<(Self, SecretKeys), StartError> {
        let names = &clients.config.secrets;
        let [keys, of_codes] = SecretKeys::connect_both(clients, [&names.jwt, &names.veri_code]).await?;
        Ok((Self { keys, config: Arc::clone(&clients.config) }, of_codes))
    }

    /// A token for its bearer, valid from now on.
    ///
    /// # Errors
    /// A key that cannot be had.
    pub(super) async fn sign(&self, call: &Call, bearer: &Bearer) -> Result<NewToken, Error> {
        let keys = self.keys.get(call.now.timestamp()).await?;
        let (settings, iat) = (&self.config.token, call.now.secs());
        let (iss, exp) = (settings.issuer.clone(), iat + settings.ttl_secs);
        let claims = Claims {
            user_id: bearer.user_id,
            sub: bearer.user_id,
            role: bearer.role,
            epoch: bearer.epoch,
            iss,
            iat,
            exp,
            jti: const_hex::encode(random::bytes::<16>()?),
        };
        Ok(NewToken { token: jwt::sign(&keys, &claims)?, expires_in: settings.ttl_secs })
    }

    /// Whose token it is. It costs no round trip while the keys are fresh.
    ///
    /// # Errors
    /// [`Error::Token`], or a key that cannot be had.
    pub(super) async fn verify(&self, call: &Call, token: &str) -> Result<Bearer, Error> {
        let keys = self.keys.get(call.now.timestamp()).await?;
        jwt::verify(&keys, token, &self.config.token.issuer, &call.now)
    }

    /// The network of the call as the log names it: the same for the same network, as long as a key signs, and nobody
    /// without the key finds the address. `None` when the key cannot be had.
    pub(super) async fn network(&self, call: &Call) -> Option<String> {
        let keys = self.keys.get(call.now.timestamp()).await.ok()?;
        let mac = hmac_sha256(keys.current.bytes())
            .chain_update("network of a log line:")
            .chain_update(call.network.as_str())
            .finalize();
        Some(const_hex::encode(&mac.into_bytes()[..8]))
    }
}
