//! A sandbox: a process of a function, the runtime API on a port of its own, and the supervision of both.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::function::{Function, Host};
use super::invocation::{Completion, Job, Outcome, Payload, Record};
use super::runtime_api;
use crate::account;
use crate::log::{Lines, LogPipe};
use crate::random;
use crate::server;
use crate::template::FunctionSpec;

/// Source: AWS Lambda Developer Guide, "Lambda execution environment": the init phase is limited to 10 seconds.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// Begins the last log line of a process that ended by itself.
pub(crate) const RUNTIME_EXITED: &str = "Runtime exited with error: ";

/// A process from its start to its end.
#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) number: u64,
    /// Process id.
    pub(crate) process: u32,
    pub(crate) generation: u64,
    pub(crate) function: Arc<Function>,
    pub(crate) spec: Arc<FunctionSpec>,
    pub(crate) log: LogPipe,
    pub(crate) started: Instant,
    state: Mutex<State>,
    /// Wakes `supervise` to end the sandbox.
    end: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Time from the start of the process until it asked for its first event.
    init: Option<Duration>,
    /// Whether it has received an event.
    served: bool,
    /// Set when the sandbox is about to end: it gets no more events.
    closed: bool,
    /// Set when it is to be killed during an invocation.
    killed: bool,
    active: Option<Active>,
    init_error: Option<Bytes>,
}

/// The invocation that a sandbox is running.
#[derive(Debug)]
pub(crate) struct Active {
    request_id: Arc<str>,
    trigger: Arc<str>,
    attempt: u32,
    cold: bool,
    started: Instant,
    /// The same moment in emulated time.
    began: Timestamp,
    log: Lines,
    reply: oneshot::Sender<Completion>,
}

/// Why a sandbox ended.
#[derive(Debug)]
enum End {
    Exited(io::Result<ExitStatus>),
    TimedOut,
    InitTimedOut,
    /// By fault injection.
    Killed,
    /// Idle for too long, of an older generation, or its init failed.
    Retired,
}

/// Starts a process and supervises it until it has ended.
pub(crate) async fn run(function: &Arc<Function>, spec: Arc<FunctionSpec>, generation: u64) -> io::Result<()> {
    let listener = server::listen(0).await?;
    let (log, writer) = LogPipe::new(function.log_file.clone())?;
    let started = Instant::now();
    let mut child = Command::new(function.host.bin_dir.join(&spec.binary))
        .env_clear()
        .envs(environment(function, &spec, listener.local_addr()?.port()))
        .current_dir(&function.host.task_root)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(function.host.group)
        .kill_on_drop(true)
        .spawn()?;
    // A process that has not been waited for has an id.
    let process = child.id().unwrap_or_default();
    function.on_spawn(process);
    let sandbox = Arc::new(Sandbox {
        number: function.host.next_number(),
        process,
        generation,
        function: Arc::clone(function),
        spec,
        log,
        started,
        state: Mutex::default(),
        end: Notify::new(),
    });
    let api = {
        let sandbox = Arc::clone(&sandbox);
        server::serve_guarded(listener, move |request| runtime_api::answer(Arc::clone(&sandbox), request))
    };
    let end = tokio::select! {
        status = child.wait() => End::Exited(status),
        end = sandbox.supervise() => end,
        never = api => match never {},
        never = sandbox.log.follow() => match never {},
    };
    sandbox.state.lock().closed = true;
    sandbox.finish(child, end).await;
    Ok(())
}

/// The variables that Lambda sets, then those of [`portable_environment`].
///
/// Source: AWS Lambda Developer Guide, "Defined runtime environment variables".
fn environment(function: &Function, spec: &FunctionSpec, api_port: u16) -> Vec<(String, String)> {
    let today = function.host.clock.now().strftime("%Y/%m/%d").to_string();
    let reserved = [
        ("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{api_port}")),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory_mb.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", spec.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("{today}/[$LATEST]{}", random::hex())),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("_HANDLER", spec.handler.clone()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned()),
    ];
    let reserved = reserved.into_iter().map(|(name, value)| (name.to_owned(), value));
    reserved.chain(portable_environment(&function.host, spec)).collect()
}

/// AWS credentials, the folder of the settings, and the function's own variables: what a function also needs outside of
/// this emulator.
pub(crate) fn portable_environment(host: &Host, spec: &FunctionSpec) -> Vec<(String, String)> {
    let identity = [
        ("AWS_REGION", account::REGION.to_owned()),
        ("AWS_DEFAULT_REGION", account::REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "ASIALOCALSTAGE000000".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_SESSION_TOKEN", "local".to_owned()),
        ("LAMBDA_TASK_ROOT", host.task_root.to_string_lossy().into_owned()),
    ];
    let identity = identity.into_iter().map(|(name, value)| (name.to_owned(), value));
    let own = host.environment.iter().chain(&spec.environment);
    identity.chain(own.map(|(name, value)| (name.clone(), value.clone()))).collect()
}

impl Sandbox {
    /// The process asks for a job; true for the first time.
    pub(crate) fn ready(&self) -> bool {
        let mut state = self.state.lock();
        let first = state.init.is_none();
        if first {
            state.init = Some(self.started.elapsed());
        }
        first
    }

    /// Starts an invocation; returns the job if the sandbox is about to end.
    #[expect(clippy::result_large_err, reason = "the error is the job itself")]
    pub(crate) fn begin(&self, job: Job) -> Result<Bytes, Job> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(job);
        }
        let cold = !state.served;
        state.served = true;
        // The output of the init phase belongs to the first invocation.
        let log = if cold { self.log.lines() } else { self.log.begin() };
        let Job { request_id, event, trigger, attempt, reply, .. } = job;
        let (started, began) = (Instant::now(), self.function.host.clock.now());
        state.active = Some(Active { request_id, trigger, attempt, cold, started, began, log, reply });
        Ok(event)
    }

    /// Takes the running invocation if it has that id; any without an id.
    pub(crate) fn take(&self, request_id: Option<&str>) -> Option<Active> {
        self.state.lock().active.take_if(|active| request_id.is_none_or(|id| *active.request_id == *id))
    }

    /// Completes an invocation.
    pub(crate) fn complete(&self, active: Active, outcome: Outcome, payload: Payload) {
        let duration_ms = active.started.elapsed();
        self.log.drain();
        let record = Record {
            sequence: self.function.host.next_number(),
            request_id: active.request_id,
            function: Arc::clone(&self.function.name),
            trigger: active.trigger,
            began: active.began,
            cold: active.cold,
            init_ms: if active.cold { self.state.lock().init } else { None },
            duration_ms,
            outcome,
            code: OnceLock::new(),
            front_ms: OnceLock::new(),
            attempt: active.attempt,
            log: active.log,
        };
        self.function.complete(active.reply, record, payload);
    }

    /// The process reports that its init failed; its end is not awaited.
    pub(crate) fn fail_init(&self, error: Bytes) {
        self.state.lock().init_error = Some(error);
        self.retire();
    }

    /// Ends the sandbox soon.
    pub(crate) fn retire(&self) {
        self.end.notify_one();
    }

    /// Kills the process during its invocation, which then counts as crashed.
    pub(crate) fn kill(&self) {
        self.state.lock().killed = true;
        self.end.notify_one();
    }

    /// Whether that invocation is running.
    pub(crate) fn is_running(&self, request_id: &str) -> bool {
        self.state.lock().active.as_ref().is_some_and(|active| *active.request_id == *request_id)
    }

    /// Returns when the sandbox should end.
    ///
    /// It is not woken for each invocation: it sleeps until the earliest moment at which an invocation that it has not
    /// seen could time out, and then checks.
    async fn supervise(&self) -> End {
        let mut check = self.next_check(self.started, self.started + INIT_LIMIT);
        loop {
            tokio::select! {
                () = self.end.notified() => return if self.state.lock().killed { End::Killed } else { End::Retired },
                () = tokio::time::sleep_until(check) => {}
            }
            match self.due(Instant::now()) {
                Ok(next) => check = next,
                Err(end) => return end,
            }
        }
    }

    /// When to check again, or why the sandbox ends now.
    fn due(&self, now: Instant) -> Result<Instant, End> {
        let state = self.state.lock();
        let (deadline, end) = match (&state.active, state.init) {
            (Some(active), _) => (active.started + self.spec.timeout, End::TimedOut),
            (None, None) => (self.started + INIT_LIMIT, End::InitTimedOut),
            (None, Some(_)) => {
                drop(state);
                let deadline = self.function.expire_idle(self, now).ok_or(End::Retired)?;
                return Ok(self.next_check(now, deadline));
            }
        };
        if deadline <= now { Err(end) } else { Ok(self.next_check(now, deadline)) }
    }

    fn next_check(&self, now: Instant, deadline: Instant) -> Instant {
        deadline.min(now + self.spec.timeout).min(now + self.function.host.idle_limit)
    }

    /// Kills the process, completes its invocation, and removes the sandbox from the function's pool.
    async fn finish(&self, mut child: Child, end: End) {
        // An error means that it has already ended.
        let _ = child.kill().await;
        self.log.finish();
        let was_starting = self.state.lock().init.is_none();
        let active = self.take(None);
        let why = end.describe(self.spec.timeout);
        if (active.is_some() || was_starting) && !matches!(end, End::Retired) {
            self.log.add(&why);
        }
        if let Some(active) = active {
            let outcome = if matches!(end, End::TimedOut) { Outcome::Timeout } else { Outcome::Crash };
            let document = error_document(end.kind(), &format!("RequestId: {} Error: {why}", active.request_id));
            self.complete(active, outcome, document);
        }
        let error = self.state.lock().init_error.take().map(Payload::from);
        self.function.on_exit(self, was_starting, error.unwrap_or_else(|| error_document(end.kind(), &why)));
    }
}

impl Active {
    pub(crate) fn request_id(&self) -> &Arc<str> {
        &self.request_id
    }
}

impl End {
    /// The wording of Lambda's own errors.
    fn describe(&self, timeout: Duration) -> String {
        match self {
            Self::Exited(Ok(status)) => format!("{RUNTIME_EXITED}{status}"),
            Self::Exited(Err(error)) => format!("Runtime exited without a status: {error}"),
            Self::TimedOut => format!("Task timed out after {:.2} seconds", timeout.as_secs_f64()),
            Self::InitTimedOut => format!("Init timed out after {} seconds", INIT_LIMIT.as_secs()),
            Self::Killed => "Runtime exited with error: signal: killed".to_owned(),
            Self::Retired => "Runtime was ended".to_owned(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Exited(_) | Self::Killed | Self::Retired => "Runtime.ExitError",
            Self::TimedOut | Self::InitTimedOut => "Sandbox.Timedout",
        }
    }
}

/// The error document that Lambda returns for a function that gave none.
pub(crate) fn error_document(kind: &str, message: &str) -> Payload {
    Bytes::from(json!({ "errorType": kind, "errorMessage": message }).to_string()).into()
}
