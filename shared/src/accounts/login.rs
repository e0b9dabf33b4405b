//! Signing in: a right code of a live user becomes a session and a token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::deletion::{last_chance, restore_until};
use super::sessions::Sessions;
use super::tokens::Tokens;
use crate::aws::Clients;
use crate::cache::Cache;
use crate::config::Config;
use crate::db::{Change, Database, Users};
use crate::error::{Error, StartError};
use crate::jwt::Bearer;
use crate::models::call::Call;
use crate::models::changed_by::ChangedBy;
use crate::models::params::{Fields, Params, Required};
use crate::models::phone::Phone;
use crate::models::principal::{Credential, Principal};
use crate::models::session_id::SessionId;
use crate::models::user::{User, UserId};
use crate::models::veri_code::VeriCode;
use crate::verification::Codes;

/// A phone and the code that it received.
pub struct Attempt {
    phone: Phone,
    veri_code: VeriCode,
    /// Whether a deleted account is to be restored.
    restore: bool,
}

impl Params for Attempt {
    fn required() -> Required {
        Required::OneByOne(&["phone", "veri_code"])
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let phone = fields.read("phone");
        let veri_code = fields.read("veri_code");
        let restore = fields.read_flag("restore");
        Some(Self { phone: phone?, veri_code: veri_code?, restore: restore?.unwrap_or_default() })
    }
}

/// A user who has just signed in.
pub struct SignedIn {
    /// Who it is, and the session for the cookie.
    pub principal: Principal,
    /// For the client.
    pub reply: LoginReply,
}

impl SignedIn {
    /// The same for a page of another site, which gets no cookie: the reply has the bare id of the session.
    #[must_use]
    pub fn with_bare_session(mut self) -> Self {
        if let Credential::VeriCode { id } = &self.principal.credential {
            self.reply.session = Some(id.as_str().to_owned());
        }
        self
    }
}

/// What a client receives beside the cookie.
#[derive(Serialize)]
pub struct LoginReply {
    user_id: UserId,
    /// A JSON web token.
    token: String,
    /// Seconds that the token is valid.
    expires_in: u64,
    /// The token of the device, which is known from now on.
    device: String,
    /// The id of the session, for clients without a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
}

impl LoginReply {
    /// For the cookie of the device.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }
}

/// A refused login takes a multiple of this time, whatever was looked up: the row of a registered phone takes some
/// microseconds more than none, which many requests would show. Most logins take less.
const REFUSAL: Duration = Duration::from_millis(25);

/// Until when the session must be open: a reply leaves within 2.5 s.
const OPENED: Duration = Duration::from_millis(2_300);

/// What a login needs.
pub struct Login {
    config: Arc<Config>,
    users: Users,
    codes: Codes,
    sessions: Sessions,
    tokens: Tokens,
}

impl Login {
    /// Opens all of it, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let config = &clients.config;
        let (cache, (tokens, keys), database) =
            tokio::try_join!(Cache::connect(clients), Tokens::connect_with_codes(clients), Database::connect(clients))?;
        Ok(Self {
            config: Arc::clone(config),
            users: Users::new(&database, config)?,
            codes: Codes::new(cache.clone(), keys, Arc::clone(config)),
            sessions: Sessions::new(cache, Arc::clone(config)),
            tokens,
        })
    }

    /// Signs in the user of a phone with a right code, and ends the sessions `given_up`, which the request came with. A
    /// refusal takes as long for a phone that has a user as for one that has none.
    ///
    /// # Errors
    /// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], [`Error::UserNotFound`] (the code then stays good, for a
    /// registration), [`Error::AccountDeleted`] (it stays good for a restoration), [`Error::AccountDisabled`], or a backend.
    pub async fn sign_in(&self, call: &Call, attempt: Attempt, given_up: Vec<SessionId>) -> Result<SignedIn, Error> {
        let begin = Instant::now();
        let outcome = self.try_to_sign_in(call, attempt, given_up, begin + OPENED).await;
        if matches!(outcome, Err(Error::VeriCodeWrong | Error::TooManyRequests { .. })) {
            tokio::time::sleep(rest_of_refusal(begin.elapsed())).await;
        }
        outcome
    }

    /// Judges the code while the user is looked up, then uses the code up and opens the session in one step: a fault of
    /// ours before that step leaves the code as it was.
    async fn try_to_sign_in(
        &self,
        call: &Call,
        attempt: Attempt,
        given_up: Vec<SessionId>,
        deadline: Instant,
    ) -> Result<SignedIn, Error> {
        let Attempt { phone, veri_code, restore } = attempt;
        let (attempt, user) = tokio::join!(self.codes.look(call, &phone, &veri_code), self.users.row(&phone));
        let (attempt, user) = (attempt?, user?);
        let standing = attempt.of_user(user.as_ref());
        let is_live = user.as_ref().is_some_and(|user| !user.is_disabled && !user.is_delete);
        if !is_live || !self.codes.is_promising(&attempt, standing) {
            // The code first: a wrong one must not show whether the phone has a user.
            self.codes.verify(call, &attempt, standing).await?;
        }
        let user = user.as_ref().ok_or(Error::UserNotFound)?;
        if user.is_disabled {
            return Err(Error::AccountDisabled);
        }
        let restored = if user.is_delete { Some(self.restored(call, user, restore).await?) } else { None };
        let user = restored.as_ref().unwrap_or(user);
        let token = self.tokens.sign(call, &Bearer { user_id: user.id, role: user.role, epoch: user.epoch }).await?;
        let device = self.codes.device_token(call, &phone, user.id, user.epoch, call.now.millis()).await?;
        let code = self.codes.code_try(call, &attempt, standing)?;
        let (session, (), (), network) = tokio::join!(
            self.sessions.open(call, &code, user, deadline),
            self.codes.record_use(&attempt, standing),
            self.sessions.discard(&given_up),
            self.tokens.network(call)
        );
        let (token, expires_in) = (token.token, token.expires_in);
        let reply = LoginReply { user_id: user.id, token, expires_in, device, session: None };
        let credential = Credential::VeriCode { id: session? };
        let phone = Some(user.phone.clone());
        let principal =
            Principal { user_id: user.id, role: user.role, epoch: user.epoch, credential, phone, left: None, network };
        Ok(SignedIn { principal, reply })
    }

    /// A deleted user whose right code has been judged, after its restoration. The code is not used up yet.
    ///
    /// # Errors
    /// [`Error::AccountDeleted`] when a restoration is possible and not wanted; [`Error::UserNotFound`] when it is not possible.
    async fn restored(&self, call: &Call, user: &User, is_wanted: bool) -> Result<User, Error> {
        let now = call.now.timestamp().as_millisecond();
        if last_chance(&self.config, user).is_none_or(|last| last <= now) {
            return Err(Error::UserNotFound);
        }
        if !is_wanted {
            return Err(Error::AccountDeleted { restore_until: restore_until(&self.config, user) });
        }
        let by = ChangedBy { user_id: Some(user.id), ..ChangedBy::applicant(call) };
        let change = Change::new(&by, call.now.timestamp()).of_user(user.id).of_epoch(user.epoch);
        let change = change.restored(user.id).raising_epoch();
        let restored = match self.users.change(&user.phone, change).await? {
            Some(restored) => restored,
            // Another request has restored it, an admin has deleted it for good, or the job `daily` has erased it.
            None => self.users.by_phone(&user.phone).await?.ok_or(Error::UserNotFound)?,
        };
        if restored.is_disabled {
            return Err(Error::AccountDisabled);
        }
        self.sessions.raise_epoch(call, &restored).await?;
        Ok(restored)
    }
}

/// How long a refusal waits, after it has taken `elapsed`.
fn rest_of_refusal(elapsed: Duration) -> Duration {
    let parts = elapsed.as_nanos().div_ceil(REFUSAL.as_nanos()).max(1);
    REFUSAL.saturating_mul(u32::try_from(parts).unwrap_or(u32::MAX)).saturating_sub(elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_takes_a_multiple_of_its_time() {
        for (elapsed_us, takes_ms) in [(0, 25), (1, 25), (7_300, 25), (25_000, 25), (25_001, 50), (74_999, 75)] {
            let elapsed = Duration::from_micros(elapsed_us);
            assert_eq!(elapsed + rest_of_refusal(elapsed), Duration::from_millis(takes_ms), "{elapsed_us}");
        }
    }
}
