//! The control API `/_stage/`, the console and the API pages: for people and tests, not for functions.

mod clock;
mod console;
mod data;
mod docs;
mod environment;
mod events;
mod openapi;
mod request;
mod rerun;
mod rights;
mod router;
mod settings;
mod sms;
mod state;
mod stored;

pub(crate) use self::docs::{PATH as DOCS_PATH, answer as answer_docs, are_built as docs_are_built};
pub(crate) use self::router::{is_for, router};
