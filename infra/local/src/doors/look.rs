//! Looks into the stage: what there is, and what has run.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;

use super::wish::{Query, Refusal};
use crate::faults::Plan;
use crate::function::Function;
use crate::invocation::{Outcome, to_ms};
use crate::live::Live;
use crate::schedule::DEFAULT_ZONE;
use crate::scheduler::Description;
use crate::server::{self, Reply};

/// Records of invocations that are shown when no number is asked for.
const DEFAULT_LIMIT: usize = 100;

/// Outcomes that are shown of each function.
const LAST_OUTCOMES: usize = 24;

#[derive(Serialize)]
struct StateDocument {
    stage: String,
    url: String,
    dynamodb_url: String,
    cache_url: String,
    aws_url: String,
    clock: ClockDocument,
    faults: Plan,
    functions: Vec<FunctionDocument>,
    schedules: Vec<Description>,
}

/// The stage's time.
#[derive(Serialize)]
pub(super) struct ClockDocument {
    now: Timestamp,
    pub(super) offset_ms: i64,
    /// The time zone in which the stage's day begins.
    zone: String,
    /// When the next one does.
    pub(super) midnight: Timestamp,
}

/// A function, what it has done and how it fares.
#[derive(Clone, PartialEq, Serialize)]
pub(super) struct FunctionDocument {
    name: String,
    binary: String,
    routes: Vec<String>,
    schedules: Vec<String>,
    memory_mb: u64,
    timeout_s: u64,
    sandboxes: usize,
    busy: usize,
    pids: Vec<u32>,
    invocations: u64,
    cold_starts: u64,
    last_duration_ms: Option<f64>,
    /// Of the last runs, as far as they are remembered.
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    /// The newest first.
    last_outcomes: Vec<Outcome>,
}

pub(super) fn state(live: &Live) -> Reply {
    let schedules = live.scheduler.describe();
    let document = StateDocument {
        stage: live.options.stage.clone(),
        url: live.url.clone(),
        dynamodb_url: live.store.url(),
        cache_url: live.cache.url(),
        aws_url: live.aws_url.clone(),
        clock: clock(live),
        faults: live.host.faults.plan(),
        functions: functions(live, &schedules),
        schedules,
    };
    server::json_of(StatusCode::OK, &document)
}

/// What time it is.
pub(super) fn clock(live: &Live) -> ClockDocument {
    let (now, zone) = (live.clock.now(), live.zone.read().clone());
    let midnight = now.to_zoned(zone.clone()).tomorrow().and_then(|day| day.start_of_day());
    ClockDocument {
        now,
        offset_ms: live.clock.offset_ms(),
        zone: zone.iana_name().unwrap_or(DEFAULT_ZONE).to_owned(),
        midnight: midnight.map_or(Timestamp::MAX, |day| day.timestamp()),
    }
}

/// All functions, by name.
pub(super) fn functions(live: &Live, schedules: &[Description]) -> Vec<FunctionDocument> {
    live.lambda.functions().iter().map(|function| describe(function, schedules)).collect()
}

fn describe(function: &Function, schedules: &[Description]) -> FunctionDocument {
    let spec = function.spec();
    let sandboxes = function.sandboxes();
    let history = function.history.lock();
    let mut durations = history.durations();
    let last_outcomes = history.recent(LAST_OUTCOMES).map(|record| record.outcome).collect();
    let (invocations, cold_starts) = (history.invocations, history.cold_starts);
    let last_duration_ms = history.last_duration_ms();
    // The answer of a run waits for this lock.
    drop(history);
    FunctionDocument {
        name: spec.name.clone(),
        binary: spec.binary.clone(),
        routes: spec.routes.iter().map(ToString::to_string).collect(),
        schedules: schedules.iter().filter(|one| one.function == spec.name).map(|one| one.name.clone()).collect(),
        memory_mb: spec.memory_mb,
        timeout_s: spec.timeout.as_secs(),
        sandboxes: sandboxes.alive,
        busy: sandboxes.busy,
        pids: sandboxes.pids,
        invocations,
        cold_starts,
        last_duration_ms,
        p50_ms: percentile(&mut durations, 50),
        p99_ms: percentile(&mut durations, 99),
        last_outcomes,
    }
}

/// The smallest of the durations that is not below that percentage of them.
fn percentile(durations: &mut [Duration], percent: usize) -> Option<f64> {
    let rank = (durations.len() * percent).div_ceil(100).checked_sub(1)?;
    Some(to_ms(*durations.select_nth_unstable(rank).1))
}

/// `GET invocations?function=&limit=`, or `?request_id=` for the attempts of one request, the first one first.
pub(super) fn invocations(live: &Live, query: &Query<'_>) -> Result<Reply, Refusal> {
    let limit = match query.get("limit") {
        Some(text) => text.parse().map_err(|_| Refusal::bad("limit is a number"))?,
        None => DEFAULT_LIMIT,
    };
    let functions = functions_of(live, query)?;
    let mut records = Vec::new();
    if let Some(request_id) = query.get("request_id") {
        for function in functions {
            records.extend(function.history.lock().of_request(&request_id));
        }
        let records: Vec<_> = records.iter().map(AsRef::as_ref).collect();
        return Ok(server::json_of(StatusCode::OK, &records));
    }
    for function in functions {
        records.extend(function.history.lock().recent(limit));
    }
    records.sort_unstable_by_key(|record| std::cmp::Reverse(record.sequence));
    records.truncate(limit);
    let records: Vec<_> = records.iter().map(AsRef::as_ref).collect();
    Ok(server::json_of(StatusCode::OK, &records))
}

/// The one that `function=` names, by its full name or its binary's, which is the shorter one; all without it.
pub(super) fn functions_of(live: &Live, query: &Query<'_>) -> Result<Vec<Arc<Function>>, Refusal> {
    let mut functions = live.lambda.functions();
    if let Some(name) = query.get("function") {
        functions.retain(|function| *function.name == *name || function.spec().binary == name);
        if functions.is_empty() {
            return Err(Refusal::Unknown(format!("there is no function {name}")));
        }
    }
    Ok(functions)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::percentile;

    #[test]
    fn a_percentile_is_one_of_the_durations() {
        let mut durations: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!((percentile(&mut durations, 50), percentile(&mut durations, 99)), (Some(100.0), Some(198.0)));
        assert_eq!(percentile(&mut [Duration::from_millis(7)], 99), Some(7.0));
        assert_eq!(percentile(&mut [], 50), None);
    }
}
