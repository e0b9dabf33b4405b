//! Runs that take effect once and do not overlap: what jobs and tasks are wrapped in, so that running them twice equals
//! running them once.

use std::future::Future;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::aws::{Clients, Tasks};
use crate::clock::Now;
use crate::config::{self, Config};
use crate::db::{Begun, Database, Run, Runs};
use crate::error::{Cause, Error, StartError, catch_panic};
use crate::models::report::Report;
use crate::models::tick::Tick;
use crate::random;

/// How long a run that lost its process stays taken. A living process renews it three times as often.
const LEASE: Duration = Duration::from_secs(5);

/// How long a delivery waits for another one that is running: until a lost process's lease has ended, and not much
/// longer.
const PATIENCE: Duration = Duration::from_secs(7);

/// The first pause between two looks, which is then doubled each time: most runs are short.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How far a piece of work has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// All is done; the run is remembered.
    Done(T),
    /// Time was short; the rest is for another call of the same run.
    More(T),
}

impl<T> Progress<T> {
    /// What was done.
    pub fn into_inner(self) -> T {
        match self {
            Self::Done(value) | Self::More(value) => value,
        }
    }

    /// The same progress, with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Progress<U> {
        match self {
            Self::Done(value) => Progress::Done(change(value)),
            Self::More(value) => Progress::More(change(value)),
        }
    }
}

/// The table of runs.
pub struct RunOnce {
    runs: Runs,
    zone: TimeZone,
}

/// Runs that are invoked again when their time was short.
pub struct Resumable {
    runs: RunOnce,
    tasks: Tasks,
}

impl RunOnce {
    /// Runs in the table of `database`.
    ///
    /// # Errors
    /// A variable that is missing.
    pub fn new(database: &Database, config: &Config) -> Result<Self, StartError> {
        Ok(Self { runs: Runs::new(database, config)?, zone: config.zone.clone() })
    }

    /// Does `work` for this tick of the function's schedule, unless it was done before. Two ticks of one function never
    /// overlap.
    ///
    /// # Errors
    /// That of `work`, after which the tick may be tried again; [`Error::Internal`] when another delivery runs for long;
    /// [`Error::Db`].
    pub async fn tick(
        &self,
        tick: &Tick,
        work: impl Future<Output = Result<Progress<Report>, Error>> + Send,
    ) -> Result<Progress<Report>, Error> {
        let now = self.now(tick);
        let function = config::function_name();
        let run = new_run(&format!("{function}#{}", tick.at), false)?;
        // Caught inside, so that a panic gives its run back.
        let work = async { catch_panic(work).await.and_then(|outcome| outcome) };
        let outcome = self.with_lease(&now, &function, self.run(&now, &run, work)).await?;
        Ok(outcome.unwrap_or_else(|| Progress::Done(Report::from(Value::from("done before")))))
    }

    /// Does `work` unless the run `name` was done before, which is `None`.
    ///
    /// # Errors
    /// As [`Self::tick`].
    pub async fn once<T>(
        &self,
        now: &Now,
        name: &str,
        work: impl Future<Output = Result<Progress<T>, Error>>,
    ) -> Result<Option<Progress<T>>, Error> {
        self.run(now, &new_run(name, false)?, work).await
    }

    /// [`Self::once`], remembered for ever.
    ///
    /// # Errors
    /// As [`Self::tick`].
    pub async fn once_for_ever<T>(
        &self,
        tick: &Tick,
        name: &str,
        work: impl Future<Output = Result<Progress<T>, Error>>,
    ) -> Result<Option<Progress<T>>, Error> {
        self.run(&self.now(tick), &new_run(name, true)?, work).await
    }

    async fn run<T>(
        &self,
        now: &Now,
        run: &Run,
        work: impl Future<Output = Result<Progress<T>, Error>>,
    ) -> Result<Option<Progress<T>>, Error> {
        match self.begin(now, run).await? {
            Begun::Finished => return Ok(None),
            Begun::Busy => return Err(busy(&run.name)),
            Begun::Ours => {}
        }
        let outcome = self.renewed(run, work).await;
        match outcome {
            Ok(Progress::Done(_)) => self.runs.finish(run, now).await?,
            // If this fails too, the lease ends by itself.
            _ => drop(self.runs.abandon(run).await),
        }
        outcome.map(Some)
    }

    /// Does `work` while nobody else does anything under `name`.
    async fn with_lease<T>(
        &self,
        now: &Now,
        name: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let run = new_run(name, false)?;
        match self.begin(now, &run).await? {
            Begun::Ours => {}
            Begun::Finished | Begun::Busy => return Err(busy(name)),
        }
        let outcome = self.renewed(&run, work).await;
        drop(self.runs.abandon(&run).await);
        outcome
    }

    /// Takes the run, or waits for the one that has it.
    async fn begin(&self, now: &Now, run: &Run) -> Result<Begun, Error> {
        let end = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = self.runs.begin(run, now, lease_ms()).await?;
            if !matches!(begun, Begun::Busy) || Instant::now() > end {
                return Ok(begun);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Renews the run while `work` goes on, and stops the work when the run is lost.
    async fn renewed<T>(&self, run: &Run, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let renewals = async {
            loop {
                tokio::time::sleep(LEASE / 3).await;
                self.runs.renew(run, lease_ms()).await?;
            }
        };
        tokio::select! {
            outcome = work => outcome,
            lost = renewals => lost,
        }
    }

    fn now(&self, tick: &Tick) -> Now {
        Now::new(tick.at, self.zone.clone())
    }
}

impl Resumable {
    /// Opens the table of runs.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        Self::new(&Database::connect(clients).await?, clients)
    }

    /// Runs in the table of `database`, whose functions Lambda invokes again.
    ///
    /// # Errors
    /// A variable that is missing.
    pub fn new(database: &Database, clients: &Clients) -> Result<Self, StartError> {
        Ok(Self { runs: RunOnce::new(database, &clients.config)?, tasks: Tasks::new(clients)? })
    }

    /// The runs, for work inside a tick.
    #[must_use]
    pub fn runs(&self) -> &RunOnce {
        &self.runs
    }

    /// As [`RunOnce::tick`]; a tick that says [`Progress::More`] is invoked again at once.
    ///
    /// # Errors
    /// As [`RunOnce::tick`], and [`Error::Http`] when Lambda does not take the event.
    pub async fn tick(
        &self,
        tick: &Tick,
        work: impl Future<Output = Result<Progress<Report>, Error>> + Send,
    ) -> Result<Report, Error> {
        match self.runs.tick(tick, work).await? {
            Progress::Done(report) => Ok(report),
            Progress::More(report) => {
                self.tasks.invoke(&config::function_name(), tick.event.as_bytes().to_vec()).await?;
                // The last part of the run has the metrics, so that CloudWatch gets them once.
                Ok(Report { metrics: Vec::new(), ..report })
            }
        }
    }
}

fn new_run(name: &str, for_ever: bool) -> Result<Run, Error> {
    Ok(Run { name: name.to_owned(), holder: random::unguessable()?, for_ever })
}

/// The error of a delivery that came while another one was running.
fn busy(name: &str) -> Error {
    Error::Internal(Cause::new(&format!("{name} is being run by another delivery")))
}

fn lease_ms() -> u64 {
    u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX)
}
