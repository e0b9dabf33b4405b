//! `EventBridge` Scheduler: fires every schedule of the template, and stores what it has fired.

mod service;
mod state;

pub(crate) use self::service::Scheduler;
pub(crate) use self::state::Description;
