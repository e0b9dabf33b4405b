//! Verification codes and what is counted for each phone.

use std::time::Duration;

use jiff::civil::Date;

use super::client::{Cache, millis, slot_of};
use super::script::Script;
use crate::error::{Cause, Error};
use crate::models::device::Client;
use crate::models::phone::Phone;

static CODE_LOOK: Script = Script::new(include_str!("scripts/code_look.lua"));
static CODE_PLACE: Script = Script::new(include_str!("scripts/code_place.lua"));
static CODE_TRY: Script =
    Script::new(concat!(include_str!("scripts/code_judge.lua"), include_str!("scripts/code_try.lua")));
static CODE_USE: Script = Script::new(include_str!("scripts/code_use.lua"));

/// The stage's day: daily counts end with it.
#[derive(Clone, Copy)]
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

/// What the cache has for a phone.
pub struct PhoneState {
    strangers_wait: Duration,
    devices_wait: Duration,
    /// Its last two codes, the newest first.
    pub codes: Vec<StoredCode>,
}

/// A code that has not expired.
pub struct StoredCode {
    /// As [`Candidate::seed`].
    pub seed: String,
    /// As [`Candidate::mac`].
    pub mac: String,
    /// Whether it opened a session: it is good for nothing.
    pub is_used: bool,
    /// By which codes registrations and other changes claimed it; empty if none did. A claimed code is not sent again.
    pub claims: String,
    /// At most `veri_code.ttl_secs`.
    pub good_for: Duration,
    strangers_tries: u32,
    devices_tries: u32,
}

impl PhoneState {
    /// How long wrong tries keep the phone closed for such a client.
    #[must_use]
    pub fn wait(&self, client: Client) -> Option<Duration> {
        let wait = match client {
            Client::Stranger => self.strangers_wait,
            Client::KnownDevice => self.devices_wait,
        };
        Some(wait).filter(|wait| !wait.is_zero())
    }
}

impl StoredCode {
    /// Wrong tries of such clients.
    #[must_use]
    pub fn tries(&self, client: Client) -> u32 {
        match client {
            Client::Stranger => self.strangers_tries,
            Client::KnownDevice => self.devices_tries,
        }
    }
}

/// The result of a try.
pub enum Try {
    /// The code is right.
    Right {
        /// The code's MAC; empty if this is a repetition, whose first attempt has it.
        mac: String,
    },
    /// The code was right and has been used. A client that knows it is not guessing.
    Used,
    /// Wrong, expired, ended or never sent.
    Wrong,
    /// Too many wrong tries. The time is that to midnight.
    Wait(Duration),
}

/// A limit of wrong tries, and the name of its row.
#[derive(Clone, Copy)]
pub struct TryLimit<'a> {
    /// The row's name.
    pub name: &'a str,
    /// As many close the phone.
    pub max: u64,
}

/// Limits of wrong tries of one kind of client.
#[derive(Clone, Copy)]
pub struct TryLimits<'a> {
    /// As many end a code.
    pub per_code: u32,
    /// Until midnight.
    pub per_day: TryLimit<'a>,
    /// Until a code is used.
    pub in_a_row: TryLimit<'a>,
}

/// A try of a code.
pub struct CodeTry<'a> {
    /// Whose code.
    pub phone: &'a Phone,
    /// MACs of the tried code by each key that may have made it, separated by spaces.
    pub macs: &'a str,
    /// Who tries.
    pub client: Client,
    /// The client's limits.
    pub limits: TryLimits<'a>,
    /// The stage's day.
    pub day: Day,
    /// The MAC of a test number's fixed code; empty for all others.
    pub fixed: &'a str,
    /// How the MAC begins of the code that the phone's user registered with; empty if that is not known.
    pub registered_with: &'a str,
    /// Whether a failure counts although no code is live.
    pub counts_always: bool,
}

/// What a right try does to the code.
#[derive(Clone, Copy)]
pub enum Use {
    /// Nothing.
    Verify,
    /// Marks it for a change that may be repeated: a registration, a change of phone, a deletion.
    Claim,
}

impl Cache {
    /// What the cache has for a phone, with the limits of strangers and of known devices.
    ///
    /// # Errors
    /// [`Error::Redis`]: nothing may be sent, and no code is judged.
    pub async fn look(
        &self,
        phone: &Phone,
        strangers: &TryLimits<'_>,
        devices: &TryLimits<'_>,
        day: &Day,
    ) -> Result<PhoneState, Error> {
        type Row = (String, String, u32, u32, Option<String>, u64);
        let [code, last] = self.code_keys(phone);
        let [strangers_misses, devices_misses] =
            [Client::Stranger, Client::KnownDevice].map(|client| self.misses_key(phone, client));
        let keys = [code, last, strangers_misses, devices_misses, self.phone_key("failures", phone)];
        let args = (
            (strangers.per_day.max, devices.per_day.max),
            (strangers.in_a_row.max, devices.in_a_row.max),
            millis(day.left),
        );
        let (strangers_wait, devices_wait, codes): (u64, u64, Vec<Row>) = self.script(&CODE_LOOK, &keys, args).await?;
        let codes = codes.into_iter().map(|(seed, mac, strangers_tries, devices_tries, used, left)| StoredCode {
            seed,
            mac,
            is_used: used.as_deref() == Some("session"),
            claims: used.filter(|used| used.starts_with("claim")).unwrap_or_default(),
            good_for: Duration::from_millis(left),
            strangers_tries,
            devices_tries,
        });
        Ok(PhoneState {
            strangers_wait: Duration::from_millis(strangers_wait),
            devices_wait: Duration::from_millis(devices_wait),
            codes: codes.collect(),
        })
    }

    /// Makes the candidate the phone's code. The one before it stays good for its rest.
    ///
    /// # Errors
    /// [`Error::Redis`]: the code may not be good.
    pub async fn place_code(&self, phone: &Phone, candidate: &Candidate, ttl_secs: u64) -> Result<(), Error> {
        let args = (&candidate.seed, &candidate.mac, ttl_secs * 1000);
        self.script(&CODE_PLACE, &self.code_keys(phone), args).await
    }

    /// Counts a try and judges it.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn try_code(&self, code: &CodeTry<'_>, usage: Use) -> Result<Try, Error> {
        let usage = match usage {
            Use::Verify => "verify",
            Use::Claim => "claim",
        };
        self.judge(&CODE_TRY, code, &[], usage).await
    }

    /// Uses up the codes of a phone that were claimed.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn use_claimed(&self, phone: &Phone) -> Result<(), Error> {
        self.script(&CODE_USE, &self.code_keys(phone), [0_u64; 0].as_slice()).await
    }

    /// Forgets the wrong tries of a phone, today's and those in a row, so that it is open again.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn forget_tries(&self, phone: &Phone) -> Result<(), Error> {
        let mut command = redis::cmd("DEL");
        command.arg(self.phone_key("failures", phone));
        for client in [Client::Stranger, Client::KnownDevice] {
            command.arg(self.misses_key(phone, client));
        }
        self.command(&command).await
    }

    /// Runs a script that begins with `code_judge.lua`, with keys and arguments of its own behind those of the judgement.
    pub(super) async fn judge(
        &self,
        script: &Script,
        code: &CodeTry<'_>,
        keys: &[String],
        args: impl redis::ToRedisArgs + Send,
    ) -> Result<Try, Error> {
        let CodeTry { phone, macs, client, limits, day, fixed, registered_with, counts_always } = code;
        let TryLimits { per_code, per_day, in_a_row } = limits;
        let [newest, last] = self.code_keys(phone);
        let stats = self.stats_key(&slot_of(phone.e164()), day.date);
        let judged = [newest, last, self.misses_key(phone, *client), self.phone_key("failures", phone), stats];
        let keys = [&judged, keys].concat();
        let rows = (per_day.name, per_day.max, in_a_row.name, in_a_row.max);
        let args = (
            (macs, client.as_str(), per_code),
            rows,
            (millis(day.left), fixed, registered_with, u8::from(*counts_always)),
            args,
        );
        let (verdict, wait, mac): (String, Option<u64>, Option<String>) = self.script(script, &keys, args).await?;
        match (verdict.as_str(), wait) {
            ("right", _) => Ok(Try::Right { mac: mac.unwrap_or_default() }),
            ("used", _) => Ok(Try::Used),
            ("wrong", _) => Ok(Try::Wrong),
            ("wait", Some(wait)) => Ok(Try::Wait(Duration::from_millis(wait))),
            _ => Err(Error::Redis(Cause::new("a try of a code got no verdict"))),
        }
    }

    /// The phone's code, and the one before it.
    pub(super) fn code_keys(&self, phone: &Phone) -> [String; 2] {
        ["code", "last_code"].map(|term| self.phone_key(term, phone))
    }

    /// Wrong tries today.
    pub(super) fn misses_key(&self, phone: &Phone, client: Client) -> String {
        let term = match client {
            Client::Stranger => "misses",
            Client::KnownDevice => "device_misses",
        };
        self.phone_key(term, phone)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_server::cache;
    use super::*;

    fn phone() -> Phone {
        Phone::stored("+8613800138000".to_owned())
    }

    #[tokio::test]
    async fn a_reset_forgets_all_wrong_tries_of_a_phone() {
        let (cache, requests) = cache(":3\r\n").await;
        cache.forget_tries(&phone()).await.unwrap();
        let slot = slot_of("+8613800138000");
        let keys = ["failures", "misses", "device_misses"];
        let keys = keys.map(|term| format!("${}\r\niwc:{{{slot}}}:{term}:+8613800138000\r\n", term.len() + 24));
        assert_eq!(requests.all(), [format!("*4\r\n$3\r\nDEL\r\n{}", keys.concat())]);
    }

    #[tokio::test]
    async fn a_look_tells_strangers_and_known_devices_apart() {
        let codes = "*2\r\n*6\r\n$1\r\nb\r\n$2\r\nbb\r\n$1\r\n5\r\n$1\r\n0\r\n$-1\r\n:70000\r\n\
                     *6\r\n$1\r\na\r\n$2\r\naa\r\n$1\r\n0\r\n$1\r\n1\r\n$8\r\nclaim aa\r\n:9000\r\n";
        let reply = format!("*3\r\n:60000\r\n:0\r\n{codes}");
        let (cache, _) = cache(reply.leak()).await;
        let limit = TryLimit { name: "tries", max: 20 };
        let limits = TryLimits { per_code: 5, per_day: limit, in_a_row: limit };
        let day = Day { date: Date::constant(2026, 11, 26), left: Duration::from_mins(1) };
        let state = cache.look(&phone(), &limits, &limits, &day).await.unwrap();
        assert_eq!(state.wait(Client::Stranger), Some(Duration::from_mins(1)));
        assert_eq!(state.wait(Client::KnownDevice), None);
        let seen = state.codes.iter().map(|code| {
            let tries = [Client::Stranger, Client::KnownDevice].map(|client| code.tries(client));
            (code.seed.as_str(), tries, code.claims.as_str(), code.is_used, code.good_for.as_secs())
        });
        assert_eq!(seen.collect::<Vec<_>>(), [("b", [5, 0], "", false, 70), ("a", [0, 1], "claim aa", false, 9)]);
    }
}
