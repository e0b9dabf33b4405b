//! The dead letters: events that failed in every attempt, kept until they are tried again.
//!
//! AWS keeps them in the queue that a function or a schedule names; the stage has one queue for all.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Serialize, Serializer};

use crate::invocation::Outcome;

/// Letters that are kept; a further one pushes the oldest out.
const MAX_LETTERS: usize = 10_000;

/// The queue, oldest first.
#[derive(Debug, Default)]
pub(crate) struct DeadLetters(Mutex<VecDeque<DeadLetter>>);

/// An event that failed in every attempt, as `GET /_stage/dead_letters` shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DeadLetter {
    /// The letter's own id: an event that was delivered twice can fail twice.
    #[serde(serialize_with = "text")]
    pub(crate) id: Arc<str>,
    #[serde(serialize_with = "text")]
    pub(crate) function: Arc<str>,
    /// `async`, or `schedule` and its name.
    #[serde(serialize_with = "text")]
    pub(crate) trigger: Arc<str>,
    #[serde(serialize_with = "text")]
    pub(crate) request_id: Arc<str>,
    /// When it was given up, in the stage's time.
    pub(crate) time: Timestamp,
    pub(crate) attempts: u32,
    /// How the last attempt ended.
    pub(crate) outcome: Outcome,
    /// The error of the last attempt, in words.
    pub(crate) reason: String,
    #[serde(serialize_with = "bytes")]
    pub(crate) event: Bytes,
}

impl DeadLetters {
    pub(crate) fn push(&self, letter: DeadLetter) {
        let mut letters = self.0.lock();
        if letters.len() == MAX_LETTERS {
            letters.pop_front();
        }
        letters.push_back(letter);
    }

    /// All of them, newest first.
    pub(crate) fn list(&self) -> Vec<DeadLetter> {
        self.0.lock().iter().rev().cloned().collect()
    }

    /// Takes out the letter with that id, or all of them without one; oldest first.
    pub(crate) fn take(&self, id: Option<&str>) -> Vec<DeadLetter> {
        let mut letters = self.0.lock();
        match id {
            None => letters.drain(..).collect(),
            Some(id) => {
                let position = letters.iter().position(|letter| *letter.id == *id);
                position.and_then(|position| letters.remove(position)).into_iter().collect()
            }
        }
    }

    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}

fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// The event as text, because it is shown as it was sent.
fn bytes<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{DeadLetter, DeadLetters};
    use crate::invocation::Outcome;

    #[test]
    fn letters_are_shown_newest_first_and_taken_once() {
        let letters = DeadLetters::default();
        for id in ["a", "b", "c"] {
            letters.push(DeadLetter {
                id: id.into(),
                function: "f".into(),
                trigger: "async".into(),
                request_id: "r".into(),
                time: Timestamp::UNIX_EPOCH,
                attempts: 3,
                outcome: Outcome::Error,
                reason: "asked to".to_owned(),
                event: "{}".into(),
            });
        }
        let ids = |letters: Vec<DeadLetter>| letters.iter().map(|letter| letter.id.to_string()).collect::<String>();
        assert_eq!(ids(letters.list()), "cba");
        assert_eq!(ids(letters.take(Some("b"))), "b");
        assert_eq!(ids(letters.take(Some("b"))), "");
        assert_eq!(ids(letters.take(None)), "ac");
        assert_eq!(ids(letters.list()), "");
    }
}
