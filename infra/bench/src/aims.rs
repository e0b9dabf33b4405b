//! The aims of an endpoint, and which of them it meets.

use serde::Serialize;

use crate::figures::Row;

/// What an endpoint has at most when it is deployed, in millions of bytes.
pub(crate) const ZIPPED_MB: f64 = 4.0;

/// One aim and what was measured for it.
#[derive(Clone, Serialize)]
pub(crate) struct Aim {
    pub(crate) of: &'static str,
    pub(crate) is: f64,
    pub(crate) at_most: f64,
}

impl Aim {
    /// What is not known is not met.
    pub(crate) fn is_met(&self) -> bool {
        self.is <= self.at_most
    }
}

/// What an endpoint is held to. Behind TLS that is less, because the floor has no backends; with a part of a core it is
/// nothing but what does not depend on that.
pub(crate) fn aims(row: &Row, is_tls: bool, is_shared: bool) -> Vec<Aim> {
    let mut aims = Vec::new();
    let mut aim = |of, is, at_most| aims.push(Aim { of, is, at_most });
    if !is_shared {
        aim("init", row.init_ms.ratio, if is_tls { 3.5 } else { 2.1 });
        aim("to response", row.first_response_ms.ratio, if is_tls { 3.5 } else { 2.6 });
        aim("first CPU after a pause", row.first_over_paced, 2.0);
        if let Some(raw) = &row.raw {
            aim("warm", raw.ratio, 1.6);
        }
        aim("p99", row.p99_over_p50, 2.5);
    }
    aim("peak", row.peak_mib.value, 10.0);
    aim("zipped", row.zipped_mb.value, ZIPPED_MB);
    aims
}
