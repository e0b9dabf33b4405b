//! Lambda: functions, their sandboxes, invocations, asynchronous events, and dead letters.

mod dead_letters;
mod debugger;
mod delivery;
mod function;
mod invocation;
mod runtime_api;
mod sandbox;
mod service;

pub(crate) use self::dead_letters::{Condition, DeadLetter};
pub(crate) use self::debugger::prepare_debugging;
pub(crate) use self::delivery::Delivery;
pub(crate) use self::function::{Function, Host};
pub(crate) use self::invocation::{Outcome, Payload, Record, text, to_ms};
pub(crate) use self::sandbox::{RUNTIME_EXITED, portable_environment};
pub(crate) use self::service::{Event, Lambda, NoAnswer, run, submit};
