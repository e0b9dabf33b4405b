//! The stage from outside, against functions that do what a test tells them to.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod bed;
mod client;
mod console;
mod debugger;
mod doors;
mod faults;
mod gateway;
mod invoke;
mod pages;
mod process;
mod runtime;
mod schedules;
