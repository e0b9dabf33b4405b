//! Event source mappings: functions are given the changes of tables, in batches and in order, at least once.

mod batch;
mod service;

pub(crate) use self::service::{Description, Streams};
