//! Names of keys and attributes that the service uses, repeated here because the emulator does not depend on the service's
//! crate. `tests/api/data.rs` compares them with what functions write.

use std::net::{IpAddr, Ipv6Addr};

use jiff::civil::Date;
use sha2::{Digest, Sha256};

/// The hash tag of all limits that are checked before a message is sent.
pub(crate) const SENDS: &str = "sends";

/// Attributes of a user.
pub(crate) const PHONE: &str = "phone";
pub(crate) const ID: &str = "id";
pub(crate) const SHARD: &str = "shard";
/// A session of a lower epoch is worth nothing.
pub(crate) const EPOCH: &str = "epoch";

/// The proof of the request that registered a user; it ends with [`RECEIPT_MAC`] characters of the MAC of the code.
pub(crate) const RECEIPT: &str = "receipt";
pub(crate) const RECEIPT_MAC: usize = 32;

/// The index of users by shard and id. Deleted users are in shards of their own, [`OF_DELETED`] higher.
pub(crate) const BY_ID: &str = "by_id";
pub(crate) const OF_DELETED: i64 = 16;

/// Who tries a code: the known devices of a phone have counts of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Stranger,
    Device,
}

impl Client {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Device => "device",
        }
    }
}

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

    /// Events about users: `id` of the user, `version`, `at` in ms, `changed_by`, `fields`, `values`.
    pub(crate) fn audit_table(&self) -> String {
        format!("badge-{}-audit", self.stage)
    }

    /// A hash: `seed`, `mac`, `stranger_tries`, `device_tries`, and `used`: `session`, or `claim` and MACs of codes.
    pub(crate) fn code(&self, phone: &str) -> String {
        self.key(&slot_of(phone), "code", phone)
    }

    /// The same of the code before it.
    pub(crate) fn last_code(&self, phone: &str) -> String {
        self.key(&slot_of(phone), "last_code", phone)
    }

    /// Wrong tries of a phone today: a number.
    pub(crate) fn misses(&self, phone: &str, client: Client) -> String {
        let term = if client == Client::Device { "device_misses" } else { "misses" };
        self.key(&slot_of(phone), term, phone)
    }

    /// A hash of wrong tries of a phone since a code was used, by client.
    pub(crate) fn failures(&self, phone: &str) -> String {
        self.key(&slot_of(phone), "failures", phone)
    }

    /// Messages that a range of numbers was sent and has not used: a number.
    pub(crate) fn debt(&self, range: &str) -> String {
        self.key(SENDS, "debt", range)
    }

    /// Entries of a limit with a sliding window: a list of `milliseconds:id`, newest last.
    pub(crate) fn moments(&self, slot: &str, row: &str, subject: &str) -> String {
        self.key(slot, "limit", &format!("{row}:{subject}"))
    }

    /// The count of a limit by the day: a number.
    pub(crate) fn sum(&self, slot: &str, row: &str, date: Date, subject: &str) -> String {
        self.key(slot, "limit", &format!("{row}:{date}:{subject}"))
    }

    /// A pattern of sessions, by the hash of their id: JSON objects with `user_id`, `role`, `epoch`, `opened_at` (in s), `client`
    /// and `network`, in the slot of the phone that the user had when it was opened.
    pub(crate) fn sessions(&self, hash: &str) -> String {
        self.key("*", "session", hash)
    }

    fn key(&self, slot: &str, term: &str, name: &str) -> String {
        format!("{}:{{{slot}}}:{term}:{name}", self.prefix)
    }
}

/// The hash tag of a phone or an address.
pub(crate) fn slot_of(subject: &str) -> String {
    format!("{:02x}", Sha256::digest(subject.as_bytes())[0])
}

/// An address as limits count it: of IPv6 the first 64 bits.
pub(crate) fn network_of(address: &str) -> Option<String> {
    match address.trim().parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => Some(address.to_string()),
        IpAddr::V6(_) => range_of(address, 64),
    }
}

/// The first bits of an IPv6 address; none of an IPv4 address.
pub(crate) fn range_of(address: &str, bits: u8) -> Option<String> {
    let IpAddr::V6(address) = address.trim().parse::<IpAddr>().ok()?.to_canonical() else { return None };
    let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits.into())?)?;
    Some(format!("{}/{bits}", Ipv6Addr::from_bits(address.to_bits() & mask)))
}

/// A phone as in log lines.
pub(crate) fn masked(phone: &str) -> String {
    let (shown, end) = (phone.len().saturating_sub(8), phone.len().saturating_sub(4));
    format!("{}****{}", phone.get(..shown).unwrap_or_default(), phone.get(end..).unwrap_or_default())
}
