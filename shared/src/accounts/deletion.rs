//! Leaving: the account is deleted, and can be restored by a login for some days.

use std::sync::Arc;

use serde::Serialize;

use super::confirmed::{Confirmed, in_time};
use super::sessions::Authenticator;
use crate::aws::Clients;
use crate::clock;
use crate::config::Config;
use crate::db::Change;
use crate::error::{Error, StartError};
use crate::models::call::Call;
use crate::models::changed_by::ChangedBy;
use crate::models::message_kind::MessageKind;
use crate::models::notice::Notice;
use crate::models::params::{Fields, Params, Required};
use crate::models::phone::Phone;
use crate::models::principal::Principal;
use crate::models::user::User;
use crate::models::veri_code::VeriCode;
use crate::verification::OneStepTry;

/// The code that confirms the deletion.
pub struct Confirmation {
    veri_code: VeriCode,
}

impl Params for Confirmation {
    fn required() -> Required {
        Required::OneByOne(&["veri_code"])
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { veri_code: fields.read("veri_code")? })
    }
}

/// What somebody who has left receives.
#[derive(Serialize)]
pub struct Deleted {
    /// Until when a login can restore the account.
    restore_until: String,
}

/// What a deletion needs.
pub struct Deletion {
    confirmed: Confirmed,
    config: Arc<Config>,
}

impl Deletion {
    /// Opens it.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        Ok(Self { confirmed: Confirmed::connect(clients).await?, config: Arc::clone(&clients.config) })
    }

    /// Deletes the caller's account, if the code is right. Every session and every token ends; the row stays until the job
    /// `daily` erases it.
    ///
    /// A fault of ours leaves the code as it was. A request whose process was lost behind the row can be sent again, for as long
    /// as its session is good.
    ///
    /// # Errors
    /// [`Error::NotLoggedIn`], [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], or a backend.
    pub async fn delete(&self, call: &Call, principal: &Principal, request: &Confirmation) -> Result<Deleted, Error> {
        in_time(self.confirmed.authenticator.cache(), Error::Db, self.try_to_delete(call, principal, request)).await
    }

    async fn try_to_delete(
        &self,
        call: &Call,
        principal: &Principal,
        request: &Confirmation,
    ) -> Result<Deleted, Error> {
        let phone = principal.phone.as_ref().ok_or(Error::NotLoggedIn)?;
        let owner = Some((principal.user_id, principal.epoch));
        let (user, mac) = match self
            .confirmed
            .codes
            .claim_in_one_step(call, &OneStepTry { phone, code: &request.veri_code, owner })
            .await
        {
            Ok(mac) => {
                // The cache is asked beside the table, and not behind it.
                let credit = self.confirmed.codes.credit(phone, &mac);
                let (user, ()) = tokio::join!(self.write(call, principal, phone), credit);
                (user?, mac)
            }
            // Used up by the same request, sent beside this one, or expired since a process was lost.
            Err(Error::VeriCodeWrong) => {
                let user = self.row(phone, principal).await?.filter(has_left).ok_or(Error::VeriCodeWrong)?;
                (user, String::new())
            }
            Err(error) => return Err(error),
        };
        let (ended, used_up) = tokio::join!(
            self.confirmed.authenticator.sessions().raise_epoch(call, &user),
            self.confirmed.codes.use_up(phone, &mac)
        );
        ended.and(used_up)?;
        Ok(Deleted { restore_until: restore_until(&self.config, &user) })
    }

    /// Writes the deletion, and with it the notice, which the table's stream sends.
    async fn write(&self, call: &Call, principal: &Principal, phone: &Phone) -> Result<User, Error> {
        let notice = Notice::new(call, MessageKind::AccountDeleted, phone);
        let change = Change::new(&ChangedBy::caller(call, principal), call.now.timestamp()).with_notice(notice);
        let change = change.of_user(principal.user_id).of_epoch(principal.epoch).deleted(false).raising_epoch();
        match self.confirmed.users.change(phone, change).await? {
            Some(user) => Ok(user),
            None => match self.row(phone, principal).await? {
                Some(user) if has_left(&user) => Ok(user),
                Some(user) if user.is_disabled => Err(Error::AccountDisabled),
                _ => Err(Error::NotLoggedIn),
            },
        }
    }

    /// The caller's row.
    async fn row(&self, phone: &Phone, principal: &Principal) -> Result<Option<User>, Error> {
        Ok(self.confirmed.users.row(phone).await?.filter(|user| user.id == principal.user_id))
    }
}

/// Whether the user itself has deleted its account.
fn has_left(user: &User) -> bool {
    user.is_delete && !user.deleted_by_admin
}

impl AsRef<Authenticator> for Deletion {
    fn as_ref(&self) -> &Authenticator {
        &self.confirmed.authenticator
    }
}

/// The last moment at which a deleted account can be restored, in milliseconds since the Unix epoch; none for an account that an
/// admin or an operator has deleted, or older code.
pub(super) fn last_chance(config: &Config, user: &User) -> Option<i64> {
    let deleted_at = user.delete_time.filter(|_| has_left(user))?;
    let restore_ms = i64::try_from(config.restore_time().as_millis()).unwrap_or(i64::MAX);
    Some(deleted_at.saturating_add(restore_ms))
}

/// [`last_chance`] as clients see times.
pub(super) fn restore_until(config: &Config, user: &User) -> String {
    last_chance(config, user).map_or_else(String::new, |millis| clock::display(millis, &config.zone))
}
