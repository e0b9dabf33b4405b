//! Types without I/O: what a request can say, what a row has, and who asks. A value that exists is a good one.

pub mod audit_event;
pub mod call;
pub mod changed_by;
pub mod client;
pub mod device;
pub mod idempotency_key;
pub mod keys;
pub mod language;
pub mod message_kind;
pub mod network;
pub mod notice;
pub mod params;
pub mod phone;
pub mod principal;
pub mod profile;
pub mod report;
pub mod rights;
pub mod role;
pub mod row_change;
pub mod session_id;
pub mod tick;
mod unicode;
pub mod user;
pub mod user_id;
pub mod veri_code;
