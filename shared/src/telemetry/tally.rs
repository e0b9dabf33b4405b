//! What one request did to its backends: how many round trips of each kind, in how many steps, when, and at what price.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;

/// Calls that a line tells one by one; a job can make hundreds, and the others are only counted.
const MAX_TOLD: usize = 16;

/// There is one per sandbox, which serves one request at a time.
#[derive(Clone, Default)]
pub struct Tally(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Goes up with each request: a trip that outlives its own is not the next one's.
    request: u32,
    running: u32,
    spent: Spent,
    calls: Vec<Call>,
}

struct Call {
    backend: Backend,
    from: Instant,
    to: Option<Instant>,
    units: Option<f64>,
}

/// Who is at the other end of a round trip.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Redis or Valkey.
    Redis,
    /// DynamoDB.
    DynamoDb,
    /// Any other HTTP service, AWS's included.
    Http,
}

impl Backend {
    fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::DynamoDb => "dynamodb",
            Self::Http => "http",
        }
    }
}

/// A round trip under way; it ends when this is dropped.
pub struct Trip<'a> {
    tally: &'a Tally,
    request: u32,
    /// Its place in the list, if it is told.
    call: usize,
}

impl Drop for Trip<'_> {
    fn drop(&mut self) {
        let mut state = self.tally.state();
        state.running -= 1;
        if state.request == self.request
            && let Some(call) = state.calls.get_mut(self.call)
        {
            call.to = Some(Instant::now());
        }
    }
}

impl Tally {
    /// Counts a round trip. Trips that run beside each other are one step of the sequence.
    #[must_use]
    pub fn trip(&self, backend: Backend) -> Trip<'_> {
        let mut state = self.state();
        state.running += 1;
        if state.running == 1 {
            state.spent.steps += 1;
        }
        *match backend {
            Backend::Redis => &mut state.spent.redis,
            Backend::DynamoDb => &mut state.spent.dynamodb,
            Backend::Http => &mut state.spent.http,
        } += 1;
        let (request, call) = (state.request, state.calls.len());
        if call == MAX_TOLD {
            return Trip { tally: self, request, call: usize::MAX };
        }
        state.calls.push(Call { backend, from: Instant::now(), to: None, units: None });
        Trip { tally: self, request, call }
    }

    /// Adds what DynamoDB says that its call which ended last has cost.
    pub fn charge(&self, read_units: f64, write_units: f64) {
        let mut state = self.state();
        state.spent.read_units += read_units;
        state.spent.write_units += write_units;
        let is_it = |call: &&mut Call| call.backend == Backend::DynamoDb && call.to.is_some() && call.units.is_none();
        if let Some(call) = state.calls.iter_mut().rev().find(is_it) {
            call.units = Some(read_units + write_units);
        }
    }

    /// What was counted since the last time, and the calls, as a request tells them that began at `begin`.
    pub(crate) fn take(&self, begin: Instant) -> (Spent, Vec<Told>) {
        let mut state = self.state();
        state.request = state.request.wrapping_add(1);
        let calls = std::mem::take(&mut state.calls);
        let spent = std::mem::take(&mut state.spent);
        drop(state);
        (spent, calls.into_iter().map(|call| call.told(begin)).collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    fn told(self, begin: Instant) -> Told {
        let from_us = micros(begin, self.from);
        // One that has not ended was left: nobody waited for its answer.
        let took_us = micros(self.from, self.to.unwrap_or_else(Instant::now));
        match self.units {
            Some(units) => Told::Charged(self.backend.name(), from_us, took_us, units),
            None => Told::Plain(self.backend.name(), from_us, took_us),
        }
    }
}

fn micros(from: Instant, to: Instant) -> u32 {
    u32::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u32::MAX)
}

/// What a request cost: round trips to each backend, the steps in which they ran one after another, and the
/// capacity units that DynamoDB charged.
#[derive(Serialize, Default)]
pub(crate) struct Spent {
    pub(crate) steps: u32,
    pub(crate) redis: u32,
    pub(crate) dynamodb: u32,
    pub(crate) http: u32,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

/// One call as a line tells it: to whom, when since the request began and for how long, in microseconds, and the capacity
/// units that DynamoDB charged.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Told {
    Plain(&'static str, u32, u32),
    Charged(&'static str, u32, u32, f64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trips_side_by_side_are_one_step() {
        let tally = Tally::default();
        {
            let _redis = tally.trip(Backend::Redis);
            let _dynamodb = tally.trip(Backend::DynamoDb);
        }
        drop(tally.trip(Backend::Redis));
        let (spent, calls) = tally.take(Instant::now());
        assert_eq!((spent.steps, spent.redis, spent.dynamodb, calls.len()), (2, 2, 1, 3));
        let (spent, calls) = tally.take(Instant::now());
        assert_eq!((spent.steps, calls.len()), (0, 0));
    }

    #[test]
    fn a_call_is_told_with_its_time_and_its_units() {
        let (tally, begin) = (Tally::default(), Instant::now());
        drop(tally.trip(Backend::Redis));
        drop(tally.trip(Backend::DynamoDb));
        tally.charge(0.5, 0.0);
        let (spent, calls) = tally.take(begin);
        assert!(spent.read_units.total_cmp(&0.5).is_eq());
        let [Told::Plain("redis", first, _), Told::Charged("dynamodb", second, _, units)] = calls[..] else {
            panic!("{calls:?}")
        };
        assert!(first <= second && units.total_cmp(&0.5).is_eq());
        assert_eq!(
            serde_json::to_value(Told::Charged("dynamodb", 7, 80, 0.5)).unwrap().to_string(),
            r#"["dynamodb",7,80,0.5]"#
        );
    }

    #[test]
    fn many_calls_are_counted_and_not_all_told() {
        let tally = Tally::default();
        for _ in 0..100 {
            drop(tally.trip(Backend::DynamoDb));
            tally.charge(0.0, 1.0);
        }
        let (spent, calls) = tally.take(Instant::now());
        assert_eq!((spent.dynamodb, calls.len()), (100, MAX_TOLD));
        assert!(spent.write_units.total_cmp(&100.0).is_eq());
    }

    #[test]
    fn a_trip_that_outlives_its_request_is_not_the_next_ones() {
        let tally = Tally::default();
        let late = tally.trip(Backend::Redis);
        tally.take(Instant::now());
        let next = tally.trip(Backend::DynamoDb);
        drop(late);
        tally.charge(1.0, 0.0);
        drop(next);
        let (_, calls) = tally.take(Instant::now());
        assert!(matches!(calls[..], [Told::Plain("dynamodb", ..)]), "{calls:?}");
    }
}
