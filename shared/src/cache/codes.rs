//! Verification codes and what is counted for each phone.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::civil::Date;

use super::client::{Cache, millis, slot_of};
use super::script::Script;
use crate::error::{Cause, Error};
use crate::models::phone::Phone;

static CODE_PENDING: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/code_pending.lua")));
static CODE_PLACE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/code_place.lua")));
static CODE_TRY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/code_try.lua")));

/// The stage's day: daily counts end with it.
pub struct Day {
    /// The date in the stage's time zone.
    pub date: Date,
    /// Time to midnight.
    pub left: Duration,
}

/// A code that could be sent.
pub struct Candidate {
    /// The name of a key and random bits; the code follows from it with that key, and only with it.
    pub seed: String,
    /// HMAC-SHA-256 of phone and code, in hexadecimal.
    pub mac: String,
}

/// Which code the next message to a phone carries.
pub enum Pending {
    /// The code of this seed again.
    Code {
        /// As [`Candidate::seed`].
        seed: String,
        /// At most `veri_code.ttl_secs`.
        good_for: Duration,
    },
    /// A new code.
    None,
    /// None: too many wrong tries today. The time is that to midnight.
    Closed(Duration),
}

/// Result of a try.
pub enum Try {
    /// The code is right.
    Right,
    /// The code was right and has been used. A client that knows it is not guessing.
    Used,
    /// Wrong, expired, ended or never sent.
    Wrong,
    /// Too many wrong tries today. The time is that to midnight.
    Wait(Duration),
}

/// Limits of wrong tries.
pub struct TryLimits {
    /// As many end a code.
    pub per_code: u32,
    /// As many close the phone until midnight.
    pub per_day: u64,
}

/// What a right try does to the code.
#[derive(Clone, Copy)]
pub enum Use {
    /// Nothing: [`Cache::open_session_with_code`] uses it up later.
    Verify,
    /// Uses it up for everything but a registration.
    Claim,
}

impl Cache {
    /// Which code the next message to `phone` carries.
    ///
    /// # Errors
    /// [`Error::Redis`]: nothing may be sent.
    pub async fn pending_code(&self, phone: &Phone, tries: u32, tries_per_day: u64) -> Result<Pending, Error> {
        let keys = [self.phone_key("code", phone), self.phone_key("misses", phone)];
        let reply: (String, u64, Option<String>) = self.script(&CODE_PENDING, &keys, (tries, tries_per_day)).await?;
        let (verdict, span, seed) = (reply.0, Duration::from_millis(reply.1), reply.2);
        match (verdict.as_str(), seed) {
            ("live", Some(seed)) => Ok(Pending::Code { seed, good_for: span }),
            ("none", _) => Ok(Pending::None),
            ("closed", _) => Ok(Pending::Closed(span)),
            _ => Err(Error::Redis(Cause::new("code_pending returned no verdict"))),
        }
    }

    /// Makes the candidate the phone's code.
    ///
    /// # Errors
    /// [`Error::Redis`]: the code may not be good.
    pub async fn place_code(&self, phone: &Phone, candidate: &Candidate, ttl_secs: u64) -> Result<(), Error> {
        let args = (&candidate.seed, &candidate.mac, ttl_secs * 1000);
        self.script(&CODE_PLACE, &[self.phone_key("code", phone)], args).await
    }

    /// Counts a try of the code that has one of `macs`, which are separated by spaces, and judges it.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn try_code(
        &self,
        phone: &Phone,
        macs: &str,
        limits: &TryLimits,
        day: &Day,
        usage: Use,
    ) -> Result<Try, Error> {
        let keys = [
            self.phone_key("code", phone),
            self.phone_key("misses", phone),
            self.stats_key(&slot_of(phone.e164()), day.date),
        ];
        let usage = match usage {
            Use::Verify => "verify",
            Use::Claim => "claim",
        };
        let args = (macs, limits.per_code, limits.per_day, millis(day.left), usage);
        let (verdict, wait): (String, Option<u64>) = self.script(&CODE_TRY, &keys, args).await?;
        match (verdict.as_str(), wait) {
            ("right", _) => Ok(Try::Right),
            ("used", _) => Ok(Try::Used),
            ("wrong", _) => Ok(Try::Wrong),
            ("wait", Some(wait)) => Ok(Try::Wait(Duration::from_millis(wait))),
            _ => Err(Error::Redis(Cause::new("code_try returned no verdict"))),
        }
    }
}
