//! Redis or Valkey: sessions, codes and counters. Every access is one bounded round trip, and all keys of one
//! access share a hash tag, so that a clustered cache (`ElastiCache` Serverless is one) takes them together.

mod client;
pub mod codes;
mod connection;
mod devices;
pub mod epochs;
mod erasure;
pub mod limits;
mod script;
pub mod sessions;
mod stats;
#[cfg(test)]
pub(crate) mod test_server;

pub use self::client::{Cache, slot_of};
pub use self::codes::{Candidate, CodeTry, Day, PhoneState, StoredCode, Try, TryLimit, TryLimits, Use};
pub use self::devices::ListedSession;
pub use self::epochs::Epoch;
pub use self::limits::{Decision, IdempotencyRecord, Row, SENDS, Spend};
pub use self::sessions::{FoundSession, NewSession, SessionKey, SessionLife};
pub use self::stats::DAYS_KEPT;
