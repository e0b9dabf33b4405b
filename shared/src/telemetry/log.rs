//! The subscriber of a function: who gets into the log, and what a call's line has beside its own fields.
//!
//! Level and format are Lambda's (Lambda Developer Guide, "Configuring advanced logging controls for Lambda functions").

use std::io::Write;
use std::time::Instant;

use serde_json::{Map, Value};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, Subscriber};
use tracing::{Event, Metadata};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry, SpanRef};

use super::call_metrics::{BackendName, CallMetrics, ROUND_TRIP, Units};
use super::json::{self, Source};
use super::scrub::scrub;

/// The target of the span of a call.
pub(crate) const INVOCATION: &str = "badge::invocation";

/// What other crates say below this level is not for a log: `lambda_runtime` writes whole events there.
const FOREIGN: LevelFilter = LevelFilter::DEBUG;

/// What is written, and how.
struct Log {
    source: Source,
    level: LevelFilter,
    is_text: bool,
}

/// A call: its span has this.
struct Call {
    begin: Instant,
    metrics: CallMetrics,
}

/// A round trip: its span has its place among those of its call.
struct Place(usize);

/// Installs the log of this process. `level` is `AWS_LAMBDA_LOG_LEVEL` and `format` is `AWS_LAMBDA_LOG_FORMAT`: without
/// them JSON from `INFO` on is written.
pub(crate) fn init(stage: &str, function: &str, level: Option<&str>, format: Option<&str>) {
    let log = Log {
        source: Source { stage: scrub(stage, 32), function: function.to_owned() },
        level: level.map_or(LevelFilter::INFO, read_level),
        is_text: format.is_some_and(|format| format.eq_ignore_ascii_case("text")),
    };
    // The second one of a process finds it installed, which is what it wanted.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(log));
}

/// Lambda's names are those of `tracing`, and `FATAL`, which nothing here is.
fn read_level(name: &str) -> LevelFilter {
    match name.to_ascii_uppercase().as_str() {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

impl Log {
    fn takes(&self, metadata: &Metadata<'_>) -> bool {
        if is_said_by_us(metadata) {
            return false;
        }
        let is_ours = json::is_ours(metadata.target());
        if metadata.is_span() {
            // A call's round trips are counted whatever is written. Spans of others nobody looks at.
            return is_ours;
        }
        *metadata.level() <= if is_ours { self.level } else { self.level.min(FOREIGN) }
    }

    fn write(&self, line: Vec<u8>) {
        let mut line = if self.is_text { as_text(&line) } else { line };
        line.push(b'\n');
        // A log that cannot be written stops nothing.
        let _ = std::io::stdout().write_all(&line);
    }
}

impl<S> Layer<S> for Log
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.takes(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.takes(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // Spans of round trips are of level `INFO`.
        Some(self.level.max(LevelFilter::INFO))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        match span.metadata().target() {
            INVOCATION => {
                span.extensions_mut().insert(Call { begin: Instant::now(), metrics: CallMetrics::default() });
            }
            ROUND_TRIP => {
                let mut backend = BackendName::default();
                attributes.record(&mut backend);
                if let Some(place) = with_call(&span, |call| call.metrics.begin(backend.0)) {
                    span.extensions_mut().insert(Place(place));
                }
            }
            _ => {}
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(place) = place_of(&span) {
            let mut units = Units::default();
            values.record(&mut units);
            with_call(&span, |call| call.metrics.charge(place, &units));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        if let Some(place) = place_of(&span) {
            with_call(&span, |call| call.metrics.end(place));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let root = context.event_span(event).and_then(|span| span.scope().from_root().next());
        let line = match &root {
            Some(root) => {
                let extensions = root.extensions();
                let call = extensions.get::<Call>().map(|call| (&call.metrics, call.begin));
                json::line(&self.source, event, call)
            }
            None => json::line(&self.source, event, None),
        };
        if let Ok(line) = line {
            self.write(line);
        }
    }
}

fn place_of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<usize> {
    span.extensions().get::<Place>().map(|place| place.0)
}

/// Whether an event of `lambda_runtime` is of an error that `lambda` writes too: what a handler returned is in the line of
/// its call, and what stops the runtime is what its `run` returns. Of panics outside of handlers, and of a Runtime API that
/// refuses a response, nobody else writes.
fn is_said_by_us(metadata: &Metadata<'_>) -> bool {
    let has_error = metadata.fields().field("error").is_some();
    match metadata.target() {
        "lambda_runtime::layers::panic" => !has_error,
        "lambda_runtime::layers::api_client" => has_error,
        _ => false,
    }
}

/// The call that a span belongs to. What happens at a cold start belongs to none.
fn with_call<'a, S, T>(span: &SpanRef<'a, S>, act: impl FnOnce(&mut Call) -> T) -> Option<T>
where
    S: LookupSpan<'a>,
{
    let root = span.scope().from_root().next()?;
    let mut extensions = root.extensions_mut();
    extensions.get_mut::<Call>().map(act)
}

/// A line for people: time, level and function, and then `name=value`.
fn as_text(line: &[u8]) -> Vec<u8> {
    let mut members: Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    for name in ["time", "level", "function"] {
        words.extend(members.remove(name).and_then(|value| value.as_str().map(str::to_owned)));
    }
    members.remove("stage");
    words.extend(members.iter().map(|(name, value)| format!("{name}={value}")));
    words.join(" ").into_bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::error;

    use super::*;

    #[test]
    fn an_error_that_lambda_writes_is_not_written_by_its_runtime_too() {
        struct Seen(Arc<Mutex<Vec<bool>>>);
        impl<S: Subscriber> Layer<S> for Seen {
            fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                self.0.lock().unwrap().push(is_said_by_us(event.metadata()));
            }
        }
        let seen = Arc::default();
        tracing::subscriber::with_default(Registry::default().with(Seen(Arc::clone(&seen))), || {
            error!(target: "lambda_runtime::layers::panic", "what a handler returned");
            error!(target: "lambda_runtime::layers::panic", error = "a panic", "user handler panicked");
            error!(target: "lambda_runtime::layers::api_client", error = "refused", "request failed");
            error!(target: "lambda_runtime::layers::api_client", status = "413", "non-200 response");
        });
        assert_eq!(*seen.lock().unwrap(), [true, false, true, false]);
    }

    #[test]
    fn levels_are_those_that_lambda_has_names_for() {
        for (name, level) in [
            ("TRACE", LevelFilter::TRACE),
            ("debug", LevelFilter::DEBUG),
            ("INFO", LevelFilter::INFO),
            ("WARN", LevelFilter::WARN),
            ("FATAL", LevelFilter::ERROR),
            ("", LevelFilter::INFO),
        ] {
            assert_eq!(read_level(name), level, "{name}");
        }
    }

    #[test]
    fn a_line_for_people_begins_with_time_level_and_function() {
        let line = br#"{"time":"t","level":"INFO","stage":"s","function":"f","code":0,"path":"/a"}"#;
        assert_eq!(as_text(line), br#"t INFO f code=0 path="/a""#);
    }
}
