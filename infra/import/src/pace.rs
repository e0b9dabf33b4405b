//! How fast the import writes: at most the given rate, and less while DynamoDB throttles it.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// The slowest pace in writes a second.
const SLOWEST: f64 = 5.0;

/// How long a pace stands before it changes again: many writes in flight meet the same throttle.
const STEADY: Duration = Duration::from_secs(1);

/// Turns at a pace that adapts.
pub(crate) struct Pace(Mutex<State>);

struct State {
    per_sec: f64,
    most: f64,
    next: Instant,
    changed: Instant,
}

impl Pace {
    pub(crate) fn new(most: u32) -> Self {
        let (most, now) = (f64::from(most), Instant::now());
        Self(Mutex::new(State { per_sec: most, most, next: now, changed: now }))
    }

    /// Waits for the next turn. A second without a refusal makes the pace a tenth faster.
    pub(crate) async fn turn(&self) {
        let at = {
            let mut state = self.0.lock().await;
            let now = Instant::now();
            if state.per_sec < state.most && now >= state.changed + STEADY {
                state.per_sec = (state.per_sec * 1.1).min(state.most);
                state.changed = now;
            }
            let at = state.next.max(now);
            state.next = at + Duration::from_secs_f64(1.0 / state.per_sec);
            at
        };
        sleep_until(at).await;
    }

    /// The table refused: half as fast, at most once a second.
    pub(crate) async fn slow_down(&self) {
        let mut state = self.0.lock().await;
        let now = Instant::now();
        if now >= state.changed + STEADY || state.per_sec >= state.most {
            state.per_sec = (state.per_sec / 2.0).max(SLOWEST);
            state.changed = now;
        }
    }
}
