//! What can go wrong, in the words of the domain. Numbers and sentences for clients are chosen in
//! `http::envelope`; causes are for the log alone.

mod panic;

use std::fmt;

pub(crate) use self::panic::catch_unwind;
pub use self::panic::{catch_panic, remember_panics};

/// Everything a request can end with instead of success.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A JSON web token that does not let its bearer in.
    #[error("token refused: {0:?}")]
    Token(TokenFault),
    /// No credential at all, or a session that is unknown or has ended.
    #[error("not logged in")]
    NotLoggedIn,
    /// A known caller who may not do this.
    #[error("forbidden")]
    Forbidden,
    /// A right code or a live credential of an account that an operator or an admin has disabled.
    #[error("the account is disabled")]
    AccountDisabled,
    /// A right code of an account that was deleted, and that its owner can restore.
    #[error("the account is deleted")]
    AccountDeleted {
        /// As clients see times.
        restore_until: String,
    },
    /// A page of another site made a browser send the request.
    #[error("a request of a page of another site")]
    CrossSite,
    /// The stage has a front of its own, and the request did not come by it.
    #[error("a request that did not come by the front")]
    PastOwnFront,
    /// The body is empty, broken or not a JSON object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// All parameters that are absent or falsy, for routes that name them together.
    #[error("missing: {0:?}")]
    Missing(Vec<&'static str>),
    /// The first parameter that is absent or falsy, for routes that name one at a time.
    #[error("missing first: {0}")]
    MissingOne(&'static str),
    /// Parameters that are present and cannot be accepted, each with the reason.
    #[error("invalid: {0:?}")]
    Invalid(Vec<(&'static str, Reason)>),
    /// A change of a profile that changes nothing.
    #[error("nothing to change")]
    NothingToChange,
    /// Registration of a phone that has a live user.
    #[error("the phone is taken")]
    PhoneTaken,
    /// A verification code that is wrong, used, expired or was never sent.
    #[error("wrong verification code")]
    VeriCodeWrong,
    /// A right code, but nobody registered with this phone.
    #[error("no such user")]
    UserNotFound,
    /// Any limit. The number is whole seconds, rounded up, until the same request may pass.
    #[error("too many requests, retry after {retry_after_secs} s")]
    TooManyRequests {
        /// Seconds from the request's time on; at least 1.
        retry_after_secs: u64,
    },
    /// No function takes this path.
    #[error("no such route")]
    NoRoute {
        /// The path as the client sent it, without the query.
        path: String,
    },
    /// The path exists, with another method.
    #[error("wrong method")]
    WrongMethod {
        /// The method that the client used.
        method: String,
        /// The path as the client sent it, without the query.
        path: String,
    },
    /// The body is larger than 64 KiB.
    #[error("the body is too large")]
    BodyTooLarge,
    /// The event is not one that a front makes of a request.
    #[error("not the event of a request: {0}")]
    BadEvent(Cause),
    /// A broken invariant of ours.
    #[error("internal: {0}")]
    Internal(Cause),
    /// An outbound HTTP call failed or timed out.
    #[error("http: {0}")]
    Http(Cause),
    /// DynamoDB failed or timed out.
    #[error("dynamodb: {0}")]
    Db(Cause),
    /// Redis failed or timed out.
    #[error("redis: {0}")]
    Redis(Cause),
    /// A panic that was caught; where it happened.
    #[error("panic at {0}")]
    Panic(Cause),
}

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// `exp` has passed.
    Expired,
    /// Not a token, or not signed with one of our keys.
    Unverified,
    /// Signed well, and still not acceptable: `alg`, `type`, `iss`, `nbf`, `aud` or a missing `exp`.
    Unacceptable,
}

/// Why a parameter was refused. Its sentence is chosen in `http::envelope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Has to be a string.
    NotText,
    /// Empty after trimming, or longer than so many Unicode scalars.
    Length(usize),
    /// Holds a control character, or one that changes the direction of what stands behind it.
    ControlCharacter,
    /// Has no character that is seen.
    Invisible,
    /// Half of a surrogate pair, a number beyond a double, a nesting without end.
    Unreadable,
    /// Has to be 1 or 2.
    NotAGender,
    /// Has to be a real date written as `YYYY-MM-DD`.
    NotADate,
    /// A date before 1900-01-01 or after today.
    DateOutOfRange,
    /// Not a number of any numbering plan we serve.
    NotAPhone,
    /// A number, but not one of a mobile phone.
    NotAMobile,
    /// A number of a region that this stage does not serve.
    RegionNotAllowed,
    /// Has to be six digits.
    NotACode,
    /// Has to be a whole number from 1 to so many.
    NotInRange(u32),
    /// Not a cursor that this service gave.
    NotACursor,
    /// Has to be true or false.
    NotAFlag,
    /// Not the id of a user.
    NotAnId,
    /// Has to be `user` or `admin`.
    NotARole,
    /// Has to be `live`, `disabled` or `deleted`.
    NotAState,
    /// Cannot stand beside that other parameter.
    NotBeside(&'static str),
    /// Has to be 1 to 255 printable ASCII characters.
    NotAKey,
}

/// The reason behind an error, for the log only. Digits that could be a phone or a code are taken out
/// when it is made, whatever a library put into its message.
#[derive(Clone)]
pub struct Cause(String);

impl Cause {
    /// The sentence of `cause` and of everything under it.
    pub fn of(cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut text = cause.to_string();
        let mut next = cause.source();
        while let Some(inner) = next {
            let sentence = inner.to_string();
            if !text.contains(&sentence) {
                text.push_str(": ");
                text.push_str(&sentence);
            }
            next = inner.source();
        }
        Self::new(&text)
    }

    /// A sentence of our own.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(crate::telemetry::scrub(text, 500))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a cold start failed. It ends the process, and its sentence is in the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    /// A sentence of our own.
    #[must_use]
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// The sentence of what stopped the start.
    pub fn of(cause: impl fmt::Display) -> Self {
        Self(cause.to_string())
    }
}
