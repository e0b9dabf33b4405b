//! Users: their identity, their role and their row.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::changed_by::ChangedBy;
use super::phone::Phone;
use super::profile::Profile;
use super::role::Role;
use crate::error::Error;
use crate::random;

/// Identity of a user: a UUID of version 7 (RFC 9562), so that ids sort by creation without any coordination.
/// Its last four bits are its shard, so that the id itself says where in the index it lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct UserId(Uuid);

impl UserId {
    /// A new id, in one of `shards` (1 to 16).
    ///
    /// # Errors
    /// [`Error::Internal`] when the system has no randomness to give.
    pub fn new(millis: u64, shards: u8) -> Result<Self, Error> {
        let mut random: [u8; 10] = random::bytes()?;
        let last = &mut random[9];
        *last = (*last & 0xf0) | ((*last & 0x0f) % shards.clamp(1, 16));
        Ok(Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()))
    }

    /// The 16 bytes of the UUID.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads [`Self::as_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// When it was made, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn millis(self) -> u64 {
        self.0.as_bytes()[..6].iter().fold(0, |millis, byte| millis << 8 | u64::from(*byte))
    }

    /// Where in the index the user lies, 0 to 15.
    #[must_use]
    pub fn shard(self) -> u8 {
        self.0.as_bytes()[15] & 0x0f
    }
}

impl std::fmt::Display for UserId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl std::str::FromStr for UserId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for UserId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(|_| serde::de::Error::custom("not a user id"))
    }
}

/// A user as the table has it.
pub struct User {
    /// Who.
    pub id: UserId,
    /// Whose code proves who it is.
    pub phone: Phone,
    /// What the user may do.
    pub role: Role,
    /// What the user says of itself.
    pub profile: Profile,
    /// Milliseconds since the Unix epoch.
    pub create_time: i64,
    /// The same, once there was a change.
    pub update_time: Option<i64>,
    /// Whether the user was deleted; the row stays for a while.
    pub is_delete: bool,
    /// When it was deleted, in milliseconds since the Unix epoch.
    pub delete_time: Option<i64>,
    /// Whether an admin or an operator deleted it, so that its owner cannot restore it.
    pub deleted_by_admin: bool,
    /// Whether an operator has disabled the account.
    pub is_disabled: bool,
    /// A counter that every change of rights raises; see `accounts::rights`.
    pub epoch: u64,
    /// Proof of the request that made the user; see `accounts::register`.
    pub receipt: String,
    /// Raised by one by every write of the row, 1 at the registration. Rows of earlier releases have 0.
    pub version: u64,
    /// Who wrote the row last; nobody in rows of earlier releases.
    pub changed_by: Option<ChangedBy>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_carry_their_shard() {
        let older = UserId::new(1_000_000, 16).unwrap();
        let newer = UserId::new(1_000_001, 16).unwrap();
        assert!(older < newer && older.to_string() < newer.to_string());
        for shards in 1..=16 {
            assert!((0..50).all(|_| UserId::new(5, shards).unwrap().shard() < shards));
        }
        assert_eq!(newer.0.get_version_num(), 7);
        assert_eq!((older.millis(), newer.millis()), (1_000_000, 1_000_001));
        assert_eq!(newer.to_string().parse::<UserId>().unwrap(), newer);
    }
}
