//! What a function tells of a request in its log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Failure;
use crate::requests;
use crate::sandbox::Sandbox;

/// Round trips to each backend, the steps in which they ran one after another, and what DynamoDB charged.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) steps: u32,
    pub(crate) redis: u32,
    pub(crate) dynamodb: u32,
    pub(crate) http: u32,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

/// A request by its log, and the sizes of its line, with its end, and of its answer.
#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct CallRecord {
    pub(crate) spent: Usage,
    pub(crate) log_bytes: usize,
    pub(crate) answer_bytes: usize,
}

/// Serves one event, which must go well. The sandbox's lines must not go to nothing.
pub(crate) fn serve(sandbox: &mut Sandbox, function: &str, event: Vec<u8>) -> Result<CallRecord, Failure> {
    let served = sandbox.serve(event)?;
    requests::check(function, &served.answer)?;
    let line = sandbox.line_with("\"spent\"")?;
    let spent = serde_json::from_value(serde_json::from_str::<Value>(&line)?["spent"].take())?;
    Ok(CallRecord { spent, log_bytes: line.len() + 1, answer_bytes: served.answer.body.len() })
}
