//! The line that each call leaves in the log.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::Level;

use crate::error::Error;
use crate::http;
use crate::models::principal::Principal;
use crate::models::report::Report;
use crate::models::role::Role;
use crate::telemetry::{CALL, Embedded, raw};

/// When a call began, and whether it was the sandbox's first.
#[derive(Clone, Copy)]
pub(super) struct Start {
    pub(super) at: Instant,
    pub(super) is_cold: bool,
}

/// What a call's line has beside the members of every line and what its span counts.
#[derive(Default)]
pub(super) struct CallLog<'a> {
    pub(super) request_id: &'a str,
    pub(super) method: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    /// Names of the parameters that were given and are known; never a value.
    pub(super) params: &'a [&'static str],
    /// The phone, masked.
    pub(super) phone: Option<&'a str>,
    /// Who was signed in.
    pub(super) caller: Option<&'a Caller>,
    /// The scheduled time of a job's run.
    pub(super) scheduled: Option<&'a str>,
    /// What a job says of its run, as JSON.
    pub(super) report: Option<Vec<u8>>,
    /// What a job found, as JSON.
    pub(super) findings: Option<Vec<u8>>,
    /// Members for CloudWatch's metrics, as JSON.
    pub(super) members: Option<Vec<u8>>,
    /// How the call failed.
    pub(super) error: Option<&'a Error>,
}

/// Who was signed in, as the line says it.
pub(super) struct Caller {
    user_id: String,
    role: Role,
    credential: &'static str,
    network: Option<String>,
}

impl From<&Principal> for Caller {
    fn from(principal: &Principal) -> Self {
        Self {
            user_id: principal.user_id.to_string(),
            role: principal.role,
            credential: principal.credential.as_str(),
            network: principal.network.clone(),
        }
    }
}

impl CallLog<'_> {
    /// The same, with what a job says of its run.
    pub(super) fn with_report(self, report: Report, at: Timestamp) -> Self {
        let Report { done, findings, metrics } = report;
        let metrics = Embedded { time_epoch_ms: at.as_millisecond(), metrics };
        let findings = (!findings.is_empty()).then(|| raw(&findings));
        Self { report: Some(raw(&done)), findings, members: Some(raw(&metrics)), ..self }
    }

    /// Writes the line; to be called in the call's span.
    pub(super) fn write(self, start: Start) {
        // What clients do wrong is in the code; what we do wrong has a cause.
        let cause = self.error.filter(|error| is_ours(error));
        // A level is a constant of its event.
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    target: CALL,
                    $level,
                    request_id = self.request_id,
                    method = self.method,
                    path = self.path,
                    code = self.error.map_or(0, http::code),
                    cold = start.is_cold,
                    duration_ms = millis(start.at.elapsed()),
                    params = raw(&self.params).as_slice(),
                    phone = self.phone,
                    user_id = self.caller.map(|caller| caller.user_id.as_str()),
                    role = self.caller.map(|caller| caller.role.as_str()),
                    credential = self.caller.map(|caller| caller.credential),
                    network = self.caller.and_then(|caller| caller.network.as_deref()),
                    scheduled = self.scheduled,
                    report = self.report.as_deref(),
                    findings = self.findings.as_deref(),
                    members = self.members.as_deref(),
                    error = cause.map(tracing::field::display),
                )
            };
        }
        if cause.is_some() || self.findings.is_some() {
            line!(Level::ERROR);
        } else {
            line!(Level::INFO);
        }
    }
}

/// Whether the cause of an error is of interest to us, and not to the client.
fn is_ours(error: &Error) -> bool {
    matches!(
        error,
        Error::Internal(_) | Error::Http(_) | Error::Db(_) | Error::Redis(_) | Error::Panic(_) | Error::BadEvent(_)
    )
}

/// Milliseconds with three decimals.
fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;

    #[test]
    fn a_panic_is_ours_and_a_wrong_code_is_not() {
        let panic = Error::Panic(Cause::new("src/lib.rs:1"));
        assert_eq!(http::code(&panic), 50000);
        assert!(is_ours(&panic) && !is_ours(&Error::VeriCodeWrong));
    }
}
