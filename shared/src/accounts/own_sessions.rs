//! What users see of their own sessions, and how they end them.

use serde::Serialize;
use serde_json::Value;

use super::confirmed::in_time;
use super::own::OwnRow;
use super::session_data::SessionData;
use super::sessions::{Authenticator, key};
use crate::aws::Clients;
use crate::cache::{Cache, ListedSession, SessionKey, slot_of};
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Reason, StartError};
use crate::models::call::Call;
use crate::models::params::{Field, Fields, Params, Required, Rules};
use crate::models::phone::Phone;
use crate::models::principal::{Credential, Principal};

/// Characters of the name of a session: two of its slot, then the SHA-256 of its id. The id itself cannot be found from it.
const NAME: usize = 66;

/// The session that a client names. `None`: no session can have that name.
struct SessionName(Option<SessionKey>);

impl Field for SessionName {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        let text = value.as_str().ok_or(Reason::NotText)?;
        let is_name = text.len() == NAME && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let (slot, hash) = if is_name { text.split_at(2) } else { return Ok(Self(None)) };
        Ok(Self(Some(SessionKey { slot: slot.to_owned(), hash: hash.to_owned() })))
    }
}

/// Which sessions end.
pub struct Ended {
    session: Option<SessionName>,
    others: bool,
}

impl Params for Ended {
    fn required() -> Required {
        Required::Nothing
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let session = fields.read_optional("id");
        let others = fields.read_flag("others");
        Some(Self { session: session?, others: others? == Some(true) })
    }
}

/// A session as its user sees it.
#[derive(Serialize)]
pub struct OwnSession {
    /// The name, by which it can be ended. It opens nothing.
    id: String,
    /// Whether it is the one that the request came with.
    current: bool,
    opened_at: String,
    /// When it was used last; in the last day of its age, when at the earliest.
    seen_at: String,
    /// What the client called itself.
    client: String,
    /// Where it was opened, without the last part.
    network: String,
}

/// What looking at sessions and ending them needs.
pub struct OwnSessions(OwnRow);

impl OwnSessions {
    /// Opens all that it needs, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        OwnRow::connect(clients).await.map(Self)
    }

    /// The caller's sessions, newest first.
    ///
    /// # Errors
    /// A credential that is no longer good, or a backend.
    pub async fn list(&self, call: &Call, principal: Principal) -> Result<Vec<OwnSession>, Error> {
        in_time(self.0.authenticator().cache(), Error::Redis, Box::pin(self.try_to_list(call, principal))).await
    }

    async fn try_to_list(&self, call: &Call, principal: Principal) -> Result<Vec<OwnSession>, Error> {
        let (principal, phone) = match principal {
            Principal { phone: Some(ref phone), .. } => {
                let phone = phone.clone();
                (principal, phone)
            }
            principal => {
                let (user, principal) = self.0.find(call, principal).await?;
                (principal, user.phone)
            }
        };
        list(self.0.authenticator().cache(), &self.0.config, call, &principal, &phone).await
    }

    /// Ends one session of the caller, or all but the one that the request came with. One that there is not has ended.
    ///
    /// # Errors
    /// [`Error::MissingOne`]; [`Error::NotLoggedIn`] when a token wants to end the others; a credential that is no longer good,
    /// or a backend.
    pub async fn end(&self, call: &Call, ended: Ended, principal: Principal) -> Result<(), Error> {
        in_time(self.0.authenticator().cache(), Error::Redis, Box::pin(self.try_to_end(call, ended, principal))).await
    }

    async fn try_to_end(&self, call: &Call, ended: Ended, principal: Principal) -> Result<(), Error> {
        let authenticator = self.0.authenticator();
        match ended {
            Ended { others: true, .. } => self.end_others(call, principal).await,
            Ended { session: None, .. } => Err(Error::MissingOne("id")),
            Ended { session: Some(SessionName(name)), .. } => {
                let principal = authenticator.confirm_strictly(call, principal).await?;
                match name {
                    Some(session) => authenticator.cache().drop_session(&session, principal.user_id).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// Raises the epoch, which ends every session and token, and gives the caller's session the new one.
    async fn end_others(&self, call: &Call, principal: Principal) -> Result<(), Error> {
        let authenticator = self.0.authenticator();
        let principal = authenticator.instead_of_token(call, principal).await?;
        let Credential::Session { id, .. } = &principal.credential else { return Err(Error::NotLoggedIn) };
        let (id, phone, raised) = (id.clone(), principal.phone.clone(), principal.epoch + 1);
        // With the epoch: a later change of rights ends this session too.
        let kept = format!("{raised}:{}", id.hash());
        let user = match (self.0.change(call, principal, |row| row.raising_epoch().keeping(&kept)).await, phone) {
            // By the same request, whose process was lost before it stamped the session, or by one sent beside this one.
            (Err(Error::NotLoggedIn), Some(phone)) => {
                self.0.users().kept(&phone, raised, &kept).await?.ok_or(Error::NotLoggedIn)
            }
            (changed, _) => changed,
        };
        authenticator.sessions().keep_alone(call, &id, &user?).await
    }
}

/// The sessions of a caller whose user has this phone, newest first. They lie in the slot of the phone; the caller's own is in
/// another one if the phone has changed since it was opened.
pub(super) async fn list(
    cache: &Cache,
    config: &Config,
    call: &Call,
    principal: &Principal,
    phone: &Phone,
) -> Result<Vec<OwnSession>, Error> {
    let current = match &principal.credential {
        Credential::Session { id, .. } => Some(key(id)),
        Credential::Token { .. } | Credential::VeriCode { .. } => None,
    };
    let slot = slot_of(phone.e164());
    let mut found = cache.sessions_of(&slot, principal.user_id).await?;
    if let Some(own) = current.as_ref().filter(|own| own.slot != slot) {
        let elsewhere = cache.sessions_of(&own.slot, principal.user_id).await?;
        found.extend(elsewhere.into_iter().filter(|other| other.key == *own));
    }
    let mut sessions: Vec<(u64, SessionKey, OwnSession)> = Vec::new();
    for ListedSession { key, value, left_secs } in found {
        let Ok(data) = serde_json::from_str::<SessionData>(&value) else { continue };
        let is_good = data.user_id == principal.user_id && data.epoch >= principal.epoch;
        if !is_good || sessions.iter().any(|(_, known, _)| *known == key) {
            continue;
        }
        // Each use sets the time to live anew.
        let seen = (call.now.secs() + left_secs).saturating_sub(config.session.ttl_secs);
        let opened = data.opened_at.unwrap_or(seen);
        let session = OwnSession {
            id: format!("{}{}", key.slot, key.hash),
            current: current.as_ref() == Some(&key),
            opened_at: time(opened, config),
            seen_at: time(seen.max(opened), config),
            client: data.client,
            network: data.network,
        };
        sessions.push((opened, key, session));
    }
    sessions.sort_by_key(|(opened, ..)| std::cmp::Reverse(*opened));
    Ok(sessions.into_iter().map(|(.., session)| session).collect())
}

fn time(secs: u64, config: &Config) -> String {
    clock::display(i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(1000), &config.zone)
}

impl AsRef<Authenticator> for OwnSessions {
    fn as_ref(&self) -> &Authenticator {
        self.0.authenticator()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_that_no_session_can_have_names_none() {
        let name = |text: &str| SessionName::parse(&json!(text), &Rules::sample()).unwrap().0;
        let good = format!("3f{}", "0a".repeat(32));
        let SessionKey { slot, hash } = name(&good).unwrap();
        assert_eq!((slot.as_str(), hash.len()), ("3f", 64));
        for text in ["x", &good[1..], &good.replace('a', "A"), &format!("{good}0"), &"é".repeat(33)] {
            assert!(name(text).is_none(), "{text}");
        }
        assert!(SessionName::parse(&json!(7), &Rules::sample()).is_err());
    }
}
