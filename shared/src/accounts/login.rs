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

    /// Judges the code while the user is looked up, then uses the code up and opens the session in one step: a fault of
    /// ours before that step leaves the code as it was.
    ///
    /// # Errors
    /// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], [`Error::UserNotFound`] (the code then stays good, for a
    /// registration), or a backend.
    pub async fn sign_in(&self, call: &Call, attempt: Attempt) -> Result<SignedIn, Error> {
        let Attempt { phone, veri_code } = attempt;
        let (proof, user) = tokio::join!(self.codes.verify(call, &phone, &veri_code), self.users.by_phone(&phone));
        // The code first: a wrong one must not show whether the phone has a user, and a fault does not hide a limit.
        let proof = proof?;
        let user = user?.ok_or(Error::UserNotFound)?;
        let token = self.tokens.sign(call, &user).await?;
        let (session, ()) =
            tokio::join!(self.sessions.open(call, &proof, &user), self.codes.record_use(&phone, &proof));
        let reply = LoginReply { user_id: user.id, token: token.token, expires_in: token.expires_in };
        Ok(SignedIn { session: session?, reply })
    }
}
