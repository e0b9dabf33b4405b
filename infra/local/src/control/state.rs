//! The state of the emulator: functions, invocations, faults, reset.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;

use super::clock::ClockDocument;
use super::request::{ApiError, App, Query, read_json};
use crate::app::AppState;
use crate::faults::Plan;
use crate::lambda::{Function, Outcome, to_ms};
use crate::scheduler::Description;
use crate::server::{self, Reply};
use crate::streams;

/// Invocations in a reply without `limit`.
const DEFAULT_LIMIT: usize = 100;

/// Outcomes of each function.
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
    streams: Vec<streams::Description>,
}

/// A function and its activity.
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
    /// Of the recorded invocations.
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    /// Newest first.
    last_outcomes: Vec<Outcome>,
}

/// `GET state`.
pub(super) async fn state(State(app): App) -> Reply {
    let schedules = app.scheduler.describe();
    let document = StateDocument {
        stage: app.options.stage.clone(),
        url: app.url.clone(),
        dynamodb_url: app.dynamodb_url.clone(),
        cache_url: app.cache.url(),
        aws_url: app.aws_url.clone(),
        clock: ClockDocument::of(&app),
        faults: app.host.faults.plan(),
        functions: functions(&app, &schedules),
        schedules,
        streams: app.streams.describe().await,
    };
    server::json_of(StatusCode::OK, &document)
}

/// All functions, by name.
pub(super) fn functions(app: &AppState, schedules: &[Description]) -> Vec<FunctionDocument> {
    app.lambda.functions().iter().map(|function| describe(function, schedules)).collect()
}

fn describe(function: &Function, schedules: &[Description]) -> FunctionDocument {
    let spec = function.spec();
    let sandboxes = function.sandboxes();
    let history = function.history.lock();
    let mut durations = history.durations();
    let last_outcomes = history.recent(LAST_OUTCOMES).map(|record| record.outcome).collect();
    let (invocations, cold_starts) = (history.invocations, history.cold_starts);
    let last_duration_ms = history.last_duration_ms();
    // Running invocations wait for this lock.
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

/// The smallest duration that is not below that percentage of all.
fn percentile(durations: &mut [Duration], percent: usize) -> Option<f64> {
    let rank = (durations.len() * percent).div_ceil(100).checked_sub(1)?;
    Some(to_ms(*durations.select_nth_unstable(rank).1))
}

/// `GET invocations?function=&limit=`, or `?request_id=` for the attempts of one request, the first one first.
pub(super) async fn invocations(State(app): App, query: Query) -> Result<Reply, ApiError> {
    let limit = match query.get("limit") {
        Some(text) => text.parse().map_err(|_| ApiError::bad("limit is a number"))?,
        None => DEFAULT_LIMIT,
    };
    let functions = functions_of(&app, &query)?;
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

/// The function that `function=` names, by its full name or by its binary; all functions without it.
pub(super) fn functions_of(app: &AppState, query: &Query) -> Result<Vec<Arc<Function>>, ApiError> {
    let mut functions = app.lambda.functions();
    if let Some(name) = query.get("function") {
        functions.retain(|function| *function.name == *name || function.spec().binary == name);
        if functions.is_empty() {
            return Err(ApiError::Unknown(format!("there is no function {name}")));
        }
    }
    Ok(functions)
}

/// `PUT faults`: replaces all faults; `{}` clears them.
pub(super) async fn set_faults(State(app): App, body: Body) -> Result<Reply, ApiError> {
    let plan = read_json(body, "not faults").await?;
    app.host.faults.set(plan);
    Ok(server::json_of(StatusCode::OK, &plan))
}

/// `POST reset`.
pub(super) async fn reset(State(app): App) -> Result<Reply, ApiError> {
    app.reset().await?;
    Ok(server::json(StatusCode::OK, "{}"))
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
