//! Who may enter, as each `main` says it.

use std::future::Future;

use crate::accounts::sessions::Authenticator;
use crate::error::Error;
use crate::http::Request;
use crate::models::principal::Principal;

/// Who may enter an endpoint with the state `S`.
pub trait Access<S>: Send + Sync + 'static {
    /// What the handler knows of who is asking.
    type Principal: Send + 'static;

    /// Finds out who is asking, and whether they may enter.
    ///
    /// # Errors
    /// Why they may not enter.
    fn admit(&self, state: &S, request: &Request) -> impl Future<Output = Result<Self::Principal, Error>> + Send;

    /// Who is asking, for the log and for the cookie; nobody where anybody may.
    #[must_use]
    fn principal(_: &Self::Principal) -> Option<&Principal> {
        None
    }
}

/// Everybody.
pub struct Anyone;

/// Callers with a session or a token.
pub struct SignedIn;

/// Callers with a session. Tokens are refused.
pub struct BySession;

/// Callers with a session, whose request carries a verification code: the limit of the address is checked beside the session.
pub struct ConfirmsByCode;

/// Callers with a session or a token who are admins now.
pub struct Admin;

/// Callers with a session; tokens are refused. All sessions of the request have ended when the handler begins: the round trip that
/// finds them ends them.
pub struct EndsSession;

impl<S: Sync> Access<S> for Anyone {
    type Principal = ();

    async fn admit(&self, _: &S, _: &Request) -> Result<(), Error> {
        Ok(())
    }
}

impl<S: AsRef<Authenticator> + Sync> Access<S> for SignedIn {
    type Principal = Principal;

    async fn admit(&self, state: &S, request: &Request) -> Result<Principal, Error> {
        state.as_ref().identify(&request.call, request.credentials()).await
    }

    fn principal(principal: &Principal) -> Option<&Principal> {
        Some(principal)
    }
}

impl<S: AsRef<Authenticator> + Sync> Access<S> for BySession {
    type Principal = Principal;

    async fn admit(&self, state: &S, request: &Request) -> Result<Principal, Error> {
        state.as_ref().by_session(&request.call, request.credentials()).await
    }

    fn principal(principal: &Principal) -> Option<&Principal> {
        Some(principal)
    }
}

impl<S: AsRef<Authenticator> + Sync> Access<S> for ConfirmsByCode {
    type Principal = Principal;

    async fn admit(&self, state: &S, request: &Request) -> Result<Principal, Error> {
        state.as_ref().by_session_to_confirm(&request.call, request.credentials()).await
    }

    fn principal(principal: &Principal) -> Option<&Principal> {
        Some(principal)
    }
}

impl<S: AsRef<Authenticator> + Sync> Access<S> for Admin {
    type Principal = Principal;

    async fn admit(&self, state: &S, request: &Request) -> Result<Principal, Error> {
        state.as_ref().admin(&request.call, request.credentials()).await
    }

    fn principal(principal: &Principal) -> Option<&Principal> {
        Some(principal)
    }
}

impl<S: AsRef<Authenticator> + Sync> Access<S> for EndsSession {
    type Principal = Principal;

    async fn admit(&self, state: &S, request: &Request) -> Result<Principal, Error> {
        state.as_ref().end(&request.call, request.credentials()).await
    }

    fn principal(principal: &Principal) -> Option<&Principal> {
        Some(principal)
    }
}
