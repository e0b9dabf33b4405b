//! What the cache has of a user who is erased.

use super::client::{Cache, slot_of};
use crate::error::Error;
use crate::models::device::Client;
use crate::models::phone::Phone;

impl Cache {
    /// Forgets the sessions and the epochs of a user, and the codes and the tries of its phone. Other limits of the phone end with
    /// their day.
    ///
    /// Doing it twice is harmless. Sessions and tokens that the epochs ended are older than those live: an account is erased days
    /// after its end.
    ///
    /// # Errors
    /// [`Error::Redis`]: some of it is still there.
    pub async fn forget_user(&self, phone: &Phone, user_id: &str) -> Result<(), Error> {
        let (slot, tokens) = (slot_of(phone.e164()), slot_of(user_id));
        let set = self.key(&slot, "sessions", user_id);
        let mut range = redis::cmd("ZRANGE");
        let recorded: Vec<String> = self.command(range.arg(&set).arg(0).arg(-1)).await?;
        let mut commands = redis::pipe();
        for member in &recorded {
            // A session that a change of phone has kept is in another slot, which stands before its hash.
            let (slot, hash) = member.split_once(':').unwrap_or((&slot, member));
            for term in ["session", "cookie"] {
                commands.del(self.key(slot, term, hash)).ignore();
            }
        }
        let [code, last] = self.code_keys(phone);
        let misses = [Client::Stranger, Client::KnownDevice].map(|client| self.misses_key(phone, client));
        for key in [code, last, self.phone_key("failures", phone), set].iter().chain(&misses) {
            commands.del(key).ignore();
        }
        for key in [self.epochs_key(&slot), self.epochs_key(&tokens), self.device_epochs_key(&slot)] {
            commands.hdel(key, user_id).ignore();
        }
        self.send(&commands).await
    }
}
