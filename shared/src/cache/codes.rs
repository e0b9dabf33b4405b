//! Verification codes and what is counted per phone.

use std::time::Duration;

use jiff::civil::Date;

use super::{Cache, slot_of};
use crate::config::VeriCode;
use crate::error::{Cause, Error};
use crate::phone::Phone;

/// The stage's day: counts of a day end with it.
pub struct Day {
    /// Which day.
    pub date: Date,
    /// Until midnight.
    pub left: Duration,
}

/// A code that could be sent: the seed it is made from and the MAC it is known by.
pub struct Candidate {
    /// Random; with the key it gives the code, alone it gives nothing.
    pub seed: String,
    /// HMAC-SHA-256 of phone and code, in hexadecimal.
    pub mac: String,
}

/// What became of the wish to send a code.
pub enum Offer {
    /// Send the code of this seed, which is good for so long.
    Send {
        /// Of a code that is still good, else the candidate's.
        seed: String,
        /// At most `veri_code.ttl_secs`.
        good_for: Duration,
    },
    /// A limit; come back after so long.
    Wait(Duration),
}

/// What became of a try.
pub enum Try {
    /// The code is right.
    Right,
    /// Wrong, used, expired, ended or never sent.
    Wrong,
    /// Too many wrong tries today; come back after so long.
    Wait(Duration),
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
    /// Counts a send to `phone`, or refuses it.
    ///
    /// # Errors
    /// [`Error::Redis`]: nothing may be sent.
    pub async fn offer_code(
        &self,
        phone: &Phone,
        candidate: &Candidate,
        limits: &VeriCode,
        day: &Day,
    ) -> Result<Offer, Error> {
        let e164 = phone.e164();
        let mut call = self.scripts.code_offer.prepare_invoke();
        call.key(self.phone_key("code", e164))
            .key(self.phone_key("cool", e164))
            .key(self.phone_key("sends", e164))
            .key(self.phone_key("misses", e164))
            .key(self.figures_key(&slot_of(e164), day.date))
            .arg(&candidate.seed)
            .arg(&candidate.mac)
            .arg(limits.ttl_secs * 1000)
            .arg(limits.resend_secs * 1000)
            .arg(limits.sends_per_day)
            .arg(limits.tries_per_day)
            .arg(millis(day.left))
            .arg(limits.tries);
        let (verdict, millis, seed): (String, u64, Option<String>) = self.script(&call).await?;
        let span = Duration::from_millis(millis);
        match (verdict.as_str(), seed) {
            ("sent", Some(seed)) => Ok(Offer::Send { seed, good_for: span }),
            ("wait", _) => Ok(Offer::Wait(span)),
            _ => Err(Error::Redis(Cause::new("code_offer gave no verdict"))),
        }
    }

    /// Takes back the count and the cool-down of a send that did not happen; the code stays.
    ///
    /// # Errors
    /// [`Error::Redis`]: they stay, and end by themselves.
    pub async fn withdraw_send(&self, phone: &Phone, day: &Day) -> Result<(), Error> {
        let mut call = self.scripts.code_withdraw.prepare_invoke();
        call.key(self.phone_key("cool", phone.e164()))
            .key(self.phone_key("sends", phone.e164()))
            .key(self.figures_key(&slot_of(phone.e164()), day.date));
        self.script(&call).await
    }

    /// Counts a try of the code that has `mac`, and judges it.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn try_code(
        &self,
        phone: &Phone,
        mac: &str,
        limits: &VeriCode,
        day: &Day,
        usage: Use,
    ) -> Result<Try, Error> {
        let mut call = self.scripts.code_try.prepare_invoke();
        call.key(self.phone_key("code", phone.e164()))
            .key(self.phone_key("misses", phone.e164()))
            .key(self.figures_key(&slot_of(phone.e164()), day.date))
            .arg(mac)
            .arg(limits.tries)
            .arg(limits.tries_per_day)
            .arg(millis(day.left))
            .arg(match usage {
                Use::Peek => "peek",
                Use::Claim => "claim",
            });
        let (verdict, wait): (String, Option<u64>) = self.script(&call).await?;
        match (verdict.as_str(), wait) {
            ("right", _) => Ok(Try::Right),
            ("wrong", _) => Ok(Try::Wrong),
            ("wait", Some(wait)) => Ok(Try::Wait(Duration::from_millis(wait))),
            _ => Err(Error::Redis(Cause::new("code_try gave no verdict"))),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
