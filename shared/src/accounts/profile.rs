//! What users see and change of themselves.

use super::own::OwnRow;
use super::row::OwnUser;
use super::sessions::Authenticator;
use crate::aws::Clients;
use crate::error::{Error, StartError};
use crate::models::call::Call;
use crate::models::principal::Principal;
use crate::models::profile::ProfileChange;

/// What a user needs to look at itself.
pub struct Own(OwnRow);

impl Own {
    /// Opens all that it needs, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        OwnRow::connect(clients).await.map(Self)
    }

    /// The caller's row, whole.
    ///
    /// # Errors
    /// A credential that is no longer good, or a backend.
    pub async fn me(&self, call: &Call, principal: Principal) -> Result<OwnUser, Error> {
        let (user, _) = self.0.find(call, principal).await?;
        Ok(OwnUser::new(user, &self.0.config.zone))
    }

    /// Changes the caller's profile; the row as it is then.
    ///
    /// # Errors
    /// [`Error::NothingToChange`], a credential that is no longer good, or a backend.
    pub async fn update(&self, call: &Call, change: ProfileChange, principal: Principal) -> Result<OwnUser, Error> {
        if change.is_empty() {
            return Err(Error::NothingToChange);
        }
        let user = self.0.change(call, principal, |row| row.profile(&change)).await?;
        Ok(OwnUser::new(user, &self.0.config.zone))
    }
}

impl AsRef<Authenticator> for Own {
    fn as_ref(&self) -> &Authenticator {
        self.0.authenticator()
    }
}
