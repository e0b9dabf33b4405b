//! A new token for who has a session: what an app does when its token has expired.

use serde::Serialize;

use super::sessions::Authenticator;
use crate::aws::Clients;
use crate::error::{Error, StartError};
use crate::jwt::Bearer;
use crate::models::call::Call;
use crate::models::principal::Principal;

/// What a client receives.
#[derive(Serialize)]
pub struct Refreshed {
    /// A JSON web token.
    token: String,
    /// Seconds that it is valid.
    expires_in: u64,
}

/// What a new token needs.
pub struct Refresh(Authenticator);

impl Refresh {
    /// Opens all that it needs.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        Authenticator::connect(clients).await.map(Self)
    }

    /// A token with the rights of the session, which are those of now.
    ///
    /// # Errors
    /// A key that cannot be had.
    pub async fn token(&self, call: &Call, principal: &Principal) -> Result<Refreshed, Error> {
        let Principal { user_id, role, epoch, .. } = *principal;
        let new = self.0.tokens().sign(call, &Bearer { user_id, role, epoch }).await?;
        Ok(Refreshed { token: new.token, expires_in: new.expires_in })
    }
}

impl AsRef<Authenticator> for Refresh {
    fn as_ref(&self) -> &Authenticator {
        &self.0
    }
}
