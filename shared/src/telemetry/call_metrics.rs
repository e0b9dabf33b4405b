//! What one call did to its backends: how many round trips of each kind, in how many steps, when, and at what price.
//!
//! Each round trip is a `tracing` span in the span of its call. [`CallMetrics`] lies with the call's span; the layer of
//! the log keeps it up to date and writes it into the call's line.

use std::time::Instant;

use serde::Serialize;
use tracing::field::{Empty, Field, Visit};
use tracing::{Span, info_span};

/// The target of the spans of round trips.
pub(super) const ROUND_TRIP: &str = "badge::round_trip";

/// The fields of such a span. The units are known once DynamoDB has answered.
const BACKEND: &str = "backend";
const READ_UNITS: &str = "read_units";
const WRITE_UNITS: &str = "write_units";

/// Round trips that a line lists one by one; a job can make hundreds, and the others are only counted.
const MAX_LISTED: usize = 16;

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

/// The span of one round trip. The capacity units that DynamoDB charged are recorded as `read_units` and `write_units`.
#[must_use]
pub fn round_trip(backend: Backend) -> Span {
    info_span!(target: ROUND_TRIP, "round_trip", backend = backend.name(), read_units = Empty, write_units = Empty)
}

/// Round trips of one call.
#[derive(Default)]
pub(super) struct CallMetrics {
    running: u32,
    usage: Usage,
    trips: Vec<RoundTrip>,
}

/// One round trip.
struct RoundTrip {
    backend: &'static str,
    from: Instant,
    to: Option<Instant>,
    units: Option<f64>,
}

impl CallMetrics {
    /// Counts a round trip. Those that run beside each other are one step of the sequence. Gives its place in the list.
    pub(super) fn begin(&mut self, backend: &'static str) -> usize {
        self.running += 1;
        if self.running == 1 {
            self.usage.steps += 1;
        }
        match backend {
            "redis" => self.usage.redis += 1,
            "dynamodb" => self.usage.dynamodb += 1,
            _ => self.usage.http += 1,
        }
        if self.trips.len() < MAX_LISTED {
            self.trips.push(RoundTrip { backend, from: Instant::now(), to: None, units: None });
            return self.trips.len() - 1;
        }
        usize::MAX
    }

    /// Adds what DynamoDB charged.
    pub(super) fn charge(&mut self, place: usize, units: &Units) {
        self.usage.read_units += units.read.unwrap_or(0.0);
        self.usage.write_units += units.write.unwrap_or(0.0);
        if let Some(trip) = self.trips.get_mut(place) {
            trip.units = units.read.or(units.write);
        }
    }

    pub(super) fn end(&mut self, place: usize) {
        self.running = self.running.saturating_sub(1);
        if let Some(trip) = self.trips.get_mut(place) {
            trip.to = Some(Instant::now());
        }
    }

    pub(super) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// The round trips as the line of a call lists them that began at `begin`.
    pub(super) fn list(&self, begin: Instant) -> Vec<CallRecord> {
        self.trips.iter().map(|trip| trip.record(begin)).collect()
    }
}

impl RoundTrip {
    fn record(&self, begin: Instant) -> CallRecord {
        let from_us = micros(begin, self.from);
        // One that has not ended was abandoned: nobody waited for its answer.
        let took_us = micros(self.from, self.to.unwrap_or_else(Instant::now));
        match self.units {
            Some(units) => CallRecord::Charged(self.backend, from_us, took_us, units),
            None => CallRecord::Plain(self.backend, from_us, took_us),
        }
    }
}

fn micros(from: Instant, to: Instant) -> u32 {
    u32::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u32::MAX)
}

/// What a call cost: round trips to each backend, the steps in which they ran one after another, and the capacity units
/// that DynamoDB charged.
#[derive(Serialize, Default)]
pub(super) struct Usage {
    steps: u32,
    redis: u32,
    dynamodb: u32,
    http: u32,
    read_units: f64,
    write_units: f64,
}

/// One round trip as a line has it: the backend, its beginning since that of the call and its length in microseconds,
/// and the capacity units that DynamoDB charged.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum CallRecord {
    Plain(&'static str, u32, u32),
    Charged(&'static str, u32, u32, f64),
}

/// The backend that a span of a round trip names.
#[derive(Default)]
pub(super) struct BackendName(pub(super) &'static str);

impl Visit for BackendName {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == BACKEND {
            let known = [Backend::Redis, Backend::DynamoDb].map(Backend::name);
            self.0 = known.into_iter().find(|name| *name == value).unwrap_or(Backend::Http.name());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// Capacity units that were recorded on a span of a round trip.
#[derive(Default)]
pub(super) struct Units {
    read: Option<f64>,
    write: Option<f64>,
}

impl Visit for Units {
    fn record_f64(&mut self, field: &Field, value: f64) {
        match field.name() {
            READ_UNITS => self.read = Some(value),
            WRITE_UNITS => self.write = Some(value),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_side_by_side_are_one_step() {
        let mut metrics = CallMetrics::default();
        let (redis, dynamodb) = (metrics.begin("redis"), metrics.begin("dynamodb"));
        metrics.end(redis);
        metrics.end(dynamodb);
        let last = metrics.begin("redis");
        metrics.end(last);
        let usage = metrics.usage();
        assert_eq!((usage.steps, usage.redis, usage.dynamodb), (2, 2, 1));
        assert_eq!(metrics.list(Instant::now()).len(), 3);
    }

    #[test]
    fn a_round_trip_is_listed_with_its_time_and_its_units() {
        let (mut metrics, begin) = (CallMetrics::default(), Instant::now());
        let redis = metrics.begin("redis");
        metrics.end(redis);
        let dynamodb = metrics.begin("dynamodb");
        metrics.charge(dynamodb, &Units { read: Some(0.5), write: None });
        let list = metrics.list(begin);
        let [CallRecord::Plain("redis", first, _), CallRecord::Charged("dynamodb", second, _, units)] = list[..] else {
            panic!("{list:?}")
        };
        assert!(first <= second && units.total_cmp(&0.5).is_eq());
        assert_eq!(
            serde_json::to_value(CallRecord::Charged("dynamodb", 7, 80, 0.5)).unwrap().to_string(),
            r#"["dynamodb",7,80,0.5]"#
        );
    }

    #[test]
    fn many_round_trips_are_counted_and_not_all_listed() {
        let mut metrics = CallMetrics::default();
        for _ in 0..100 {
            let place = metrics.begin("dynamodb");
            metrics.charge(place, &Units { read: None, write: Some(1.0) });
            metrics.end(place);
        }
        assert_eq!((metrics.usage().dynamodb, metrics.list(Instant::now()).len()), (100, MAX_LISTED));
        assert!(metrics.usage().write_units.total_cmp(&100.0).is_eq());
    }
}
