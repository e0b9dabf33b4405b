//! The caller's own row: how it is found, and how the caller changes it.

use std::sync::Arc;

use super::sessions::Authenticator;
use crate::aws::Clients;
use crate::config::Config;
use crate::db::{Change, Database, Users};
use crate::error::{Error, StartError, TokenFault};
use crate::models::call::Call;
use crate::models::changed_by::ChangedBy;
use crate::models::principal::{Credential, Principal};
use crate::models::user::User;

/// What finds the row of a caller. The row has the rights of now, so nobody else is asked for them.
pub(super) struct OwnRow {
    users: Users,
    authenticator: Authenticator,
    pub(super) config: Arc<Config>,
}

impl OwnRow {
    /// Opens all that it needs, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub(super) async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let config = Arc::clone(&clients.config);
        let (authenticator, database) = tokio::try_join!(Authenticator::connect(clients), Database::connect(clients))?;
        Ok(Self { users: Users::new(&database, &config)?, authenticator, config })
    }

    pub(super) fn users(&self) -> &Users {
        &self.users
    }

    pub(super) fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// The caller's row. If the rights of a token do not hold any more, the sessions that came along are tried, and the
    /// principal is that of the session.
    ///
    /// # Errors
    /// [`Error::Token`], [`Error::NotLoggedIn`], [`Error::AccountDisabled`], or a backend.
    pub(super) async fn find(&self, call: &Call, principal: Principal) -> Result<(User, Principal), Error> {
        match self.row_of(&principal).await {
            Ok(user) => Ok((user, principal)),
            Err(refusal @ (Error::Token(_) | Error::AccountDisabled)) => {
                let principal = self.authenticator.instead(call, principal, refusal).await?;
                Ok((self.row_of(&principal).await?, principal))
            }
            Err(error) => Err(error),
        }
    }

    /// Changes the caller's row, by one write where the session says whose phone it is. The write is under the condition that no change
    /// of rights has come after the caller's credential.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(super) async fn change(
        &self,
        call: &Call,
        principal: Principal,
        change: impl Fn(Change) -> Change + Send + Sync,
    ) -> Result<User, Error> {
        let change = |principal: &Principal| {
            let row = Change::new(&ChangedBy::caller(call, principal), call.now.timestamp());
            change(row.of_user(principal.user_id).of_live().of_epoch(principal.epoch))
        };
        if let Some(phone) = &principal.phone
            && let Some(user) = self.users.change(phone, change(&principal)).await?
        {
            return Ok(user);
        }
        let (user, principal) = self.find(call, principal).await?;
        let changed = self.users.change(&user.phone, change(&principal)).await?;
        // The rights have changed since the row was found.
        changed.ok_or_else(|| lapsed(&principal))
    }

    /// The row, if the rights of the principal hold.
    async fn row_of(&self, principal: &Principal) -> Result<User, Error> {
        let is_own = |user: &User| user.id == principal.user_id && !user.is_delete;
        let mut found = None;
        if let Some(phone) = &principal.phone {
            found = self.users.row(phone).await?.filter(is_own);
        }
        if found.is_none() {
            found = self.users.by_id(principal.user_id).await?;
        }
        let user = found.ok_or_else(|| lapsed(principal))?;
        if user.is_disabled {
            return Err(Error::AccountDisabled);
        }
        if user.epoch > principal.epoch { Err(lapsed(principal)) } else { Ok(user) }
    }
}

/// The refusal of a credential whose rights do not hold any more.
fn lapsed(principal: &Principal) -> Error {
    match principal.credential {
        Credential::Token { .. } => Error::Token(TokenFault::Unacceptable),
        Credential::Session { .. } | Credential::VeriCode { .. } => Error::NotLoggedIn,
    }
}
