//! Tries of codes. A try takes two steps. The first one asks the address's limit and looks at the phone, and has no effect.
//! The second one counts the try, judges it and uses the code, by one script.
//!
//! What the look shows is a forecast: it chooses what is written beside the judgement to places that its script cannot reach
//! on a clustered cache, so that it need not be a third step. What a client learns is the judgement alone.

use super::code::{Codes, Tag, code_mac, hex_of, is_hex_of};
use super::device::client;
use super::limits::{self, too_many};
use super::receipt;
use crate::cache::{CodeTry, PhoneState, Try, Use};
use crate::error::Error;
use crate::models::call::Call;
use crate::models::device::{Client, Device};
use crate::models::keys::KeyRing;
use crate::models::phone::Phone;
use crate::models::user::{User, UserId};
use crate::models::veri_code::VeriCode;

/// A try, and what the look at its phone showed.
pub struct Attempt {
    phone: Phone,
    /// MACs of the tried code, by each key that may have made it.
    macs: String,
    /// The MAC of a test number's fixed code.
    fixed: Option<String>,
    /// MACs of the stored codes that the tried one equals.
    equal: Vec<String>,
    devices: Vec<Device>,
    state: PhoneState,
}

/// A try of one step, without a look before it: the address's limit was asked beside the session, and no row is read.
pub struct OneStepTry<'a> {
    /// Whose code.
    pub phone: &'a Phone,
    /// The code.
    pub code: &'a VeriCode,
    /// The phone's user and the epoch of the session, if it is the user's own phone.
    pub owner: Option<(UserId, u64)>,
}

/// What is known of the phone's user, and so of who tries.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    client: Client,
    /// How the MAC begins of the code that the user registered with.
    registered_with: &'a str,
    counts_always: bool,
}

/// What the judgement of a try will probably be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Forecast<'a> {
    /// Right; with the code's MAC.
    Right(&'a str),
    /// The code is right and has been used.
    Used,
    Wrong,
    /// The phone is closed.
    Refused,
}

impl Attempt {
    /// Who tries, for the phone's live user. A device of an older epoch, or of an earlier user of the phone, is a stranger.
    #[must_use]
    pub fn of_user<'a>(&self, user: Option<&'a User>) -> Standing<'a> {
        let is_of = |device: &Device| user.is_some_and(|user| (device.user_id, device.epoch) == (user.id, user.epoch));
        let registered_with = user.map_or("", |user| receipt::code(&user.receipt));
        Standing { client: client(self.devices.iter().any(is_of)), registered_with, counts_always: false }
    }

    /// Whether wrong tries keep the phone closed.
    #[must_use]
    pub fn is_refused(&self, standing: Standing<'_>) -> bool {
        self.state.wait(standing.client).is_some()
    }

    fn forecast(&self, standing: Standing<'_>, tries: u32) -> Forecast<'_> {
        if self.is_refused(standing) {
            return Forecast::Refused;
        }
        if self.fixed.is_some() {
            return self.equal.first().map_or(Forecast::Wrong, |mac| Forecast::Right(mac));
        }
        let mut found = self.state.codes.iter().filter(|code| self.equal.contains(&code.mac));
        let Some(code) = found.next() else { return Forecast::Wrong };
        let claim = standing.registered_with;
        if code.is_used || (!claim.is_empty() && code.claims.contains(claim)) {
            Forecast::Used
        } else if code.tries(standing.client) >= tries {
            Forecast::Wrong
        } else {
            Forecast::Right(&code.mac)
        }
    }
}

impl Standing<'_> {
    /// Counts a failure although no code is live, because there is something else to guess.
    #[must_use]
    pub fn counting_always(self) -> Self {
        Self { counts_always: true, ..self }
    }
}

impl Codes {
    /// The first step of a try.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] when the address has tried too often, or a backend.
    pub async fn look(&self, call: &Call, phone: &Phone, code: &VeriCode) -> Result<Attempt, Error> {
        let keys = self.keys.get(call.now.timestamp()).await?;
        let (tried, fixed) = self.macs(call, &keys, phone, code);
        let devices = self.devices(call, phone).await?;
        let (wait, state) = tokio::join!(limits::wait_to_try(&self.cache, &self.config, call), self.state(call, phone));
        if let Some(wait) = wait? {
            return Err(too_many(wait));
        }
        let state = state?;
        let stored = state.codes.iter().map(|code| &code.mac).chain(&fixed);
        let equal = stored.filter(|mac| tried.iter().any(|tried| is_hex_of(mac, tried))).cloned().collect();
        Ok(Attempt { phone: phone.clone(), macs: joined(&tried), fixed, equal, devices, state })
    }

    /// The MACs of a tried code by each key that may have made it, and the one of a test number's fixed code.
    fn macs(&self, call: &Call, keys: &KeyRing, phone: &Phone, code: &VeriCode) -> (Vec<Tag>, Option<String>) {
        let tried = keys.keys().map(|key| code_mac(key, phone, code.digits())).collect();
        let fixed = self.config.veri_code.fixed_code(phone, call.now.today());
        (tried, fixed.map(|fixed| hex_of(&code_mac(&keys.current, phone, fixed))))
    }

    /// Who tries, where no row is read.
    ///
    /// # Errors
    /// A key that cannot be had, or [`Error::Redis`].
    pub async fn of_applicant(&self, call: &Call, phone: &Phone) -> Result<Standing<'static>, Error> {
        let client = self.client_of_now(call, phone).await?;
        Ok(Standing { client, registered_with: "", counts_always: false })
    }

    /// Whether a try will probably be judged to be right.
    #[must_use]
    pub fn is_promising(&self, attempt: &Attempt, standing: Standing<'_>) -> bool {
        matches!(self.forecast(attempt, standing), Forecast::Right(_))
    }

    /// Judges a try without using the code up.
    ///
    /// # Errors
    /// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], or a backend.
    pub async fn verify(&self, call: &Call, attempt: &Attempt, standing: Standing<'_>) -> Result<(), Error> {
        self.judge(call, attempt, standing, Use::Verify).await.map(drop)
    }

    /// Judges a try and marks the code for a registration. Returns the code's part of the receipt.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn claim(&self, call: &Call, attempt: &Attempt, standing: Standing<'_>) -> Result<String, Error> {
        let mac = receipt::part(self.judge(call, attempt, standing, Use::Claim).await?);
        // A fixed code stays good for everything.
        Ok(if attempt.fixed.is_some() { String::new() } else { mac })
    }

    async fn judge(&self, call: &Call, attempt: &Attempt, standing: Standing<'_>, usage: Use) -> Result<String, Error> {
        let code = self.code_try(call, attempt, standing)?;
        let is_wrong = self.forecast(attempt, standing) == Forecast::Wrong;
        let (judgement, counted) = tokio::join!(self.cache.try_code(&code, usage), async {
            if is_wrong { limits::count_miss(&self.cache, &self.config, call).await } else { Ok(()) }
        });
        let judgement = judgement?;
        counted?;
        verdict(judgement)
    }

    /// Judges a code and claims it: it stays right, so that a change whose reply was lost or whose write failed can be repeated.
    /// Returns its MAC, empty for a fixed code.
    ///
    /// The code with which the user registered needs no look at the row: the login that opened the session used it up.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn claim_in_one_step(&self, call: &Call, attempt: &OneStepTry<'_>) -> Result<String, Error> {
        let (keys, phone) = (self.keys.get(call.now.timestamp()).await?, attempt.phone);
        let (tried, fixed) = self.macs(call, &keys, phone, attempt.code);
        let client = match attempt.owner {
            Some(owner) => {
                let devices = self.devices(call, phone).await?;
                client(devices.iter().any(|device| owner == (device.user_id, device.epoch)))
            }
            None => self.client_of_now(call, phone).await?,
        };
        let code = CodeTry {
            phone,
            macs: &joined(&tried),
            client,
            limits: limits::tries(&self.config, client)?,
            day: limits::day(&call.now),
            fixed: fixed.as_deref().unwrap_or_default(),
            registered_with: "",
            counts_always: false,
        };
        let judgement = self.cache.try_code(&code, Use::Claim).await?;
        if matches!(judgement, Try::Wrong) {
            limits::count_miss(&self.cache, &self.config, call).await?;
        }
        verdict(judgement).map(|mac| if fixed.is_none() { mac } else { String::new() })
    }

    /// Credits a phone's range of numbers with the code of this MAC, which was right: somebody reads what is sent there.
    pub async fn credit(&self, phone: &Phone, mac: &str) {
        if !mac.is_empty() {
            limits::credit(&self.cache, &self.config, phone, mac).await;
        }
    }

    /// Uses up the codes of a phone that were claimed.
    ///
    /// # Errors
    /// [`Error::Redis`]: they are good for the rest of their time.
    pub async fn use_up(&self, phone: &Phone, mac: &str) -> Result<(), Error> {
        if mac.is_empty() { Ok(()) } else { self.cache.use_claimed(phone).await }
    }

    /// The try as the cache judges it.
    ///
    /// # Errors
    /// None; see [`crate::config::Limits::tries`].
    pub fn code_try<'a>(
        &'a self,
        call: &Call,
        attempt: &'a Attempt,
        standing: Standing<'a>,
    ) -> Result<CodeTry<'a>, Error> {
        let Standing { client, registered_with, counts_always } = standing;
        let fixed = attempt.fixed.as_deref().unwrap_or_default();
        let (limits, day) = (limits::tries(&self.config, client)?, limits::day(&call.now));
        Ok(CodeTry {
            phone: &attempt.phone,
            macs: &attempt.macs,
            client,
            limits,
            day,
            fixed,
            registered_with,
            counts_always,
        })
    }

    /// Records what the forecast of a try says of a right code: somebody reads what is sent to this phone, which the limits
    /// of its range of numbers take into account.
    pub async fn record_use(&self, attempt: &Attempt, standing: Standing<'_>) {
        if let (Forecast::Right(mac), None) = (self.forecast(attempt, standing), &attempt.fixed) {
            limits::credit(&self.cache, &self.config, &attempt.phone, mac).await;
        }
    }

    /// What the cache has for a phone.
    pub(super) async fn state(&self, call: &Call, phone: &Phone) -> Result<PhoneState, Error> {
        let [strangers, devices] =
            [Client::Stranger, Client::KnownDevice].map(|client| limits::tries(&self.config, client));
        self.cache.look(phone, &strangers?, &devices?, &limits::day(&call.now)).await
    }

    fn forecast<'a>(&self, attempt: &'a Attempt, standing: Standing<'_>) -> Forecast<'a> {
        attempt.forecast(standing, self.config.veri_code.tries)
    }
}

/// The MAC of a right code, or the error of another judgement.
///
/// # Errors
/// [`Error::VeriCodeWrong`] or [`Error::TooManyRequests`].
pub fn verdict(judgement: Try) -> Result<String, Error> {
    match judgement {
        Try::Right { mac } => Ok(mac),
        Try::Used | Try::Wrong => Err(Error::VeriCodeWrong),
        Try::Wait(wait) => Err(too_many(wait)),
    }
}

/// MACs as the cache takes them.
fn joined(macs: &[Tag]) -> String {
    macs.iter().map(hex_of).collect::<Vec<_>>().join(" ")
}
