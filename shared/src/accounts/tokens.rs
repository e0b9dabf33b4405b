//! The stage's JSON web tokens.

use std::sync::Arc;

use crate::aws::{Clients, SecretKeys};
use crate::config::Config;
use crate::error::{Error, StartError};
use crate::jwt::{self, Claims};
use crate::models::call::Call;
use crate::models::principal::Principal;
use crate::models::user::User;

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

    /// A token for the user, valid from now on.
    ///
    /// # Errors
    /// A key that cannot be had.
    pub(super) async fn sign(&self, call: &Call, user: &User) -> Result<NewToken, Error> {
        let keys = self.keys.get(call.now.timestamp()).await?;
        let (settings, iat) = (&self.config.token, call.now.secs());
        let (iss, exp) = (settings.issuer.clone(), iat + settings.ttl_secs);
        let token = jwt::sign(&keys, &Claims { user_id: user.id, role: user.role, iss, iat, exp })?;
        Ok(NewToken { token, expires_in: settings.ttl_secs })
    }

    /// Whose token it is. It costs no round trip while the keys are fresh.
    ///
    /// # Errors
    /// [`Error::Token`], or a key that cannot be had.
    pub(super) async fn verify(&self, call: &Call, token: &str) -> Result<Principal, Error> {
        let keys = self.keys.get(call.now.timestamp()).await?;
        let (user_id, role) = jwt::verify(&keys, token, &self.config.token.issuer, &call.now)?;
        Ok(Principal { user_id, role, session: None })
    }
}
