//! What all functions share: the map of its modules. `docs/architecture.md` lists which may use which, and a test enforces it.

pub mod accounts;
pub mod aws;
pub mod cache;
pub mod clock;
pub mod config;
pub mod db;
pub mod error;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod http;
pub mod jobs;
pub mod jwt;
pub mod lambda;
mod mac;
pub mod models;
pub mod random;
pub mod telemetry;
pub mod verification;
