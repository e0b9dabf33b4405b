//! The service from outside: real function binaries in the local emulator, over HTTP; nothing of `shared`.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod attack;
mod browsers;
mod budget;
mod cache_access;
mod cache_rights;
mod cache_watch;
mod cases;
mod cluster;
mod data;
mod device;
mod dynamodb_retries;
mod emulator;
mod events;
mod failover;
mod fallback;
mod front;
mod idempotency;
mod job;
mod job_failure;
mod language;
mod limits;
mod load;
mod log;
mod login;
mod logout;
mod metrics;
mod missing_midnight;
mod month;
mod odd_rows;
mod outage;
mod race;
mod readme;
mod register;
mod rights;
mod rotation;
mod sessions;
mod settings;
mod sms;
mod sns;
mod stranger;
mod token;
mod typing;
mod user_index;
mod veri_code;
