//! What all functions of the bundle share. This file is the map of the rooms and nothing else; who may use whom is
//! written in `docs/architecture.md`, and held by a test.

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
pub mod models;
pub mod random;
pub mod telemetry;
pub mod verification;
