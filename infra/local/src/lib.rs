//! The local stage: real function binaries, run and fed as AWS runs and feeds them, without Docker or an account.
//!
//! A request's way: `server` takes it, `gateway` finds the `route` and writes the `event`, `function` finds a
//! `sandbox`, which fetches the event over its `runtime` API; the answer comes back the same way and `reply` makes a
//! response of it. `template` reads `infra/template.yaml`, which decides what there is. `cache` and `store` are the
//! stage's Redis and DynamoDB, `aws` the AWS APIs that functions call (`lambda`, `secrets`, `elasticache`), `inbox` the SMS
//! provider, `doors` the control door, behind which `data` looks into the stores, `pages` the API pages. `scheduler` fires each
//! `schedule` when the `clock` says so; `delivery` tries each event as often as it may, `letters` keeps those that failed,
//! and `shelf` keeps what outlives a stage. `faults` says what else fails, on the `line` to a store for instance. `guardian`
//! sees to it that nothing else outlives the stage.

mod account;
mod aws;
mod cache;
mod clock;
mod data;
mod debugger;
mod delivery;
mod doors;
mod elasticache;
mod error;
mod event;
mod faults;
mod function;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod gateway;
mod guardian;
mod inbox;
mod invocation;
mod lambda;
mod letters;
mod line;
mod live;
mod log;
mod options;
mod pages;
mod random;
mod reply;
mod route;
mod runtime;
mod sandbox;
mod schedule;
mod scheduler;
mod secrets;
mod server;
mod shelf;
mod stage;
mod store;
mod tasks;
mod template;

pub use error::StageError;
pub use options::{CacheMode, Options};
pub use stage::Stage;
