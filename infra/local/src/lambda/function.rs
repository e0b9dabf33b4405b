//! A function and its pool of sandboxes: which are idle, which jobs wait, and when another sandbox starts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderValue;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::invocation::{Completion, History, Job, Outcome, Payload, Record};
use super::sandbox::{self, Sandbox};
use crate::account;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::log::{self, Lines};
use crate::tasks::Tasks;
use crate::template::FunctionSpec;

/// What all functions share.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) bin_dir: PathBuf,
    pub(crate) task_root: PathBuf,
    /// Folder of the log files; without it none are written.
    pub(crate) logs: Option<PathBuf>,
    /// Process group of the guardian.
    pub(crate) group: i32,
    /// Sandboxes that one function may have at a time.
    pub(crate) sandbox_limit: usize,
    /// An idle sandbox ends after this time.
    pub(crate) idle_limit: Duration,
    /// Variables that every function gets in addition to its own.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) clock: Clock,
    pub(crate) faults: Arc<Faults>,
    pub(crate) tasks: Tasks,
    /// Numbers invocation records and sandboxes.
    pub(crate) sequence: AtomicU64,
}

impl Host {
    pub(crate) fn next_number(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }
}

/// A function of the template. It survives a reload; its sandboxes do not.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) host: Arc<Host>,
    pub(crate) name: Arc<str>,
    pub(crate) arn: HeaderValue,
    pub(crate) log_file: Option<Arc<File>>,
    pub(crate) history: Mutex<History>,
    pool: Mutex<Pool>,
}

#[derive(Debug)]
struct Pool {
    spec: Arc<FunctionSpec>,
    /// Counts reloads: a sandbox of an older generation gets no more jobs.
    generation: u64,
    /// Jobs that no sandbox runs yet, oldest first.
    queue: VecDeque<Job>,
    /// The most recently used last; Lambda uses that one first.
    idle: Vec<Idle>,
    /// Sandboxes that have not asked for a job yet.
    starting: usize,
    /// All sandboxes, the starting ones included.
    alive: usize,
    /// Their processes; a sandbox that is starting may have none.
    processes: BTreeSet<u32>,
    /// Gets the log of a sandbox that does not become ready.
    warm_up: Option<oneshot::Sender<Lines>>,
}

#[derive(Debug)]
struct Idle {
    sandbox: Arc<Sandbox>,
    since: Instant,
    slot: oneshot::Sender<Job>,
}

/// The answer to a sandbox that asks for a job.
#[derive(Debug)]
pub(crate) enum Offer {
    Job(Job),
    Wait(oneshot::Receiver<Job>),
    /// It is of an older generation and ends.
    Retire,
}

/// How many sandboxes a function has.
#[derive(Debug)]
pub(crate) struct Sandboxes {
    pub(crate) alive: usize,
    pub(crate) busy: usize,
    /// Process ids.
    pub(crate) pids: Vec<u32>,
}

impl Function {
    pub(crate) fn new(host: &Arc<Host>, spec: FunctionSpec) -> io::Result<Arc<Self>> {
        let log_file = host.logs.as_deref().map(|folder| log::open_file(folder, &spec.name)).transpose()?;
        Ok(Arc::new(Self {
            host: Arc::clone(host),
            name: spec.name.as_str().into(),
            arn: HeaderValue::try_from(account::function_arn(&spec.name)).map_err(io::Error::other)?,
            log_file,
            history: Mutex::default(),
            pool: Mutex::new(Pool {
                spec: Arc::new(spec),
                generation: 0,
                queue: VecDeque::new(),
                idle: Vec::new(),
                starting: 0,
                alive: 0,
                processes: BTreeSet::new(),
                warm_up: None,
            }),
        }))
    }

    pub(crate) fn spec(&self) -> Arc<FunctionSpec> {
        Arc::clone(&self.pool.lock().spec)
    }

    pub(crate) fn sandboxes(&self) -> Sandboxes {
        let pool = self.pool.lock();
        Sandboxes {
            alive: pool.alive,
            busy: pool.alive - pool.starting - pool.idle.len(),
            pids: pool.processes.iter().copied().collect(),
        }
    }

    /// Records the process of a sandbox that is starting.
    pub(crate) fn on_spawn(&self, process: u32) {
        self.pool.lock().processes.insert(process);
    }

    /// Gives a job to the most recently used idle sandbox, else queues it and starts a sandbox within the limit.
    pub(crate) fn dispatch(self: &Arc<Self>, mut job: Job) {
        let mut pool = self.pool.lock();
        while let Some(idle) = pool.idle.pop() {
            // The connection of that sandbox may have broken while it waited.
            match idle.slot.send(job) {
                Ok(()) => return,
                Err(returned) => job = returned,
            }
        }
        pool.queue.push_back(job);
        self.start_needed(&mut pool);
    }

    /// Starts a sandbox and waits until it is ready. If it does not become ready, returns its log.
    pub(crate) async fn warm_up(self: &Arc<Self>) -> Option<Lines> {
        let (failed, receiver) = oneshot::channel();
        {
            let mut pool = self.pool.lock();
            pool.warm_up = Some(failed);
            self.start_needed(&mut pool);
        }
        // The sender is dropped once a sandbox is ready.
        receiver.await.ok()
    }

    /// A job for a sandbox; `first` when it asks for the first time.
    pub(crate) fn offer(&self, sandbox: &Arc<Sandbox>, first: bool) -> Offer {
        let mut pool = self.pool.lock();
        if first {
            pool.starting -= 1;
            pool.warm_up = None;
        }
        if sandbox.generation != pool.generation {
            return Offer::Retire;
        }
        if let Some(job) = pool.next_job() {
            return Offer::Job(job);
        }
        // A sandbox that asks again has dropped its earlier request.
        pool.idle.retain(|idle| idle.sandbox.number != sandbox.number);
        let (slot, receiver) = oneshot::channel();
        pool.idle.push(Idle { sandbox: Arc::clone(sandbox), since: Instant::now(), slot });
        Offer::Wait(receiver)
    }

    /// Removes a sandbox that has been idle for too long; else returns when to check again.
    pub(crate) fn expire_idle(&self, sandbox: &Sandbox, now: Instant) -> Option<Instant> {
        let mut pool = self.pool.lock();
        let Some(position) = pool.idle.iter().position(|idle| idle.sandbox.number == sandbox.number) else {
            return Some(now + self.host.idle_limit);
        };
        let end = pool.idle[position].since + self.host.idle_limit;
        if end > now {
            return Some(end);
        }
        pool.idle.remove(position);
        None
    }

    /// Removes a sandbox that has ended, and starts another if jobs wait. If it never became ready, the oldest job fails
    /// with `error`: callers do not wait for a function that cannot start.
    pub(crate) fn on_exit(self: &Arc<Self>, sandbox: &Sandbox, was_starting: bool, error: Payload) {
        let failure = was_starting.then(|| (sandbox.started.elapsed(), sandbox.log.lines(), error));
        let mut pool = self.pool.lock();
        pool.idle.retain(|idle| idle.sandbox.number != sandbox.number);
        pool.processes.remove(&sandbox.process);
        self.remove(pool, failure);
    }

    /// Applies a changed template or binary.
    pub(crate) fn update(&self, spec: FunctionSpec) {
        self.pool.lock().spec = Arc::new(spec);
        self.retire();
    }

    /// Ends all sandboxes: idle ones at once, busy ones with their request. Queued jobs get new ones.
    pub(crate) fn retire(&self) {
        let mut pool = self.pool.lock();
        pool.generation += 1;
        for idle in pool.idle.drain(..) {
            idle.sandbox.retire();
        }
    }

    /// Records an invocation and answers its caller.
    pub(crate) fn complete(&self, reply: oneshot::Sender<Completion>, record: Record, payload: Payload) {
        let record = Arc::new(record);
        self.history.lock().push(Arc::clone(&record));
        // The caller may have disconnected; Lambda does not stop the function either.
        let _ = reply.send(Completion { outcome: record.outcome, payload, record });
    }

    fn start_needed(self: &Arc<Self>, pool: &mut Pool) {
        let limit = pool.spec.concurrency.unwrap_or(usize::MAX).min(self.host.sandbox_limit);
        while pool.starting < pool.queue.len() + usize::from(pool.warm_up.is_some()) && pool.alive < limit {
            pool.starting += 1;
            pool.alive += 1;
            let (function, spec, generation) = (Arc::clone(self), Arc::clone(&pool.spec), pool.generation);
            self.host.tasks.spawn(async move {
                if let Err(error) = sandbox::run(&function, spec, generation).await {
                    function.on_spawn_error(&error);
                }
            });
        }
    }

    fn on_spawn_error(self: &Arc<Self>, error: &io::Error) {
        let why = format!("the sandbox cannot be started: {error}");
        let payload = sandbox::error_document("Runtime.InvalidEntrypoint", &why);
        self.remove(self.pool.lock(), Some((Duration::ZERO, Lines::new(Mutex::new(vec![why])), payload)));
    }

    /// Removes a sandbox from the counts. With a failure, it never became ready, and the oldest job fails.
    fn remove(self: &Arc<Self>, mut pool: MutexGuard<'_, Pool>, failure: Option<(Duration, Lines, Payload)>) {
        pool.alive -= 1;
        let failed = failure.map(|(init, log, error)| {
            pool.starting -= 1;
            if let Some(warm_up) = pool.warm_up.take() {
                // Fails if nobody waits any more.
                let _ = warm_up.send(Arc::clone(&log));
            }
            (pool.next_job(), init, log, error)
        });
        self.start_needed(&mut pool);
        drop(pool);
        if let Some((Some(job), init, log, error)) = failed {
            self.fail_init(job, init, log, error);
        }
    }

    fn fail_init(&self, job: Job, init: Duration, log: Lines, error: Payload) {
        let record = Record {
            sequence: self.host.next_number(),
            request_id: job.request_id,
            function: Arc::clone(&self.name),
            trigger: job.trigger,
            began: self.host.clock.now(),
            cold: true,
            init_ms: Some(init),
            duration_ms: Duration::ZERO,
            outcome: Outcome::InitError,
            code: OnceLock::new(),
            front_ms: OnceLock::new(),
            attempt: job.attempt,
            log,
        };
        self.complete(job.reply, record, error);
    }
}

impl Pool {
    /// The oldest job that has not expired.
    fn next_job(&mut self) -> Option<Job> {
        let now = Instant::now();
        while let Some(job) = self.queue.pop_front() {
            if job.expires > now {
                return Some(job);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, VecDeque};
    use std::sync::Arc;
    use std::time::Duration;

    use http::HeaderValue;
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::Pool;
    use crate::lambda::invocation::Job;
    use crate::template::FunctionSpec;

    fn job(id: &str, expires: Instant) -> Job {
        Job {
            request_id: id.into(),
            event: "{}".into(),
            trigger: "invoke".into(),
            attempt: 1,
            trace: HeaderValue::from_static(""),
            expires,
            reply: oneshot::channel().0,
        }
    }

    #[test]
    fn the_oldest_job_that_has_not_expired_is_next() {
        let now = Instant::now();
        let later = now + Duration::from_mins(1);
        let spec = FunctionSpec {
            name: "f".to_owned(),
            binary: "f".to_owned(),
            handler: "bootstrap".to_owned(),
            alias: None,
            memory_mb: 128,
            timeout: Duration::from_secs(3),
            max_retries: 2,
            max_event_age: Duration::from_hours(6),
            failed_events: None,
            concurrency: None,
            environment: BTreeMap::new(),
            routes: Vec::new(),
            waits_for_debugger: false,
        };
        let queue = VecDeque::from([job("expired", now), job("first", later), job("second", later)]);
        let mut pool = Pool {
            spec: Arc::new(spec),
            generation: 0,
            queue,
            idle: Vec::new(),
            starting: 0,
            warm_up: None,
            alive: 0,
            processes: BTreeSet::new(),
        };
        let mut next = || pool.next_job().map(|job| job.request_id.to_string());
        assert_eq!((next().as_deref(), next().as_deref(), next()), (Some("first"), Some("second"), None));
    }
}
