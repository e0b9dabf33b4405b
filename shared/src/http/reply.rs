//! What a handler returns.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::error::{Cause, Error};
use crate::models::principal::Principal;

/// What a handler returns.
pub type Reply = Result<Success, Error>;

/// A reply with code 0.
pub struct Success {
    pub(super) data: Option<Box<RawValue>>,
    pub(super) page: Option<Page>,
    session: Option<SessionChange>,
    device: Option<String>,
}

/// What a list adds to the envelope.
#[derive(Serialize)]
pub(super) struct Page {
    /// Null on the last page.
    next: Option<String>,
}

/// What a reply changes in the session of a browser.
pub(crate) enum SessionChange {
    /// The browser gets that of this principal.
    Opened(Principal),
    /// The browser forgets its own.
    Ended,
}

/// Success with `data`.
///
/// # Errors
/// [`Error::Internal`] when `data` cannot be written as JSON.
pub fn ok(data: &impl Serialize) -> Reply {
    let data = to_raw_value(data).map_err(|cause| Error::Internal(Cause::of(&cause)))?;
    Ok(Success { data: Some(data), page: None, session: None, device: None })
}

/// Success without data: `"data": ""`.
///
/// # Errors
/// None; the type is the one that a handler returns.
pub fn done() -> Reply {
    Ok(Success { data: None, page: None, session: None, device: None })
}

/// Success with one page of a list and the cursor of the next page, if there is one.
///
/// # Errors
/// [`Error::Internal`] when `rows` cannot be written as JSON.
pub fn page(rows: &impl Serialize, next: Option<String>) -> Reply {
    let mut success = ok(rows)?;
    success.page = Some(Page { next });
    Ok(success)
}

impl Success {
    /// Gives a browser the cookie of the session that this principal has opened.
    #[must_use]
    pub fn with_session(mut self, principal: Principal) -> Self {
        self.session = Some(SessionChange::Opened(principal));
        self
    }

    /// Makes a browser forget the cookie of its session.
    #[must_use]
    pub fn without_session(mut self) -> Self {
        self.session = Some(SessionChange::Ended);
        self
    }

    /// Makes a browser a known device by the cookie of this token.
    #[must_use]
    pub fn with_device(mut self, token: Option<&str>) -> Self {
        self.device = token.map(str::to_owned);
        self
    }

    /// The token for the device's cookie.
    pub(crate) fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// What the handler chose for the session's cookie.
    pub(crate) fn session_change(&self) -> Option<&SessionChange> {
        self.session.as_ref()
    }
}
