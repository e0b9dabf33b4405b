//! What all functions of the bundle share. This file is the map of the rooms and nothing else;
//! who may use whom is written in `docs/architecture.md`.

pub mod aws;
pub mod cache;
pub mod cache_watch;
pub mod check;
pub mod clock;
pub mod config;
pub mod ctx;
pub mod deployment;
pub mod elasticache;
pub mod entry;
pub mod envelope;
pub mod error;
pub mod figures;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod hex;
pub mod http;
pub mod keep;
pub mod limits;
pub mod login;
pub mod phone;
pub mod random;
pub mod request;
pub mod retention;
pub mod runs;
pub mod secrets;
pub mod session;
pub mod sms;
pub mod sns;
pub mod store;
pub mod tasks;
pub mod telemetry;
mod tls;
pub mod token;
pub mod user;
pub mod veri_code;
