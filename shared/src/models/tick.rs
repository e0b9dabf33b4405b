//! One scheduled time of a job.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// What a call needs after its last batch, to write down how far the work has come and to answer.
const MARGIN: Duration = Duration::from_secs(2);

/// One run of a job.
pub struct Tick {
    /// The time that it was scheduled for.
    pub at: Timestamp,
    /// The event, with which the rest of the run can be started again.
    pub event: String,
    ends: Instant,
}

impl Tick {
    /// A run in a call that has so much time left.
    #[must_use]
    pub fn new(at: Timestamp, left: Duration, event: String) -> Self {
        Self { at, event, ends: Instant::now() + left.saturating_sub(MARGIN) }
    }

    /// Whether there is time for another bounded batch.
    #[must_use]
    pub fn has_time(&self) -> bool {
        Instant::now() < self.ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_time_until_shortly_before_the_deadline() {
        let tick = |left| Tick::new(Timestamp::UNIX_EPOCH, left, String::new());
        assert!(tick(Duration::from_mins(1)).has_time());
        assert!(!tick(MARGIN).has_time() && !tick(Duration::ZERO).has_time());
    }
}
