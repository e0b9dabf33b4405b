//! Signing in: a right code of a live user becomes a session and a token.

use std::sync::Arc;

use serde::Serialize;

use super::sessions::Sessions;
use super::tokens::Tokens;
use crate::aws::{Clients, SecretKeys};
use crate::cache::Cache;
use crate::db::{Database, Users};
use crate::error::{Error, StartError};
use crate::models::call::Call;
use crate::models::params::{Fields, Params, Required};
use crate::models::phone::Phone;
use crate::models::session_id::SessionId;
use crate::models::user::UserId;
use crate::models::veri_code::VeriCode;
use crate::verification::Codes;

/// A phone and the code that it received.
pub struct Attempt {
    phone: Phone,
    veri_code: VeriCode,
}

impl Params for Attempt {
    fn required() -> Required {
        Required::OneByOne(&["phone", "veri_code"])
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let phone = fields.read("phone");
        let veri_code = fields.read("veri_code");
        Some(Self { phone: phone?, veri_code: veri_code? })
    }
}

/// A user who has just signed in.
pub struct SignedIn {
    /// For the cookie.
    pub session: SessionId,
    /// For the client.
    pub reply: LoginReply,
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
}

impl LoginReply {
    /// For the cookie of the device.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }
}

/// What a login needs.
pub struct Login {
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
        let (cache, keys, tokens, database) = tokio::try_join!(
            Cache::connect(clients),
            SecretKeys::connect(clients, &config.secrets.veri_code),
            Tokens::connect(clients),
            Database::connect(clients)
        )?;
        Ok(Self {
            users: Users::new(&database, config)?,
            codes: Codes::new(cache.clone(), keys, Arc::clone(config)),
            sessions: Sessions::new(cache, Arc::clone(config)),
            tokens,
        })
    }

    /// Asks the address's limit while the user is looked up, then judges the code, uses it up and opens the session in one
    /// step: a fault of ours before that step leaves the code as it was.
    ///
    /// A code that will be refused takes the same way whether or not the phone has a user.
    ///
    /// # Errors
    /// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], [`Error::UserNotFound`] (the code then stays good, for a
    /// registration), or a backend.
    pub async fn sign_in(&self, call: &Call, attempt: Attempt) -> Result<SignedIn, Error> {
        let Attempt { phone, veri_code } = attempt;
        let (attempt, user) = tokio::join!(self.codes.look(call, &phone, &veri_code), self.users.by_phone(&phone));
        let (attempt, user) = (attempt?, user?);
        let standing = attempt.of_user(user.as_ref());
        if user.is_none() || !self.codes.is_promising(&attempt, standing) {
            self.codes.verify(call, &attempt, standing).await?;
        }
        let Some(user) = &user else { return Err(Error::UserNotFound) };
        let token = self.tokens.sign(call, user).await?;
        let device = self.codes.device_token(call, &phone, user.id, user.epoch, call.now.millis()).await?;
        let code = self.codes.code_try(call, &attempt, standing)?;
        let (session, ()) = tokio::join!(self.sessions.open(&code, user), self.codes.record_use(&attempt, standing));
        let reply = LoginReply { user_id: user.id, token: token.token, expires_in: token.expires_in, device };
        Ok(SignedIn { session: session?, reply })
    }
}
