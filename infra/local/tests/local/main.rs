//! The emulator from outside, with functions that do what a test sends them.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod console;
mod control;
mod debugger;
mod faults;
mod gateway;
mod guard;
mod invoke;
mod pages;
mod process;
mod runtime;
mod schedules;
