//! The log, by `tracing`: one JSON line per call, and what `lambda_runtime` and the SDKs have to say in the same form.
//!
//! Secrets cannot get in by mistake: phones and codes are types without `Display` and `Debug`, values of parameters are
//! never recorded, and free text (paths, causes, what other crates say) goes through [`scrub`].

mod call_metrics;
mod json;
mod log;
mod metrics;
mod scrub;

pub use self::call_metrics::{Backend, round_trip};
pub(crate) use self::json::{CALL, raw};
pub(crate) use self::log::{INVOCATION, init};
pub(crate) use self::metrics::Embedded;
pub use self::metrics::{Metric, Unit};
pub use self::scrub::scrub;
