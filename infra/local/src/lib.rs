//! The local emulator: runs the real function binaries and feeds them as AWS does, without Docker or an account.
//!
//! From top to bottom; a module uses only those below it:
//!
//! - `emulator` starts and stops everything; `app` is what every request can reach.
//! - `control` is the control API `/_stage/` with the console and the API pages.
//! - `gateway` is API Gateway, `scheduler` is `EventBridge` Scheduler.
//! - `backends` is what functions call: cache, DynamoDB, SMS provider, doubles of AWS APIs.
//! - `lambda` runs functions in sandboxes and delivers asynchronous events.
//! - `template` reads `infra/template.yaml`, which decides what there is.
//! - `server`, `guard`, `faults`, `log`, `state_dir`, `tasks`, `guardian`, `clock`, `random`, `account`,
//!   `options` and `error` are leaves.

mod account;
mod app;
mod backends;
mod clock;
mod control;
mod emulator;
mod error;
mod faults;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod gateway;
mod guard;
mod guardian;
mod lambda;
mod log;
mod options;
mod random;
mod scheduler;
mod server;
mod state_dir;
mod streams;
mod tasks;
mod template;

pub use emulator::Emulator;
pub use error::EmulatorError;
pub use options::{CacheMode, Options};
