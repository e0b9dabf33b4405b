//! Reads what the service has stored: users, sessions, codes and limits.

mod codes;
mod events;
mod keys;
mod limits;
mod reader;
mod sessions;
mod users;

pub(super) use self::limits::Subject;
pub(super) use self::reader::StoredData;
pub(super) use self::users::Page;
