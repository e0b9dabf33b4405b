//! `EventBridge` Scheduler: fires every schedule of the template when the stage's time comes to it, one event a time.
//!
//! A stage that is kept goes on where it ended: its clock keeps its distance from real time, rates count from where they
//! did, and what was missed while it was down is fired at the start, one time after another. A stage that is not kept
//! begins anew.

mod state;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

pub(crate) use self::state::Description;
use self::state::{Entry, Kept, State, Tick, span, whole_second};
use crate::clock::Clock;
use crate::delivery::Delivery;
use crate::error::StageError;
use crate::lambda::{Event, Lambda};
use crate::shelf::Shelf;
use crate::tasks::Tasks;
use crate::template::ScheduleSpec;

/// The longest sleep; a machine that was suspended looks at its clock again after it.
const MAX_SLEEP: Duration = Duration::from_mins(1);

/// All schedules of the stage.
#[derive(Debug)]
pub(crate) struct Scheduler {
    lambda: Arc<Lambda>,
    clock: Clock,
    tasks: Tasks,
    state: Mutex<State>,
    shelf: Shelf<Kept>,
    /// Wakes [`Scheduler::run`] when the time or the schedules have changed.
    changed: Notify,
    /// Held while the clock is moved: one move ends before the next one begins.
    moving: tokio::sync::Mutex<()>,
}

/// The one file on the shelf.
const FILE: &str = "schedules";

/// A time that was handed over, and who tells how that ended; nobody if its function is no more.
type Started = (Tick, Option<oneshot::Receiver<Delivery>>);

impl Scheduler {
    /// With what the folder `folder` has kept; sets the clock to it.
    pub(crate) fn new(
        lambda: Arc<Lambda>,
        clock: Clock,
        tasks: Tasks,
        folder: Option<&Path>,
    ) -> Result<Self, StageError> {
        let shelf = Shelf::<Kept>::open(folder, "time")?;
        let kept = shelf.all()?.pop();
        if let Some(kept) = &kept {
            clock.set_offset_ms(kept.offset_ms);
        }
        let fired_until = kept.as_ref().map_or_else(|| clock.now(), |kept| kept.fired_until);
        let state = Mutex::new(State { fired_until, kept, ..State::default() });
        let (changed, moving) = (Notify::new(), tokio::sync::Mutex::default());
        Ok(Self { lambda, clock, tasks, state, shelf, changed, moving })
    }

    /// Replaces the schedules; one that is as before goes on counting.
    pub(crate) fn set_schedules(&self, specs: Vec<ScheduleSpec>) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let mut old = std::mem::take(&mut state.entries);
        let kept = state.kept.take().map_or_else(BTreeMap::new, |kept| kept.schedules);
        let fired_until = state.fired_until;
        for spec in specs {
            let entry = match (old.remove(&spec.name), kept.get(&spec.name)) {
                (Some(entry), _) if *entry.spec == spec => entry,
                (_, Some(kept)) if kept.is_of(&spec) => Entry::new(spec, kept.origin, fired_until.max(kept.origin)),
                _ => Entry::new(spec, now, now),
            };
            state.entries.insert(entry.spec.name.clone(), entry);
        }
        self.keep(&state);
        drop(state);
        self.changed.notify_one();
    }

    /// Fires what was missed, one time after another, and then what is due, as long as the stage lives.
    pub(crate) async fn run(self: Arc<Self>) -> Infallible {
        // Nothing ages while no time passes.
        let _ = self.advance(Duration::ZERO, |_| ready(Ok(()))).await;
        loop {
            let now = self.clock.now();
            let started = self.start_due(&mut self.state.lock(), now);
            for (tick, receiver) in started {
                let scheduler = Arc::clone(&self);
                // On AWS, too, an event that still runs does not hold up the next one.
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

    /// Moves the stage's time on, with `age` for what is stored; fires every time on the way.
    ///
    /// The clock stops at each of these times and goes on when the events have ended, those of one time side by side.
    /// So a function finds the stage as it would have been then: what was to expire later is still there. Returns
    /// when the last event has ended.
    pub(crate) async fn advance<F>(&self, by: Duration, age: impl Fn(Duration) -> F) -> Result<(), StageError>
    where
        F: Future<Output = Result<(), StageError>>,
    {
        let _alone = self.moving.lock().await;
        let resets = self.state.lock().resets;
        let mut left = by;
        loop {
            let now = self.clock.now();
            let next = self.state.lock().earliest().filter(|next| span(now, *next) <= left);
            let step = next.map_or(left, |next| span(now, next));
            if !step.is_zero() {
                age(step).await?;
            }
            let under_way = {
                let mut state = self.state.lock();
                if state.resets != resets {
                    return Ok(());
                }
                // In one with taking the ticks, so that `run` cannot fire them first.
                self.clock.advance(step);
                let until = next.unwrap_or(state.fired_until);
                self.start_due(&mut state, until)
            };
            self.changed.notify_one();
            left -= step;
            for (tick, receiver) in under_way {
                self.finish(&tick, receiver).await;
            }
            if next.is_none() {
                return Ok(());
            }
        }
    }

    /// Fires a schedule as if that time had come, or now; none if there is no such schedule.
    pub(crate) async fn fire_now(&self, name: &str, time: Option<Timestamp>) -> Option<(Timestamp, Option<Delivery>)> {
        let time = whole_second(time.unwrap_or_else(|| self.clock.now()));
        let tick = self.find(name, time)?;
        Some((time, self.fire(tick).await))
    }

    /// The tick of a schedule by its own name, or by the binary of its function, which is the shorter one.
    fn find(&self, name: &str, time: Timestamp) -> Option<Tick> {
        let state = self.state.lock();
        let starts = |entry: &&Entry| {
            self.lambda.function(&entry.spec.function).is_some_and(|function| function.spec().binary == name)
        };
        let entry = state.entries.get(name).or_else(|| state.entries.values().find(starts))?;
        Some(entry.tick(time))
    }

    /// Real time again, and nothing has fired yet.
    pub(crate) fn reset(&self) {
        let mut state = self.state.lock();
        state.resets += 1;
        self.clock.set_offset_ms(0);
        let now = self.clock.now();
        state.fired_until = now;
        for entry in state.entries.values_mut() {
            *entry = Entry::new(ScheduleSpec::clone(&entry.spec), now, now);
        }
        self.keep(&state);
        drop(state);
        self.changed.notify_one();
    }

    pub(crate) fn describe(&self) -> Vec<Description> {
        self.state.lock().entries.values().map(Entry::describe).collect()
    }

    /// All schedules and when they fire, for people.
    pub(crate) fn expressions(&self) -> Vec<(String, String)> {
        let state = self.state.lock();
        let specs = state.entries.values().map(|entry| &entry.spec);
        specs.map(|spec| (spec.name.clone(), format!("{} {}", spec.expression, spec.zone))).collect()
    }

    async fn fire(&self, tick: Tick) -> Option<Delivery> {
        let (tick, receiver) = self.start(&mut self.state.lock(), tick);
        self.finish(&tick, receiver).await
    }

    /// Takes what is due, hands it over, and only then writes down that it has: a stage that is killed in between
    /// hands it over twice, as AWS may, and not never.
    fn start_due(&self, state: &mut State, until: Timestamp) -> Vec<Started> {
        let ticks = state.take_due(until);
        let started = ticks.into_iter().map(|tick| self.start(state, tick)).collect();
        self.keep(state);
        started
    }

    fn start(&self, state: &mut State, tick: Tick) -> Started {
        state.note(&tick, None);
        let receiver = self.lambda.function(&tick.spec.function).map(|function| {
            let event = Event::new(tick.payload(), self.clock.now());
            self.lambda.deliver(function, event, &tick.trigger, Some(Arc::clone(&tick.spec)))
        });
        (tick, receiver)
    }

    fn keep(&self, state: &State) {
        let schedules = state.entries.values().map(|entry| (entry.spec.name.clone(), entry.kept())).collect();
        let (offset_ms, fired_until) = (self.clock.offset_ms(), state.fired_until);
        self.shelf.put(FILE, &Kept { offset_ms, fired_until, schedules });
    }

    /// None if the event was dropped by a reset, or its function by a reload.
    async fn finish(&self, tick: &Tick, receiver: Option<oneshot::Receiver<Delivery>>) -> Option<Delivery> {
        let delivery = receiver?.await.ok()?;
        self.state.lock().note(tick, Some(delivery.outcome));
        Some(delivery)
    }
}
