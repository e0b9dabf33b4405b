//! The dead letters: events that were given up, kept until they are driven again.
//!
//! AWS keeps them in the queue that a function or a schedule names; the stage has one list for all, and each letter
//! says its queue.

use std::collections::VecDeque;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::error::StageError;
use crate::invocation::Outcome;
use crate::shelf::Shelf;

/// Letters that are kept; a further one pushes the oldest out.
const MAX_LETTERS: usize = 10_000;

/// All letters, oldest first.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    letters: Mutex<VecDeque<DeadLetter>>,
    shelf: Shelf<DeadLetter>,
}

/// An event that was given up, as `GET /_stage/dead_letters` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    /// The letter's own id: an event that was delivered twice can fail twice.
    pub(crate) id: String,
    /// Where AWS would keep it; null if nowhere: then AWS would have thrown it away.
    pub(crate) queue: Option<String>,
    pub(crate) condition: Condition,
    pub(crate) function: String,
    /// `async`, or `schedule` and its name.
    pub(crate) trigger: String,
    pub(crate) request_id: String,
    /// When it was given up, in the stage's time.
    pub(crate) time: Timestamp,
    pub(crate) attempts: u32,
    /// How the last attempt ended.
    pub(crate) outcome: Outcome,
    /// The error of the last attempt, in words.
    pub(crate) reason: String,
    /// As it was sent.
    pub(crate) event: String,
}

/// Why an event was given up, in the words of Lambda's invocation record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Condition {
    RetriesExhausted,
    EventAgeExceeded,
}

impl DeadLetters {
    /// With the letters on the shelf.
    pub(crate) fn new(shelf: Shelf<DeadLetter>) -> Result<Self, StageError> {
        let mut letters = shelf.all()?;
        letters.sort_by_key(|letter| letter.time);
        Ok(Self { letters: Mutex::new(letters.into()), shelf })
    }

    pub(crate) fn push(&self, letter: DeadLetter) {
        let mut letters = self.letters.lock();
        if letters.len() == MAX_LETTERS
            && let Some(oldest) = letters.pop_front()
        {
            self.shelf.remove(&oldest.id);
        }
        self.shelf.put(&letter.id, &letter);
        letters.push_back(letter);
    }

    /// All of them, newest first.
    pub(crate) fn list(&self) -> Vec<DeadLetter> {
        self.letters.lock().iter().rev().cloned().collect()
    }

    /// How many there are, and the id of the newest: equal as long as nothing has come or gone.
    pub(crate) fn mark(&self) -> (usize, Option<String>) {
        let letters = self.letters.lock();
        (letters.len(), letters.back().map(|letter| letter.id.clone()))
    }

    /// Takes out the letter with that id, or all of them without one; oldest first. They outlive the stage until they
    /// are forgotten.
    pub(crate) fn take(&self, id: Option<&str>) -> Vec<DeadLetter> {
        let mut letters = self.letters.lock();
        match id {
            None => letters.drain(..).collect(),
            Some(id) => {
                let position = letters.iter().position(|letter| letter.id == id);
                position.and_then(|position| letters.remove(position)).into_iter().collect()
            }
        }
    }

    /// Keeps a letter no longer that was taken out.
    pub(crate) fn forget(&self, id: &str) {
        self.shelf.remove(id);
    }

    pub(crate) fn clear(&self) {
        self.letters.lock().clear();
        self.shelf.clear();
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Condition, DeadLetter, DeadLetters};
    use crate::invocation::Outcome;
    use crate::shelf::Shelf;

    #[test]
    fn letters_are_shown_newest_first_and_taken_once() {
        let letters = DeadLetters::new(Shelf::open(None, "dead_letters").unwrap()).unwrap();
        for id in ["a", "b", "c"] {
            letters.push(DeadLetter {
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
        let ids = |letters: Vec<DeadLetter>| letters.into_iter().map(|letter| letter.id).collect::<String>();
        assert_eq!(ids(letters.list()), "cba");
        assert_eq!(ids(letters.take(Some("b"))), "b");
        assert_eq!(ids(letters.take(Some("b"))), "");
        assert_eq!(ids(letters.take(None)), "ac");
        assert_eq!(ids(letters.list()), "");
    }
}
