//! All that is stored about a user, for the user.

use serde::Serialize;

use super::audit_log::{EventRow, events_of};
use super::confirmed::in_time;
use super::own::OwnRow;
use super::own_sessions::{OwnSession, list};
use super::row::OwnUser;
use super::sessions::Authenticator;
use crate::aws::Clients;
use crate::config::Action;
use crate::db::AuditEvents;
use crate::error::{Error, StartError};
use crate::models::call::Call;
use crate::models::principal::Principal;
use crate::verification::user_limit;

/// Everything, for its owner.
#[derive(Serialize)]
pub struct Exported {
    user: OwnUser,
    sessions: Vec<OwnSession>,
    /// What has changed, and when.
    events: Vec<EventRow>,
}

/// What an export needs.
pub struct Export {
    own: OwnRow,
    audit: AuditEvents,
}

impl Export {
    /// Opens all that it needs, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let own = OwnRow::connect(clients).await?;
        let audit = AuditEvents::beside(own.users(), &own.config)?;
        Ok(Self { own, audit })
    }

    /// The caller's row, sessions and events. The limit is asked beside the row.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], a credential that is no longer good, or a backend.
    pub async fn all(&self, call: &Call, principal: Principal) -> Result<Exported, Error> {
        in_time(self.own.authenticator().cache(), Error::Db, Box::pin(self.read(call, principal))).await
    }

    async fn read(&self, call: &Call, principal: Principal) -> Result<Exported, Error> {
        let (cache, config, caller) = (self.own.authenticator().cache(), &self.own.config, principal.user_id);
        let (refusal, found) =
            tokio::join!(user_limit(cache, config, call, (Action::Export, caller)), self.own.find(call, principal));
        let (user, principal) = found?;
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let (sessions, events) = tokio::try_join!(
            list(cache, config, call, &principal, &user.phone),
            events_of(user.id, &self.audit, &config.zone)
        )?;
        Ok(Exported { user: OwnUser::new(user, &config.zone), sessions, events })
    }
}

impl AsRef<Authenticator> for Export {
    fn as_ref(&self) -> &Authenticator {
        self.own.authenticator()
    }
}
