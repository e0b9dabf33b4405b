//! Verification codes and what is counted per phone.

use std::time::Duration;

use jiff::civil::Date;

use super::script::{Script, script};
use super::{Cache, millis, slot_of};
use crate::error::{Cause, Error};
use crate::phone::Phone;

static CODE_LOOK: Script = script!("code_look");
static CODE_PLACE: Script = script!("code_place");
static CODE_TRY: Script = script!("code_try");

/// The stage's day: counts of a day end with it.
pub struct Day {
    /// Which day.
    pub date: Date,
    /// Until midnight.
    pub left: Duration,
}

/// A code that could be sent: the seed it is made from and the MAC it is known by.
pub struct Candidate {
    /// A key's name and chance; with the key it gives the code, alone it gives nothing.
    pub seed: String,
    /// HMAC-SHA-256 of phone and code, in hexadecimal.
    pub mac: String,
}

/// What a phone's next message is to say.
pub enum Pending {
    /// The code of this seed again, which is good for so long.
    Code {
        /// From which the code follows.
        seed: String,
        /// At most `veri_code.ttl_secs`.
        good_for: Duration,
    },
    /// A new code.
    None,
    /// Nothing: too many wrong tries today; come back after so long.
    Closed(Duration),
}

/// What became of a try.
pub enum Try {
    /// The code is right.
    Right,
    /// It was right, once. Who knows it is not guessing.
    Used,
    /// Wrong, expired, ended or never sent.
    Wrong,
    /// Too many wrong tries today; come back after so long.
    Wait(Duration),
}

/// How many wrong tries there may be.
pub struct TryLimits {
    /// These end a code.
    pub per_code: u32,
    /// These close the phone until midnight.
    pub per_day: u64,
}

/// What a right try does to the code.
#[derive(Clone, Copy)]
pub enum Use {
    /// Nothing: [`Cache::open_session`] uses it up later.
    Peek,
    /// It is used up for everything but a registration.
    Claim,
}

impl Cache {
    /// What the next message to `phone` is to say.
    ///
    /// # Errors
    /// [`Error::Redis`]: nothing may be sent.
    pub async fn pending_code(&self, phone: &Phone, tries: u32, tries_per_day: u64) -> Result<Pending, Error> {
        let mut call = CODE_LOOK.on(&[self.phone_key("code", phone.e164()), self.phone_key("misses", phone.e164())]);
        call.arg(tries).arg(tries_per_day);
        let (verdict, millis, seed): (String, u64, Option<String>) = self.script(&call).await?;
        let span = Duration::from_millis(millis);
        match (verdict.as_str(), seed) {
            ("live", Some(seed)) => Ok(Pending::Code { seed, good_for: span }),
            ("none", _) => Ok(Pending::None),
            ("closed", _) => Ok(Pending::Closed(span)),
            _ => Err(Error::Redis(Cause::new("code_look gave no verdict"))),
        }
    }

    /// Makes the candidate the phone's code.
    ///
    /// # Errors
    /// [`Error::Redis`]: the code may not be good.
    pub async fn place_code(&self, phone: &Phone, candidate: &Candidate, ttl_secs: u64) -> Result<(), Error> {
        let mut call = CODE_PLACE.on(&[self.phone_key("code", phone.e164())]);
        call.arg(&candidate.seed).arg(&candidate.mac).arg(ttl_secs * 1000);
        self.script(&call).await
    }

    /// Counts a try of the code that has one of `macs`, which are set apart by spaces, and judges it.
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
        let mut call = CODE_TRY.on(&[
            self.phone_key("code", phone.e164()),
            self.phone_key("misses", phone.e164()),
            self.figures_key(&slot_of(phone.e164()), day.date),
        ]);
        call.arg(macs).arg(limits.per_code).arg(limits.per_day).arg(millis(day.left)).arg(match usage {
            Use::Peek => "peek",
            Use::Claim => "claim",
        });
        let (verdict, wait): (String, Option<u64>) = self.script(&call).await?;
        match (verdict.as_str(), wait) {
            ("right", _) => Ok(Try::Right),
            ("used", _) => Ok(Try::Used),
            ("wrong", _) => Ok(Try::Wrong),
            ("wait", Some(wait)) => Ok(Try::Wait(Duration::from_millis(wait))),
            _ => Err(Error::Redis(Cause::new("code_try gave no verdict"))),
        }
    }
}
