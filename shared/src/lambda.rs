//! What a `main` calls: cold start, dispatch, panics, and one line in the log for each call.

mod access;
mod adapter;
#[cfg(target_env = "musl")]
mod allocator;
mod call_log;
mod front;
mod http;
mod job;
mod own_front;
mod runtime;
mod stream;
mod task;

pub use ::http::Method;

pub use self::access::{Access, Admin, Anyone, BySession, ConfirmsByCode, EndsSession, SignedIn};
#[cfg(feature = "fuzz")]
pub(crate) use self::adapter::request_of;
pub use self::http::{http, not_found};
pub use self::job::job;
#[cfg(feature = "fuzz")]
pub(crate) use self::job::scheduled_time;
#[cfg(feature = "fuzz")]
pub(crate) use self::stream::changes_of;
pub use self::stream::stream;
pub use self::task::task;
pub use crate::models::report::Report;
pub use crate::models::tick::Tick;
