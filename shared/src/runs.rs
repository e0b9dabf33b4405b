//! Once, and one at a time: what jobs and tasks are wrapped in, so that doing them twice equals doing them once.

use std::future::Future;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::ctx::Ctx;
use crate::error::{Cause, Error};
use crate::random;
use crate::store::runs::{Begun, Run};

/// How long a run that lost its process stays taken. While the process lives it is renewed three times as often.
const LEASE: Duration = Duration::from_secs(5);

/// How long one waits for somebody else who is at it: until a lost process's lease has ended, and not much longer.
const PATIENCE: Duration = Duration::from_secs(7);

/// How soon one looks again meanwhile, which is then doubled each time: most of those who are waited for are short.
const FIRST_LOOK: Duration = Duration::from_millis(10);

/// How often one looks at least.
const LOOK: Duration = Duration::from_millis(250);

/// Left of a tick to write down how far the work has come, and to answer.
const MARGIN: Duration = Duration::from_secs(2);

/// One run of a job.
pub struct Tick {
    /// The time it was scheduled for; [`Ctx::now`] is the same.
    pub at: Timestamp,
    ends: Instant,
}

impl Tick {
    pub(crate) fn new(at: Timestamp, left: Duration) -> Self {
        Self { at, ends: Instant::now() + left.saturating_sub(MARGIN) }
    }

    /// Whether there is time for another bounded batch. Without, return [`Progress::More`].
    #[must_use]
    pub fn has_time(&self) -> bool {
        Instant::now() < self.ends
    }
}

/// How far a piece of work has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// All is done; the run is remembered.
    Done(T),
    /// Time was short; the rest is for another call of the same run.
    More(T),
}

impl<T> Progress<T> {
    /// The same progress, told otherwise.
    pub fn map<U>(self, tell: impl FnOnce(T) -> U) -> Progress<U> {
        match self {
            Self::Done(what) => Progress::Done(tell(what)),
            Self::More(what) => Progress::More(tell(what)),
        }
    }
}

/// Does `work` unless the run `name` was done before, which is `None`.
///
/// # Errors
/// That of `work`, after which the run may be tried again; [`Error::Internal`] when another delivery is at it for long;
/// [`Error::Db`].
pub async fn once<T>(
    ctx: &Ctx,
    name: &str,
    work: impl Future<Output = Result<Progress<T>, Error>>,
) -> Result<Option<Progress<T>>, Error> {
    once_as(ctx, run(name, false)?, work).await
}

/// [`once`], remembered for ever.
///
/// # Errors
/// As [`once`].
pub async fn once_for_ever<T>(
    ctx: &Ctx,
    name: &str,
    work: impl Future<Output = Result<Progress<T>, Error>>,
) -> Result<Option<Progress<T>>, Error> {
    once_as(ctx, run(name, true)?, work).await
}

async fn once_as<T>(
    ctx: &Ctx,
    run: Run,
    work: impl Future<Output = Result<Progress<T>, Error>>,
) -> Result<Option<Progress<T>>, Error> {
    match begin(ctx, &run).await? {
        Begun::Finished => return Ok(None),
        Begun::Busy => return Err(busy(&run.name)),
        Begun::Ours => {}
    }
    let outcome = held(ctx, &run, work).await;
    match outcome {
        Ok(Progress::Done(_)) => ctx.store()?.finish_run(&run, &ctx.now()).await?,
        // If this fails too, the lease ends by itself.
        _ => drop(ctx.store()?.abandon_run(&run).await),
    }
    outcome.map(Some)
}

/// Does `work` while nobody else does anything under `name`.
///
/// # Errors
/// That of `work`; [`Error::Internal`] when somebody else is at it for long; [`Error::Db`].
pub async fn alone<T>(ctx: &Ctx, name: &str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let run = run(name, false)?;
    match begin(ctx, &run).await? {
        Begun::Ours => {}
        Begun::Finished | Begun::Busy => return Err(busy(name)),
    }
    let outcome = held(ctx, &run, work).await;
    drop(ctx.store()?.abandon_run(&run).await);
    outcome
}

fn run(name: &str, for_ever: bool) -> Result<Run, Error> {
    Ok(Run { name: name.to_owned(), holder: random::unguessable()?, for_ever })
}

/// Takes the run, or waits for whoever has it.
async fn begin(ctx: &Ctx, run: &Run) -> Result<Begun, Error> {
    let end = Instant::now() + PATIENCE;
    let mut look = FIRST_LOOK;
    loop {
        let begun = ctx.store()?.begin_run(run, &ctx.now(), lease_ms()).await?;
        if !matches!(begun, Begun::Busy) || Instant::now() > end {
            return Ok(begun);
        }
        tokio::time::sleep(look).await;
        look = (look * 2).min(LOOK);
    }
}

/// The error of somebody who came while another was at work.
fn busy(name: &str) -> Error {
    Error::Internal(Cause::new(&format!("{name} is being done by somebody else right now")))
}

fn lease_ms() -> u64 {
    u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX)
}

/// Renews the run while `work` goes on, and stops the work when the run is lost.
async fn held<T>(ctx: &Ctx, run: &Run, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let renewals = async {
        loop {
            tokio::time::sleep(LEASE / 3).await;
            ctx.store()?.renew_run(run, lease_ms()).await?;
        }
    };
    tokio::select! {
        outcome = work => outcome,
        lost = renewals => lost,
    }
}
