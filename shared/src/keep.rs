//! What a warm sandbox may keep for a while: secrets, discovered endpoints.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One value with a time-to-live. An old value goes on when it cannot be renewed.
pub struct Keep<T> {
    ttl: Duration,
    slot: Mutex<Option<(T, Instant)>>,
}

impl<T: Clone> Keep<T> {
    /// An empty place for a value that is good for `ttl`.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self { ttl, slot: Mutex::new(None) }
    }

    /// The value, made by `make` when there is none or it is too old.
    ///
    /// # Errors
    /// That of `make`, when there is no old value to go on with.
    pub async fn get_or<E>(&self, make: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let kept = self.slot.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match kept {
            Some((value, at)) if at.elapsed() < self.ttl => Ok(value),
            kept => match (make.await, kept) {
                (Ok(value), _) => {
                    let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
                    *slot = Some((value.clone(), Instant::now()));
                    Ok(value)
                }
                (Err(_), Some((old, _))) => Ok(old),
                (Err(error), None) => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn a_value_is_made_once_within_its_time() {
        let keep = Keep::new(Duration::from_mins(1));
        assert_eq!(keep.get_or(ready(Ok::<_, ()>(1))).await, Ok(1));
        assert_eq!(keep.get_or(ready(Ok::<_, ()>(2))).await, Ok(1));
    }

    #[tokio::test]
    async fn an_old_value_is_renewed_and_survives_a_failure() {
        let keep = Keep::new(Duration::ZERO);
        assert_eq!(keep.get_or(ready(Err::<u8, _>("down"))).await, Err("down"));
        assert_eq!(keep.get_or(ready(Ok::<_, &str>(1))).await, Ok(1));
        assert_eq!(keep.get_or(ready(Err("down"))).await, Ok(1));
        assert_eq!(keep.get_or(ready(Ok::<_, &str>(2))).await, Ok(2));
    }
}
