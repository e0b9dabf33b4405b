//! A value with a time-to-live, for what a warm sandbox need not read again: the keys of the secret store.
//!
//! Caches such as `moka` count a value's age by the clock of the process. This one counts by the time that events bring,
//! because that clock may stand still while a sandbox is frozen.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// After a failure an old value goes on for so long before the next try, so that a store that is down does not delay
/// every request.
const PAUSE: Duration = Duration::from_secs(30);

/// One value with a time-to-live. An old value goes on when it cannot be renewed.
pub(super) struct TtlCache<T> {
    ttl: Duration,
    slot: Mutex<Option<CachedValue<T>>>,
}

#[derive(Clone)]
struct CachedValue<T> {
    value: T,
    made: Timestamp,
    /// When it could last not be renewed.
    failed: Option<Timestamp>,
}

impl<T: Clone> TtlCache<T> {
    /// An empty place for a value that is good for `ttl`.
    #[must_use]
    pub(super) fn new(ttl: Duration) -> Self {
        Self { ttl, slot: Mutex::new(None) }
    }

    /// The value, made by `make` when there is none or it is too old at `now`.
    ///
    /// # Errors
    /// That of `make`, when there is no old value to go on with.
    pub(super) async fn get_or<E>(&self, now: Timestamp, make: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let cached = self.slot().clone();
        if let Some(cached) = &cached
            && (is_within(cached.made, self.ttl, now) || cached.failed.is_some_and(|at| is_within(at, PAUSE, now)))
        {
            return Ok(cached.value.clone());
        }
        // On the heap, because it is large and seldom needed.
        match (Box::pin(make).await, cached) {
            (Ok(value), _) => {
                self.set(now, value.clone());
                Ok(value)
            }
            (Err(_), Some(old)) => {
                *self.slot() = Some(CachedValue { failed: Some(now), ..old.clone() });
                Ok(old.value)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Takes a value that was made at `now`.
    pub(super) fn set(&self, now: Timestamp, value: T) {
        *self.slot() = Some(CachedValue { value, made: now, failed: None });
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<CachedValue<T>>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job's time may lie long before the time of the call before it; then nothing is known of the value's age.
fn is_within(from: Timestamp, span: Duration, now: Timestamp) -> bool {
    now.duration_since(from).unsigned_abs() < span
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[tokio::test]
    async fn a_value_is_made_once_within_its_time() {
        let cache = TtlCache::new(Duration::from_mins(1));
        for (now, made, expected) in [(100, 1, 1), (159, 2, 1), (160, 3, 3), (101, 4, 3), (100, 5, 5)] {
            assert_eq!(cache.get_or(at(now), async { Ok::<_, ()>(made) }).await, Ok(expected), "{now}");
        }
    }

    #[tokio::test]
    async fn an_old_value_survives_a_failure_and_is_not_renewed_at_once() {
        let cache = TtlCache::new(Duration::from_mins(1));
        assert_eq!(cache.get_or(at(0), async { Err::<u8, _>("down") }).await, Err("down"));
        for (now, made, expected) in [(0, Ok(1), 1), (60, Err("down"), 1), (89, Ok(2), 1), (90, Ok(3), 3)] {
            assert_eq!(cache.get_or(at(now), async { made }).await, Ok(expected), "{now}");
        }
    }
}
