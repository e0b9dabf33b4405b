//! How the service names what it stores, spelled out once more, because the stage does not know the service's crate.
//! The API's tests (`tests/api/data.rs`) hold it to what functions really write.

use std::net::{IpAddr, Ipv6Addr};

use jiff::civil::Date;
use sha2::{Digest, Sha256};

/// The hash tag of everything that is asked before a message is sent.
pub(crate) const SENDS: &str = "sends";

/// Attributes of a user that the stage asks for by name.
pub(crate) const PHONE: &str = "phone";
pub(crate) const ID: &str = "id";
pub(crate) const SHARD: &str = "shard";

/// The users' index of those who are not deleted, by shard and id.
pub(crate) const BY_ID: &str = "by_id";

/// The names of one stage.
pub(crate) struct Keys {
    prefix: String,
    stage: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str, stage: &str) -> Self {
        Self { prefix: prefix.to_owned(), stage: stage.to_owned() }
    }

    pub(crate) fn users_table(&self) -> String {
        format!("badge-{}-users", self.stage)
    }

    /// A hash: `seed`, `mac`, `tries`, and `used` once it is.
    pub(crate) fn code(&self, phone: &str) -> String {
        self.key(&slot_of(phone), "code", phone)
    }

    /// Wrong tries of a phone today: a number.
    pub(crate) fn misses(&self, phone: &str) -> String {
        self.key(&slot_of(phone), "misses", phone)
    }

    /// What a range of numbers was sent and has not used: a number.
    pub(crate) fn debt(&self, range: &str) -> String {
        self.key(SENDS, "debt", range)
    }

    /// What counts for a row with a window: a list of `milliseconds:id`, the newest last.
    pub(crate) fn moments(&self, slot: &str, row: &str, subject: &str) -> String {
        self.key(slot, row, subject)
    }

    /// What counts for a row by the day: a number.
    pub(crate) fn sum(&self, slot: &str, row: &str, date: Date, subject: &str) -> String {
        self.key(slot, row, &format!("{date}:{subject}"))
    }

    /// A session, by the hash of its id: a JSON object with `user_id` and `role`. It lies in the slot of its user's phone.
    pub(crate) fn session(&self, phone: &str, hash: &str) -> String {
        self.key(&slot_of(phone), "session", hash)
    }

    fn key(&self, slot: &str, term: &str, name: &str) -> String {
        format!("{}:{{{slot}}}:{term}:{name}", self.prefix)
    }
}

/// The hash tag of what belongs to a phone or an address.
pub(crate) fn slot_of(subject: &str) -> String {
    format!("{:02x}", Sha256::digest(subject.as_bytes())[0])
}

/// An address as limits count it: of IPv6 the first 64 bits.
pub(crate) fn network_of(address: &str) -> Option<String> {
    Some(match address.trim().parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    })
}

/// A phone as log lines have it.
pub(crate) fn masked(phone: &str) -> String {
    let (shown, end) = (phone.len().saturating_sub(8), phone.len().saturating_sub(4));
    format!("{}****{}", phone.get(..shown).unwrap_or_default(), phone.get(end..).unwrap_or_default())
}
