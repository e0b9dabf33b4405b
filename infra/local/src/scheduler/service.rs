//! Fires every schedule of the template at its times, in emulated time, one event for each time.
//!
//! With stored state it continues: the clock keeps its offset from real time, rates count from their origin, and times
//! that passed while the emulator was down fire at the start, in order.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::sleep;

use super::state::{Description, Entry, SchedulerState, State, Tick, span, whole_second};
use crate::clock::Clock;
use crate::error::EmulatorError;
use crate::lambda::{Delivery, Event, Lambda};
use crate::state_dir::StateDir;
use crate::tasks::Tasks;
use crate::template::ScheduleSpec;

/// The longest sleep; after it a machine that was suspended reads its clock again.
const MAX_SLEEP: Duration = Duration::from_mins(1);

/// All schedules.
#[derive(Debug)]
pub(crate) struct Scheduler {
    lambda: Arc<Lambda>,
    clock: Clock,
    tasks: Tasks,
    state: Mutex<State>,
    stored: StateDir<SchedulerState>,
    /// Wakes [`Scheduler::run`] when the time or the schedules have changed.
    changed: Notify,
    /// Held while the clock moves: one move ends before the next begins.
    moving: tokio::sync::Mutex<()>,
    /// Counts the events that moves of the clock have fired.
    fired: watch::Sender<u64>,
}

/// The only stored file.
const FILE: &str = "schedules";

/// A time that was passed to Lambda, and its result; `None` if its function is gone.
type Started = (Tick, Option<oneshot::Receiver<Delivery>>);

impl Scheduler {
    /// With the state in `folder`, which also sets the clock.
    pub(crate) fn new(
        lambda: Arc<Lambda>,
        clock: Clock,
        tasks: Tasks,
        folder: Option<&Path>,
    ) -> Result<Self, EmulatorError> {
        let folder = StateDir::<SchedulerState>::open(folder, "time")?;
        let stored = folder.read_all()?.pop();
        if let Some(stored) = &stored {
            clock.set_offset_ms(stored.offset_ms);
        }
        let fired_until = stored.as_ref().map_or_else(|| clock.now(), |stored| stored.fired_until);
        let state = Mutex::new(State { fired_until, stored, ..State::default() });
        let (changed, moving, fired) = (Notify::new(), tokio::sync::Mutex::default(), watch::Sender::default());
        Ok(Self { lambda, clock, tasks, state, stored: folder, changed, moving, fired })
    }

    /// Replaces the schedules; an unchanged one continues.
    pub(crate) fn set_schedules(&self, specs: Vec<ScheduleSpec>) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let mut old = std::mem::take(&mut state.entries);
        let stored = state.stored.take().map_or_else(BTreeMap::new, |stored| stored.schedules);
        let fired_until = state.fired_until;
        for spec in specs {
            let entry = match (old.remove(&spec.name), stored.get(&spec.name)) {
                (Some(entry), _) if *entry.spec == spec => entry,
                (_, Some(stored)) if stored.is_of(&spec) => {
                    Entry::new(spec, stored.origin, fired_until.max(stored.origin))
                }
                _ => Entry::new(spec, now, now),
            };
            state.entries.insert(entry.spec.name.clone(), entry);
        }
        self.save(&state);
        drop(state);
        self.changed.notify_one();
    }

    /// Fires missed times in order, and then what becomes due. Never returns.
    pub(crate) async fn run(self: Arc<Self>) -> Infallible {
        // No time passes, so nothing ages.
        let _ = self.advance(Duration::ZERO, |_, _| ready(Ok(()))).await;
        loop {
            let now = self.clock.now();
            let started = self.start_due(&mut self.state.lock(), now);
            for (tick, receiver) in started {
                let scheduler = Arc::clone(&self);
                // On AWS a running event does not delay the next one either.
                self.tasks.spawn(async move {
                    scheduler.finish(&tick, receiver).await;
                });
            }
            let wait = self.state.lock().earliest().map_or(MAX_SLEEP, |next| span(now, next).min(MAX_SLEEP));
            tokio::select! {
                () = sleep(wait) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Moves the clock forward and fires every time on the way. `age` lets that time pass for stored data, and receives
    /// whether the step is the last one.
    ///
    /// The clock stops at each of these times until its events have ended; events of one time run concurrently. So a
    /// function sees the stores as they would have been then: what expires later is still there. Returns when the last
    /// event has ended.
    pub(crate) async fn advance<F>(&self, by: Duration, age: impl Fn(Duration, bool) -> F) -> Result<(), EmulatorError>
    where
        F: Future<Output = Result<(), EmulatorError>>,
    {
        let _guard = self.moving.lock().await;
        let resets = {
            let mut state = self.state.lock();
            state.moving_to = self.clock.now().checked_add(by).ok();
            state.resets
        };
        let result = self.advance_until(by, resets, age).await;
        self.state.lock().moving_to = None;
        result
    }

    async fn advance_until<F>(
        &self,
        mut left: Duration,
        resets: u64,
        age: impl Fn(Duration, bool) -> F,
    ) -> Result<(), EmulatorError>
    where
        F: Future<Output = Result<(), EmulatorError>>,
    {
        loop {
            let now = self.clock.now();
            let next = self.state.lock().earliest().filter(|next| span(now, *next) <= left);
            let step = next.map_or(left, |next| span(now, next));
            if !step.is_zero() {
                age(step, next.is_none()).await?;
            }
            let started = {
                let mut state = self.state.lock();
                if state.resets != resets {
                    return Ok(());
                }
                // Under the same lock as taking the ticks, so that `run` cannot fire them first.
                self.clock.advance(step);
                let until = next.unwrap_or(state.fired_until);
                self.start_due(&mut state, until)
            };
            self.changed.notify_one();
            left -= step;
            for (tick, receiver) in started {
                self.finish(&tick, receiver).await;
                self.fired.send_modify(|fired| *fired += 1);
            }
            if next.is_none() {
                return Ok(());
            }
        }
    }

    /// Where a running move of the clock ends.
    pub(crate) fn moving_to(&self) -> Option<Timestamp> {
        self.state.lock().moving_to
    }

    /// Waits until moves of the clock have fired that many more events.
    pub(crate) async fn fired(&self, more: u64) {
        let mut fired = self.fired.subscribe();
        let enough = *fired.borrow() + more;
        // Cannot fail: `self` owns the sender.
        let _ = fired.wait_for(|fired| *fired >= enough).await;
    }

    /// Fires a schedule for that time, or for now; `None` if there is no such schedule.
    pub(crate) async fn fire_now(&self, name: &str, time: Option<Timestamp>) -> Option<(Timestamp, Option<Delivery>)> {
        let time = whole_second(time.unwrap_or_else(|| self.clock.now()));
        let tick = self.find(name, time)?;
        Some((time, self.fire(tick).await))
    }

    /// The tick of a schedule, by its name or by the binary of its function, which is shorter.
    fn find(&self, name: &str, time: Timestamp) -> Option<Tick> {
        let state = self.state.lock();
        let starts = |entry: &&Entry| {
            self.lambda.function(&entry.spec.function).is_some_and(|function| function.spec().binary == name)
        };
        let entry = state.entries.get(name).or_else(|| state.entries.values().find(starts))?;
        Some(entry.tick(time))
    }

    /// Sets real time and forgets what has fired.
    pub(crate) fn reset(&self) {
        let mut state = self.state.lock();
        state.resets += 1;
        self.clock.set_offset_ms(0);
        let now = self.clock.now();
        state.fired_until = now;
        for entry in state.entries.values_mut() {
            *entry = Entry::new(ScheduleSpec::clone(&entry.spec), now, now);
        }
        self.save(&state);
        drop(state);
        self.changed.notify_one();
    }

    pub(crate) fn describe(&self) -> Vec<Description> {
        self.state.lock().entries.values().map(Entry::describe).collect()
    }

    /// All schedules with expression and time zone, for display.
    pub(crate) fn expressions(&self) -> Vec<(String, String)> {
        let state = self.state.lock();
        let specs = state.entries.values().map(|entry| &entry.spec);
        specs.map(|spec| (spec.name.clone(), format!("{} {}", spec.expression, spec.zone))).collect()
    }

    async fn fire(&self, tick: Tick) -> Option<Delivery> {
        let (tick, receiver) = self.start(&mut self.state.lock(), tick);
        self.finish(&tick, receiver).await
    }

    /// Passes due times to Lambda, and only then stores that: an emulator that is killed in between fires them twice, as
    /// AWS may, rather than never.
    fn start_due(&self, state: &mut State, until: Timestamp) -> Vec<Started> {
        let ticks = state.take_due(until);
        let started = ticks.into_iter().map(|tick| self.start(state, tick)).collect();
        self.save(state);
        started
    }

    fn start(&self, state: &mut State, tick: Tick) -> Started {
        state.record(&tick, None);
        let receiver = self.lambda.function(&tick.spec.function).map(|function| {
            let event = Event::new(tick.payload(), self.clock.now());
            self.lambda.deliver(function, event, &tick.trigger, Some(Arc::clone(&tick.spec)))
        });
        (tick, receiver)
    }

    fn save(&self, state: &State) {
        let schedules = state.entries.values().map(|entry| (entry.spec.name.clone(), entry.state())).collect();
        let (offset_ms, fired_until) = (self.clock.offset_ms(), state.fired_until);
        self.stored.write(FILE, &SchedulerState { offset_ms, fired_until, schedules });
    }

    /// `None` if a reset dropped the event, or a reload its function.
    async fn finish(&self, tick: &Tick, receiver: Option<oneshot::Receiver<Delivery>>) -> Option<Delivery> {
        let delivery = receiver?.await.ok()?;
        self.state.lock().record(tick, Some(delivery.outcome));
        Some(delivery)
    }
}
