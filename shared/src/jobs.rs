//! What schedules and tasks do.

pub mod cache_health;
pub mod daily;
mod daily_stats;
pub mod deployed;
mod migrations;
mod retention;
pub mod run_once;
pub mod send_sms;
