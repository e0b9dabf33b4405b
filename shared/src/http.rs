//! The wire: requests as handlers see them, and the envelope of every reply. It knows HTTP, and nothing of Lambda.

mod auth;
mod body;
mod cookie;
mod envelope;
mod headers;
mod language;
pub mod reply;
mod request;
mod site;

pub(crate) use self::cookie::{device_cookie, expired_cookie, session_cookie};
pub use self::envelope::explain;
pub(crate) use self::envelope::{code, seal};
pub(crate) use self::headers::joined;
pub use self::reply::{Reply, Success};
pub use self::request::Request;
pub(crate) use self::request::{BODY_LIMIT_BYTES, FrontInfo};
pub(crate) use self::site::Site;
