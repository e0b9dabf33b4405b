//! One event as one line of JSON.
//!
//! `tracing` has no nested values, so a value that is given as bytes is JSON already: [`raw`] makes it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Instant;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;
use tracing::Event;
use tracing::field::{Field, Visit};

use super::call_metrics::CallMetrics;
use super::scrub::scrub;
use crate::clock;

/// The target of the event that is a call's line.
pub(crate) const CALL: &str = "badge::call";

/// Who writes: the same in every line of a sandbox.
#[derive(Default)]
pub(super) struct Source {
    pub(super) stage: String,
    pub(super) function: String,
}

/// The field whose members stand in the line itself: what the embedded metric format wants at the root.
const MEMBERS: &str = "members";

/// The longest text of another crate.
const LONGEST_TEXT: usize = 500;

/// A nested value of an event: `params = raw(&names).as_slice()`.
pub(crate) fn raw(value: &impl Serialize) -> Vec<u8> {
    // Names, counts and sentences of ours always write.
    serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec())
}

/// The line of an event, without its end. `call` is what the call of the event did, and when it began.
pub(super) fn line(
    source: &Source,
    event: &Event<'_>,
    call: Option<(&CallMetrics, Instant)>,
) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(768);
    let mut members = None;
    let metadata = event.metadata();
    let mut json = serde_json::Serializer::new(&mut text);
    let mut line = json.serialize_map(None)?;
    line.serialize_entry("time", &format_args!("{:.3}", clock::wall_timestamp()))?;
    line.serialize_entry("level", metadata.level().as_str())?;
    line.serialize_entry("stage", &source.stage)?;
    line.serialize_entry("function", &source.function)?;
    if is_ours(metadata.target()) {
        let mut fields = Fields { line: &mut line, members: None, failed: None };
        event.record(&mut fields);
        let Fields { members: own, failed, .. } = fields;
        failed.map_or(Ok(()), Err)?;
        members = own;
    } else {
        let mut fields = ForeignFields::default();
        event.record(&mut fields);
        line.serialize_entry("target", metadata.target())?;
        line.serialize_entry("message", &fields.message)?;
        if !fields.others.is_empty() {
            line.serialize_entry("fields", &fields.others)?;
        }
    }
    if let (CALL, Some((metrics, begin))) = (metadata.target(), call) {
        line.serialize_entry("spent", metrics.usage())?;
        let calls = metrics.list(begin);
        if !calls.is_empty() {
            line.serialize_entry("calls", &calls)?;
        }
    }
    line.end()?;
    if let Some(members) = members.filter(|members: &Vec<u8>| members.len() > 2) {
        text.pop();
        text.push(b',');
        text.extend_from_slice(&members[1..]);
    }
    Ok(text)
}

/// Whether this service says it, which knows what it may say.
pub(super) fn is_ours(target: &str) -> bool {
    let root = target.split("::").next();
    matches!(root, Some("badge" | "shared"))
}

/// Writes each field as a member of the line.
struct Fields<'a, M: SerializeMap> {
    line: &'a mut M,
    members: Option<Vec<u8>>,
    failed: Option<M::Error>,
}

impl<M: SerializeMap> Fields<'_, M> {
    fn add(&mut self, field: &Field, value: &(impl Serialize + ?Sized)) {
        if self.failed.is_none() {
            self.failed = self.line.serialize_entry(field.name(), value).err();
        }
    }
}

impl<M: SerializeMap> Visit for Fields<'_, M> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        if field.name() == MEMBERS {
            self.members = Some(value.to_owned());
        } else if let Ok(value) = serde_json::from_slice::<&RawValue>(value) {
            self.add(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, &format_args!("{value:?}"));
    }
}

/// What another crate says: text, which may have anything in it.
#[derive(Default)]
struct ForeignFields {
    message: String,
    others: BTreeMap<&'static str, String>,
}

impl Visit for ForeignFields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let text = scrub(value, LONGEST_TEXT);
        match field.name() {
            "message" => self.message = text,
            // Those of the crate `log`, which say what `target` says.
            name if name.starts_with("log.") => {}
            name => drop(self.others.insert(name, text)),
        }
    }
}
