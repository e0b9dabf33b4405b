//! Copies of users' epochs, for those who ask whether a credential is as new as its user's rights: beside the sessions of a
//! phone, in the slot of the user's id for tokens, and once more beside the codes of a phone for devices: who sends and judges codes
//! may not write the others.

use futures_util::future::join_all;

use super::client::{Cache, slot_of};
use super::script::Script;
use crate::error::{Cause, Error};
use crate::models::phone::Phone;
use crate::models::user::UserId;

static EPOCH_RAISE: Script = Script::new(include_str!("scripts/epoch_raise.lua"));

/// A user's epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch {
    /// What was made under a lower number is worth nothing.
    pub number: u64,
    /// Whether the account is disabled.
    pub is_disabled: bool,
}

impl Cache {
    /// Raises the copies of a user's epoch: those beside the sessions of each of the user's `phones` (E.164), and that for tokens.
    /// They are kept until `until_secs`.
    ///
    /// # Errors
    /// [`Error::Redis`]: old credentials may still be good.
    pub async fn raise_epoch(
        &self,
        phones: &[&str],
        user: UserId,
        epoch: Epoch,
        (now_secs, until_secs): (u64, u64),
    ) -> Result<(), Error> {
        let id = user.to_string();
        let args = (&id, epoch.number, until_secs, u8::from(epoch.is_disabled), now_secs);
        let of_phone = |phone: &&str| vec![self.epochs_key(&slot_of(phone)), self.device_epochs_key(&slot_of(phone))];
        let keys = phones.iter().map(of_phone).chain([vec![self.epochs_key(&slot_of(&id))]]);
        let raised = keys.map(async |keys| self.script(&EPOCH_RAISE, &keys, args).await);
        join_all(raised).await.into_iter().collect()
    }

    /// The copy of a user's epoch that is for tokens. `None`: there is none, so nothing speaks against a token.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn epoch_of(&self, user: UserId) -> Result<Option<Epoch>, Error> {
        self.copy_of(&self.epochs_key(&slot_of(&user.to_string())), user).await
    }

    /// The copy that is for devices of a phone. `None`: nothing speaks against a device.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn epoch_for_devices(&self, phone: &Phone, user: UserId) -> Result<Option<Epoch>, Error> {
        self.copy_of(&self.device_epochs_key(&slot_of(phone.e164())), user).await
    }

    async fn copy_of(&self, key: &str, user: UserId) -> Result<Option<Epoch>, Error> {
        let mut command = redis::cmd("HGET");
        command.arg(key).arg(user.to_string());
        let text: Option<String> = self.command(&command).await?;
        text.map(|text| read(&text).ok_or_else(|| Error::Redis(Cause::new("an epoch that cannot be read")))).transpose()
    }

    pub(super) fn epochs_key(&self, slot: &str) -> String {
        self.key(slot, "epochs", "users")
    }

    pub(super) fn device_epochs_key(&self, slot: &str) -> String {
        self.key(slot, "device_epochs", "users")
    }
}

/// Reads `number:s until which it is kept:1 if the account is disabled`.
fn read(text: &str) -> Option<Epoch> {
    let mut parts = text.split(':');
    let number = parts.next()?.parse().ok()?;
    Some(Epoch { number, is_disabled: parts.nth(1)? == "1" })
}

#[cfg(test)]
mod tests {
    use super::{Epoch, read};

    #[test]
    fn an_epoch_is_a_number_an_end_and_a_flag() {
        assert_eq!(read("3:1795276800:1"), Some(Epoch { number: 3, is_disabled: true }));
        assert_eq!(read("18446744073709551615:0:0"), Some(Epoch { number: u64::MAX, is_disabled: false }));
        for text in ["", "3", "x:1:1", "3:1"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
