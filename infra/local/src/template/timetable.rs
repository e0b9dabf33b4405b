//! Schedule expressions of `EventBridge` Scheduler.

mod cron;
mod expression;
mod field;
#[cfg(test)]
mod table;

pub(crate) use self::expression::{DEFAULT_ZONE, Timetable};
