//! Users: who they are, how one comes to be, and the list of them.

pub mod applicant;
pub mod index;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::applicant::{Applicant, PlaceCode};
use crate::ctx::Ctx;
use crate::error::Error;
use crate::limits::Network;
use crate::phone::Phone;
use crate::random;
use crate::store::users::Inserted;
use crate::veri_code;

/// Identity of a user: a UUID of version 7 (RFC 9562), so that ids sort by creation without any coordination.
/// Its last four bits are its shard, so that the id itself says where in the index it lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct UserId(Uuid);

impl UserId {
    /// A new id, in one of `shards` (1 to 16).
    fn new(millis: u64, shards: u8) -> Result<Self, Error> {
        let mut random: [u8; 10] = random::bytes()?;
        let last = &mut random[9];
        *last = (*last & 0xf0) | ((*last & 0x0f) % shards.clamp(1, 16));
        Ok(Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()))
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

/// What a caller may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees other users masked.
    User,
    /// Sees everything.
    Admin,
}

impl Role {
    /// The word in tokens, sessions and items.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    /// Reads [`Self::as_str`]; an unknown word gives the fewest rights.
    #[must_use]
    pub fn of(word: &str) -> Self {
        if word == "admin" { Self::Admin } else { Self::User }
    }
}

/// A user as the table has it.
pub struct User {
    pub(crate) id: UserId,
    pub(crate) phone: Phone,
    pub(crate) role: Role,
    pub(crate) user_name: String,
    pub(crate) gender: u8,
    pub(crate) birth_day: String,
    pub(crate) province: String,
    pub(crate) city: String,
    /// Milliseconds since the Unix epoch.
    pub(crate) create_time: i64,
    /// The same, once there was a change.
    pub(crate) update_time: Option<i64>,
    pub(crate) is_delete: bool,
    /// Proof of the request that made the user; see [`veri_code::receipts`].
    pub(crate) receipt: String,
}

/// What a new user receives.
#[derive(Serialize)]
pub struct Registered {
    user_id: UserId,
}

/// Makes a user of an applicant whose code is right.
///
/// The same request sent again, because its reply was lost or a write failed on our side, gives the same success.
///
/// # Errors
/// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], [`Error::PhoneTaken`], or a backend.
pub async fn register(ctx: &Ctx, applicant: Applicant, network: &Network) -> Result<Registered, Error> {
    let proof = veri_code::claim(ctx, &applicant.phone, &applicant.veri_code, network).await?;
    let receipts = veri_code::receipts(ctx, &applicant).await?;
    let millis = ctx.now().millis();
    let text = |place: Option<PlaceCode>| place.map(|code| code.0).unwrap_or_default();
    let user = User {
        id: UserId::new(millis, ctx.config().user_shards)?,
        phone: applicant.phone,
        role: Role::User,
        user_name: applicant.user_name.0,
        gender: applicant.gender.0,
        birth_day: applicant.birth_day.0.to_string(),
        province: text(applicant.province),
        city: text(applicant.city),
        create_time: i64::try_from(millis).unwrap_or(i64::MAX),
        update_time: None,
        is_delete: false,
        receipt: receipts.first().cloned().unwrap_or_default(),
    };
    let (inserted, ()) =
        tokio::join!(async { ctx.store()?.insert_user(&user).await }, veri_code::acknowledge(ctx, &user.phone, &proof));
    match inserted? {
        Inserted::New => Ok(Registered { user_id: user.id }),
        Inserted::Exists { id, receipt } if receipts.contains(&receipt) => Ok(Registered { user_id: id }),
        Inserted::Exists { .. } => Err(Error::PhoneTaken),
    }
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
        assert_eq!(newer.to_string().parse::<UserId>().unwrap(), newer);
    }
}
