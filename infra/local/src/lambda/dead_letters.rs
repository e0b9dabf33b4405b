//! Dead letters: events whose retries are exhausted, until they are redriven.
//!
//! AWS has them in the queue that a function or a schedule names; the emulator has one list, and each entry names its
//! queue.

use std::collections::VecDeque;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::invocation::Outcome;
use crate::error::EmulatorError;
use crate::state_dir::StateDir;

/// Entries; a further one removes the oldest.
const MAX_ENTRIES: usize = 10_000;

/// All of them, oldest first.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    entries: Mutex<VecDeque<DeadLetter>>,
    stored: StateDir<DeadLetter>,
}

/// An event whose retries are exhausted, as `GET /_stage/dead_letters` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    /// An id of its own: an event that was delivered twice can fail twice.
    pub(crate) id: String,
    /// The queue that AWS would send it to; null if AWS would discard it.
    pub(crate) queue: Option<String>,
    pub(crate) condition: Condition,
    pub(crate) function: String,
    /// `async`, or `schedule` and its name.
    pub(crate) trigger: String,
    pub(crate) request_id: String,
    /// When the last attempt failed, in emulated time.
    pub(crate) time: Timestamp,
    pub(crate) attempts: u32,
    /// How the last attempt ended.
    pub(crate) outcome: Outcome,
    /// The error of the last attempt.
    pub(crate) reason: String,
    /// As it was sent.
    pub(crate) event: String,
}

/// Why there is no further attempt, as Lambda's invocation record says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Condition {
    RetriesExhausted,
    EventAgeExceeded,
}

impl DeadLetters {
    /// With those in the folder.
    pub(crate) fn new(stored: StateDir<DeadLetter>) -> Result<Self, EmulatorError> {
        let mut entries = stored.read_all()?;
        entries.sort_by_key(|entry| entry.time);
        Ok(Self { entries: Mutex::new(entries.into()), stored })
    }

    pub(crate) fn push(&self, entry: DeadLetter) {
        let mut entries = self.entries.lock();
        if entries.len() == MAX_ENTRIES
            && let Some(oldest) = entries.pop_front()
        {
            self.stored.remove(&oldest.id);
        }
        self.stored.write(&entry.id, &entry);
        entries.push_back(entry);
    }

    /// All of them, newest first.
    pub(crate) fn list(&self) -> Vec<DeadLetter> {
        self.entries.lock().iter().rev().cloned().collect()
    }

    /// Their number and the id of the newest: changes with every change of the list.
    pub(crate) fn version(&self) -> (usize, Option<String>) {
        let entries = self.entries.lock();
        (entries.len(), entries.back().map(|entry| entry.id.clone()))
    }

    /// Removes the one with that id, or all of them without an id; oldest first. They stay stored until
    /// [`DeadLetters::delete_stored`].
    pub(crate) fn take(&self, id: Option<&str>) -> Vec<DeadLetter> {
        let mut entries = self.entries.lock();
        match id {
            None => entries.drain(..).collect(),
            Some(id) => {
                let position = entries.iter().position(|entry| entry.id == id);
                position.and_then(|position| entries.remove(position)).into_iter().collect()
            }
        }
    }

    /// Deletes the stored copy of one that was taken.
    pub(crate) fn delete_stored(&self, id: &str) {
        self.stored.remove(id);
    }

    pub(crate) fn clear(&self) {
        self.entries.lock().clear();
        self.stored.clear();
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Condition, DeadLetter, DeadLetters};
    use crate::lambda::Outcome;
    use crate::state_dir::StateDir;

    #[test]
    fn dead_letters_are_listed_newest_first_and_taken_once() {
        let dead = DeadLetters::new(StateDir::open(None, "dead_letters").unwrap()).unwrap();
        for id in ["a", "b", "c"] {
            dead.push(DeadLetter {
                id: id.to_owned(),
                queue: None,
                condition: Condition::RetriesExhausted,
                function: "f".to_owned(),
                trigger: "async".to_owned(),
                request_id: "r".to_owned(),
                time: Timestamp::UNIX_EPOCH,
                attempts: 3,
                outcome: Outcome::Error,
                reason: "asked to".to_owned(),
                event: "{}".to_owned(),
            });
        }
        let ids = |entries: Vec<DeadLetter>| entries.into_iter().map(|entry| entry.id).collect::<String>();
        assert_eq!(ids(dead.list()), "cba");
        assert_eq!(ids(dead.take(Some("b"))), "b");
        assert_eq!(ids(dead.take(Some("b"))), "");
        assert_eq!(ids(dead.take(None)), "ac");
        assert_eq!(ids(dead.list()), "");
    }
}
