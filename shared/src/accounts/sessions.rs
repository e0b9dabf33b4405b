//! Sessions: how they are opened, found and ended, and who comes with one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::timeout_at;

use super::session_data::SessionData;
use super::tokens::Tokens;
use crate::aws::{Clients, SecretKeys};
use crate::cache::{Cache, CodeTry, Epoch, FoundSession, NewSession, SessionKey, SessionLife, slot_of};
use crate::config::Config;
use crate::error::{Error, StartError, TokenFault};
use crate::jwt::Bearer;
use crate::models::call::Call;
use crate::models::phone::Phone;
use crate::models::principal::{Credential, Principal};
use crate::models::role::Role;
use crate::models::session_id::SessionId;
use crate::models::user::User;
use crate::verification::{may_try, verdict};

/// The credentials of a request. The first that is good counts: the token, then the sessions in their order.
#[derive(Default)]
pub struct Credentials {
    /// A JSON web token.
    pub token: Option<String>,
    /// Session ids that could be ours.
    pub sessions: Vec<SessionId>,
}

/// How long finding a session may take: a little more than one access to the cache, so that this one's own limit counts.
const FOUND: Duration = Duration::from_millis(950);

/// The sessions of a stage.
pub struct Sessions {
    cache: Cache,
    config: Arc<Config>,
}

impl Sessions {
    /// Sessions in `cache`.
    #[must_use]
    pub fn new(cache: Cache, config: Arc<Config>) -> Self {
        Self { cache, config }
    }

    /// Opens a session for a user if `code` is right; always a new one, whatever the client sent. The step that judges
    /// the code uses it up. If the cache does not answer it is repeated until `deadline`: it may have been done, and the code would be
    /// used up for nothing.
    ///
    /// # Errors
    /// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], or [`Error::Redis`].
    pub async fn open(
        &self,
        call: &Call,
        code: &CodeTry<'_>,
        user: &User,
        deadline: Instant,
    ) -> Result<SessionId, Error> {
        let id = SessionId::new(&slot_of(user.phone.e164()))?;
        let value = SessionData {
            user_id: user.id,
            role: user.role,
            epoch: user.epoch,
            opened_at: Some(call.now.secs()),
            phone: Some(user.phone.e164().to_owned()),
            left: None,
            client: call.client.clone(),
            network: call.network.masked(),
        }
        .write()?;
        let session = NewSession { key: key(&id), value: &value, ttl_secs: self.config.session.ttl_secs };
        let life = self.life(call);
        // A session that is not among those of its user is as good as others, and ends like them.
        let (judgement, _) = tokio::join!(
            self.cache.open_session(code, &session),
            self.cache.record_session(&session.key, (user.id, user.epoch), &life)
        );
        let judgement = match judgement {
            Err(error @ Error::Redis(_)) => {
                let again = timeout_at(deadline.into(), self.cache.open_session(code, &session)).await;
                again.unwrap_or(Err(error))
            }
            judgement => judgement,
        };
        verdict(judgement?)?;
        Ok(id)
    }

    /// Ends sessions that a client gives up, by one round trip. If it fails they end by themselves.
    pub async fn discard(&self, ids: &[SessionId]) {
        let keys: Vec<_> = ids.iter().map(key).collect();
        drop(self.cache.discard_sessions(&keys).await);
    }

    /// Who comes with one of `ids`. All are asked for at once, and their lives are renewed by the round trip that finds
    /// them.
    ///
    /// # Errors
    /// [`Error::NotLoggedIn`], [`Error::AccountDisabled`], or [`Error::Redis`].
    async fn find(&self, call: &Call, ids: Vec<SessionId>) -> Result<Principal, Error> {
        let life = self.life(call);
        let found =
            join_all(ids.iter().map(async |id| self.of_now(id, self.cache.touch_session(&key(id), &life).await).await));
        // With the second step of a session that a change of phone has kept.
        let found = self.cache.within(FOUND, found).await?;
        first_good(ids, found)
    }

    /// Ends all of `ids`, by the round trip that finds them; whose the first good one was.
    ///
    /// # Errors
    /// As [`Self::find`].
    async fn end(&self, ids: Vec<SessionId>) -> Result<Principal, Error> {
        let found =
            join_all(ids.iter().map(async |id| self.of_now(id, self.cache.end_session(&key(id)).await).await)).await;
        first_good(ids, found)
    }

    /// What was found of a session. If its user has changed the phone, the epoch for tokens is asked too, which costs a step.
    async fn of_now(&self, id: &SessionId, found: Result<FoundSession, Error>) -> Result<FoundSession, Error> {
        let found = found?;
        let FoundSession::Good { value, .. } = &found else { return Ok(found) };
        let Ok(data) = serde_json::from_str::<SessionData>(value) else { return Ok(found) };
        if !data.has_moved(id) {
            return Ok(found);
        }
        match self.cache.epoch_of(data.user_id).await? {
            Some(raised) if raised.number > data.epoch => {
                self.discard(std::slice::from_ref(id)).await;
                Ok(if raised.is_disabled { FoundSession::Disabled } else { FoundSession::None })
            }
            _ => Ok(found),
        }
    }

    /// Raises the copies of a user's epoch to that of the row: from then on no session and no token holds that was made before.
    ///
    /// # Errors
    /// [`Error::Redis`]: old credentials may still be good.
    pub(super) async fn raise_epoch(&self, call: &Call, user: &User) -> Result<(), Error> {
        self.raise_epoch_at(call, user, &[user.phone.e164()]).await
    }

    /// The same where the user had sessions under several phones.
    async fn raise_epoch_at(&self, call: &Call, user: &User, phones: &[&str]) -> Result<(), Error> {
        let epoch = Epoch { number: user.epoch, is_disabled: user.is_disabled };
        let now = call.now.secs();
        self.cache.raise_epoch(phones, user.id, epoch, (now, now + self.config.longest_credential_secs())).await
    }

    /// What follows a change of phone: this session is stamped anew, and every other one ends, in the slots of both phones.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub(super) async fn keep_moved(&self, call: &Call, id: &SessionId, user: &User, old: &Phone) -> Result<(), Error> {
        let (session, slot, phones) = (key(id), slot_of(user.phone.e164()), [user.phone.e164(), old.e164()]);
        // The session first: a multiplexed connection keeps the order, and no other request meets it older than its user.
        let (stamped, raised, recorded) = tokio::join!(
            self.cache.stamp_session(&session, user, Some(old)),
            self.raise_epoch_at(call, user, &phones),
            async {
                let is_elsewhere = slot != session.slot;
                let life = self.life(call);
                let record = self.cache.record_kept(&slot, user.id, &session, &life);
                if is_elsewhere { record.await } else { Ok(()) }
            }
        );
        stamped.and(raised).and(recorded)
    }

    /// Raises the epoch as above, but for this session, which gets the rights of now.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn keep_alone(&self, call: &Call, id: &SessionId, user: &User) -> Result<(), Error> {
        let session = key(id);
        let (stamped, raised) =
            tokio::join!(self.cache.stamp_session(&session, user, None), self.raise_epoch(call, user));
        stamped.and(raised)
    }

    fn life(&self, call: &Call) -> SessionLife {
        let settings = &self.config.session;
        SessionLife { now_secs: call.now.secs(), ttl_secs: settings.ttl_secs, max_age_secs: settings.max_age_secs }
    }
}

pub(super) fn key(id: &SessionId) -> SessionKey {
    SessionKey { slot: id.slot().to_owned(), hash: id.hash() }
}

/// The first good session; without one the fault that says most.
fn first_good(ids: Vec<SessionId>, found: Vec<Result<FoundSession, Error>>) -> Result<Principal, Error> {
    let mut outcome = Error::NotLoggedIn;
    for (id, found) in ids.into_iter().zip(found) {
        match found {
            Ok(FoundSession::Good { value, renews_cookie }) => {
                let Ok(data) = serde_json::from_str::<SessionData>(&value) else { continue };
                let credential = Credential::Session { id, renews_cookie };
                let SessionData { user_id, role, epoch, phone, left, .. } = data;
                let [phone, left] = [phone, left].map(|phone| phone.map(Phone::stored));
                return Ok(Principal { user_id, role, epoch, credential, phone, left, network: None });
            }
            Ok(FoundSession::Disabled) if matches!(outcome, Error::NotLoggedIn) => outcome = Error::AccountDisabled,
            Ok(_) => {}
            Err(error) => outcome = error,
        }
    }
    Err(outcome)
}

/// What finds out who sends a request.
pub struct Authenticator {
    cache: Cache,
    sessions: Sessions,
    tokens: Tokens,
}

impl Authenticator {
    /// Opens the cache, and reads the keys of tokens.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let (cache, tokens) = tokio::try_join!(Cache::connect(clients), Tokens::connect(clients))?;
        Ok(Self::new(clients, cache, tokens))
    }

    /// The same, and the keys of verification codes.
    ///
    /// # Errors
    /// What stops the cold start.
    pub(super) async fn connect_with_codes(clients: &Clients) -> Result<(Self, SecretKeys), StartError> {
        let (cache, (tokens, keys)) = tokio::try_join!(Cache::connect(clients), Tokens::connect_with_codes(clients))?;
        Ok((Self::new(clients, cache, tokens), keys))
    }

    fn new(clients: &Clients, cache: Cache, tokens: Tokens) -> Self {
        let sessions = Sessions::new(cache.clone(), Arc::clone(&clients.config));
        Self { cache, sessions, tokens }
    }

    /// The cache that it asks.
    pub(super) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The sessions that it finds.
    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// What signs and verifies tokens.
    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Who sends a request with these credentials. A good token is found without a round trip; else the sessions are tried.
    ///
    /// # Errors
    /// [`Error::Token`] if no credential is good and a token is among them, [`Error::NotLoggedIn`],
    /// [`Error::AccountDisabled`], or a backend.
    pub async fn identify(&self, call: &Call, credentials: Credentials) -> Result<Principal, Error> {
        let Credentials { token, sessions } = credentials;
        let network = self.tokens.network(call).await;
        let verified = match &token {
            Some(token) => self.tokens.verify(call, token).await.map_err(Some),
            None => Err(None),
        };
        match verified {
            Ok(bearer) => {
                let credential = Credential::Token { sessions };
                let Bearer { user_id, role, epoch } = bearer;
                Ok(Principal { user_id, role, epoch, credential, phone: None, left: None, network })
            }
            Err(refusal) => self.find(call, sessions, refusal, network).await,
        }
    }

    /// Who sends a request that only a session may send. A token is not looked at.
    ///
    /// # Errors
    /// [`Error::NotLoggedIn`], [`Error::AccountDisabled`], or [`Error::Redis`].
    pub async fn by_session(&self, call: &Call, credentials: Credentials) -> Result<Principal, Error> {
        let network = self.tokens.network(call).await;
        self.find(call, credentials.sessions, None, network).await
    }

    /// The same of a request that a code will confirm: whether the address may try codes is asked beside the session.
    ///
    /// # Errors
    /// [`Error::NotLoggedIn`], [`Error::AccountDisabled`], [`Error::TooManyRequests`], or [`Error::Redis`].
    pub async fn by_session_to_confirm(&self, call: &Call, credentials: Credentials) -> Result<Principal, Error> {
        if credentials.sessions.is_empty() {
            return Err(Error::NotLoggedIn);
        }
        let (principal, limit) =
            tokio::join!(self.by_session(call, credentials), may_try(&self.cache, &self.sessions.config, call));
        let principal = principal?;
        limit.map(|()| principal)
    }

    /// Who sends a request that only an admin may send, by the rights of now.
    ///
    /// # Errors
    /// [`Error::Forbidden`], and as [`Self::identify`]; [`Error::Redis`] also of a token.
    pub async fn admin(&self, call: &Call, credentials: Credentials) -> Result<Principal, Error> {
        let principal = self.identify(call, credentials).await?;
        let principal = self.confirm_strictly(call, principal).await?;
        if principal.role == Role::Admin { Ok(principal) } else { Err(Error::Forbidden) }
    }

    /// Whether the rights of a token still hold. If not, the sessions that came along are tried. When the cache does not
    /// answer, a token has the rights of a user.
    ///
    /// # Errors
    /// As [`Self::identify`].
    pub(super) async fn confirm(&self, call: &Call, principal: Principal) -> Result<Principal, Error> {
        match self.confirm_epoch(&principal).await {
            Err(Error::Redis(_)) => Ok(Principal { role: Role::User, ..principal }),
            Err(refusal) => self.instead(call, principal, refusal).await,
            Ok(()) => Ok(principal),
        }
    }

    /// The same for a request that changes something: a cache that does not answer refuses it.
    ///
    /// # Errors
    /// As [`Self::identify`]; [`Error::Redis`] also of a token.
    pub(super) async fn confirm_strictly(&self, call: &Call, principal: Principal) -> Result<Principal, Error> {
        match self.confirm_epoch(&principal).await {
            Err(error @ Error::Redis(_)) => Err(error),
            Err(refusal) => self.instead(call, principal, refusal).await,
            Ok(()) => Ok(principal),
        }
    }

    /// Who comes with the sessions beside a token that is refused.
    ///
    /// # Errors
    /// The refusal, unless one of the sessions is good.
    pub(super) async fn instead(&self, call: &Call, refused: Principal, refusal: Error) -> Result<Principal, Error> {
        let Credential::Token { sessions } = refused.credential else { return Err(refusal) };
        self.find(call, sessions, Some(refusal), refused.network).await
    }

    /// The principal of the session that a request brings, which may bring a token too.
    ///
    /// # Errors
    /// [`Error::NotLoggedIn`], [`Error::AccountDisabled`], or [`Error::Redis`].
    pub(super) async fn instead_of_token(&self, call: &Call, principal: Principal) -> Result<Principal, Error> {
        match principal.credential {
            Credential::Token { .. } => self.instead(call, principal, Error::NotLoggedIn).await,
            Credential::Session { .. } | Credential::VeriCode { .. } => Ok(principal),
        }
    }

    /// A session was compared with the epoch when it was found.
    async fn confirm_epoch(&self, principal: &Principal) -> Result<(), Error> {
        let Credential::Token { .. } = principal.credential else { return Ok(()) };
        match self.cache.epoch_of(principal.user_id).await? {
            Some(raised) if raised.number > principal.epoch && raised.is_disabled => Err(Error::AccountDisabled),
            Some(raised) if raised.number > principal.epoch => Err(Error::Token(TokenFault::Unacceptable)),
            _ => Ok(()),
        }
    }

    /// Ends all sessions of the credentials. A token has none.
    ///
    /// # Errors
    /// [`Error::NotLoggedIn`] if none was good, [`Error::AccountDisabled`], or [`Error::Redis`].
    pub async fn end(&self, call: &Call, credentials: Credentials) -> Result<Principal, Error> {
        let principal = self.sessions.end(credentials.sessions).await?;
        Ok(Principal { network: self.tokens.network(call).await, ..principal })
    }

    /// By session, perhaps after a token was refused.
    async fn find(
        &self,
        call: &Call,
        sessions: Vec<SessionId>,
        refusal: Option<Error>,
        network: Option<String>,
    ) -> Result<Principal, Error> {
        match (self.sessions.find(call, sessions).await, refusal) {
            (Ok(principal), _) => Ok(Principal { network, ..principal }),
            (Err(Error::NotLoggedIn), Some(refusal)) => Err(refusal),
            (Err(error), _) => Err(error),
        }
    }
}

impl AsRef<Self> for Authenticator {
    fn as_ref(&self) -> &Self {
        self
    }
}
