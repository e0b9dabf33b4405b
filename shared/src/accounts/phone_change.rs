//! Changing the phone: the user stays the same, and so does the session that asked for it.

use super::confirmed::{Confirmed, in_time};
use super::sessions::Authenticator;
use crate::aws::Clients;
use crate::db::{Move, Moved, StoredRow};
use crate::error::{Cause, Error, StartError};
use crate::models::call::Call;
use crate::models::changed_by::ChangedBy;
use crate::models::message_kind::MessageKind;
use crate::models::notice::Notice;
use crate::models::params::{Fields, Params, Required};
use crate::models::phone::Phone;
use crate::models::principal::{Credential, Principal};
use crate::models::session_id::SessionId;
use crate::models::user::{User, UserId};
use crate::models::veri_code::VeriCode;
use crate::verification::OneStepTry;

/// A new phone, and a code that each phone received.
pub struct NewPhone {
    phone: Phone,
    veri_code: VeriCode,
    old_veri_code: VeriCode,
}

impl Params for NewPhone {
    fn required() -> Required {
        Required::OneByOne(&["phone", "veri_code", "old_veri_code"])
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let phone = fields.read("phone");
        let veri_code = fields.read("veri_code");
        let old_veri_code = fields.read("old_veri_code");
        Some(Self { phone: phone?, veri_code: veri_code?, old_veri_code: old_veri_code? })
    }
}

/// What a change of phone needs.
pub struct PhoneChange(Confirmed);

/// Who moves from where to where.
struct Moving<'a> {
    user_id: UserId,
    /// The epoch of the session.
    epoch: u64,
    session: &'a SessionId,
    from: &'a Phone,
    to: &'a Phone,
}

impl PhoneChange {
    /// Opens it.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        Confirmed::connect(clients).await.map(Self)
    }

    /// Moves the caller to another phone, if both codes are right. Every other session ends, and every token.
    ///
    /// A fault of ours leaves both codes as they were: they are claimed when they are judged, and used up when the user has
    /// moved. The same request sent again gives the same success: the row has a receipt, a MAC over all that the request said.
    /// It is looked for where the session says that the user has this phone already, before a code is judged.
    ///
    /// # Errors
    /// [`Error::NotLoggedIn`], [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], [`Error::PhoneTaken`] (both codes stay good),
    /// [`Error::AccountDisabled`], or a backend.
    pub async fn change(&self, call: &Call, principal: &Principal, request: &NewPhone) -> Result<(), Error> {
        // The SDK's futures are large, and every future around them would be.
        in_time(self.0.authenticator.cache(), Error::Db, Box::pin(self.try_to_change(call, principal, request))).await
    }

    async fn try_to_change(&self, call: &Call, principal: &Principal, request: &NewPhone) -> Result<(), Error> {
        let (Credential::Session { id, .. }, Some(from)) = (&principal.credential, &principal.phone) else {
            return Err(Error::NotLoggedIn);
        };
        let Principal { user_id, epoch, .. } = *principal;
        let moving = Moving { user_id, epoch, session: id, from, to: &request.phone };
        let id = user_id.to_string();
        let parts = ["change_phone", &id, moving.to.e164(), request.veri_code.digits(), request.old_veri_code.digits()];
        let receipts = self.0.codes.receipts(call, &parts).await?;
        if moving.from == moving.to {
            let row = self.0.users.row(moving.to).await?;
            let moved = row.filter(|user| moving.is_done(user, &receipts)).ok_or(Error::PhoneTaken)?;
            // The reply was lost, or the process behind the row: then something may be left to do.
            let moving = Moving { from: principal.left.as_ref().unwrap_or(moving.from), ..moving };
            return self.finish(call, &moving, &[String::new(), String::new()], &moved).await;
        }
        let owner = Some((user_id, epoch));
        let old = OneStepTry { phone: moving.from, code: &request.old_veri_code, owner };
        let new = OneStepTry { phone: moving.to, code: &request.veri_code, owner: None };
        let (row, old, new) = tokio::join!(
            self.0.users.stored_row(moving.from),
            self.0.codes.claim_in_one_step(call, &old),
            self.0.codes.claim_in_one_step(call, &new)
        );
        let macs = match (old, new) {
            (Ok(old), Ok(new)) => [old, new],
            (Err(Error::VeriCodeWrong), _) | (_, Err(Error::VeriCodeWrong)) => {
                // Used up by the same request, sent beside this one, or expired since a process was lost.
                let done = self.moved_before(&moving, &receipts).await?.ok_or(Error::VeriCodeWrong)?;
                return self.finish(call, &moving, &[String::new(), String::new()], &done).await;
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let by = ChangedBy::caller(call, principal);
        let done = match row?.filter(|row| row.user.id == user_id) {
            Some(row) => {
                // The cache is asked beside the table, and not behind it.
                let (moved, (), ()) = tokio::join!(
                    self.move_row(call, &moving, &row, &by, &receipts),
                    self.0.codes.credit(moving.from, &macs[0]),
                    self.0.codes.credit(moving.to, &macs[1])
                );
                moved?
            }
            None => self.moved_before(&moving, &receipts).await?.ok_or(Error::NotLoggedIn)?,
        };
        self.finish(call, &moving, &macs, &done).await
    }

    /// Writes the move, and with it the notice, which the table's stream sends to the old phone.
    async fn move_row(
        &self,
        call: &Call,
        moving: &Moving<'_>,
        row: &StoredRow,
        by: &ChangedBy,
        receipts: &[String],
    ) -> Result<User, Error> {
        if row.user.is_disabled {
            return Err(Error::AccountDisabled);
        }
        if row.user.is_delete || row.user.epoch > moving.epoch {
            return Err(Error::NotLoggedIn);
        }
        let receipt = receipts.first().map_or("", String::as_str);
        let notice = &Notice::new(call, MessageKind::PhoneChanged, moving.from);
        let request = Move { to: moving.to, at: call.now.timestamp(), by, notice, receipt };
        match self.0.users.move_row(row, &request).await? {
            Moved::Done(user) => Ok(*user),
            Moved::Met(met) if moving.is_done(&met, receipts) => Ok(*met),
            Moved::Met(_) => Err(Error::PhoneTaken),
            Moved::Outdated => Err(Error::Db(Cause::new("the row was changed during a change of phone"))),
        }
    }

    /// Whether an earlier attempt, whose process was lost, has moved the user.
    async fn moved_before(&self, moving: &Moving<'_>, receipts: &[String]) -> Result<Option<User>, Error> {
        let row = self.0.users.row(moving.to).await?;
        Ok(row.filter(|user| moving.is_done(user, receipts)))
    }

    /// What follows the row: the session of the request is stamped anew, all others end, and the codes are used up.
    async fn finish(&self, call: &Call, moving: &Moving<'_>, macs: &[String; 2], moved: &User) -> Result<(), Error> {
        let Moving { session, from, to, .. } = *moving;
        let (kept, old_used, new_used) = tokio::join!(
            self.0.authenticator.sessions().keep_moved(call, session, moved, from),
            self.0.codes.use_up(from, &macs[0]),
            self.0.codes.use_up(to, &macs[1])
        );
        kept.and(old_used).and(new_used)
    }
}

impl AsRef<Authenticator> for PhoneChange {
    fn as_ref(&self) -> &Authenticator {
        &self.0.authenticator
    }
}

impl Moving<'_> {
    /// Whether the row is the one that this request has left. A change of rights that came after it ends the session, which must not
    /// be stamped then; the move itself has raised the epoch by one, unless the session was stamped already.
    fn is_done(&self, user: &User, receipts: &[String]) -> bool {
        let raised = u64::from(self.from != self.to);
        let is_of_now = user.epoch <= self.epoch + raised;
        user.id == self.user_id && !user.is_delete && is_of_now && receipts.contains(&user.receipt)
    }
}
