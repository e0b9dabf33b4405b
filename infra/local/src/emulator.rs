//! Starts and stops the emulator.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::body::Body;
use jiff::tz::TimeZone;
use parking_lot::{Mutex, RwLock};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tower_service::Service;

use crate::app::AppState;
use crate::backends::{Aws, Cache, DynamoDb, FaultProxy, Inbox, Secrets};
use crate::clock::Clock;
use crate::control;
use crate::error::EmulatorError;
use crate::faults::Backend;
use crate::gateway::Gateway;
use crate::guard;
use crate::guardian::Guardian;
use crate::lambda::{Host, Lambda, Outcome};
use crate::options::Options;
use crate::scheduler::Scheduler;
use crate::server;
use crate::streams::Streams;
use crate::tasks::Tasks;

/// How long a released lock may still be held, see [`lock`].
const LOCK_WAIT: Duration = Duration::from_millis(500);

/// A running emulator. Dropping it kills its children; [`Emulator::stop`] also waits for its tasks.
///
/// Any number may run in one process, each with its own ports, stores and children.
#[derive(Debug)]
pub struct Emulator {
    app: Arc<AppState>,
    tasks: Tasks,
    cache: Cache,
    // Dropped after the parts above: kills the children that are left.
    _guardian: Guardian,
    // Last: stored state and logs are locked until everything else is gone.
    _locks: Vec<File>,
}

impl Emulator {
    /// Starts an emulator; it accepts requests when this returns.
    ///
    /// # Errors
    /// If a part does not start. The parts that were started are stopped.
    pub async fn start(mut options: Options) -> Result<Self, EmulatorError> {
        check_stage(&options)?;
        options.settings()?;
        options.bin_dir = fs::canonicalize(&options.bin_dir).map_err(EmulatorError::file(&options.bin_dir))?;
        options.task_root = fs::canonicalize(&options.task_root).map_err(EmulatorError::file(&options.task_root))?;
        let state = options.persistent_dir();
        let mut locks = Vec::new();
        if let Some(folder) = state.as_deref() {
            let taken = || EmulatorError::StateTaken { folder: folder.to_owned() };
            locks.push(lock(folder).await?.ok_or_else(taken)?);
        }
        let front = listen(options.port).await?;
        let aws = server::listen(0).await?;
        if let Some(folder) = &mut options.logs {
            let lock = lock(folder).await.map_err(|error| match error {
                EmulatorError::File { source, .. } => EmulatorError::LogsNotWritable { folder: folder.clone(), source },
                other => other,
            });
            match lock? {
                Some(lock) => locks.push(lock),
                None => *folder = folder.join(front.local_addr()?.port().to_string()),
            }
        }
        let (port, aws_url) = (front.local_addr()?.port(), format!("http://{}", aws.local_addr()?));

        let guardian = Guardian::start()?;
        let tasks = Tasks::new();
        let clock = Clock::default();
        let (cache, dynamodb) = tokio::join!(
            Cache::start(&options, state.as_deref(), guardian.group(), &tasks),
            DynamoDb::start(state.as_deref()),
        );
        let (cache, dynamodb) = (cache?, dynamodb?);

        // Functions reach the stores through proxies that inject faults; the emulator itself does not.
        let faults = Arc::default();
        let cache_proxy = FaultProxy::start(Backend::Redis, cache.address().socket(), &faults, &tasks).await?;
        let dynamodb_proxy = FaultProxy::start(Backend::DynamoDb, dynamodb.address, &faults, &tasks).await?;
        // Pages of other sites are refused there too, so this is the address for tools.
        let dynamodb_port = FaultProxy::start(Backend::DynamoDb, dynamodb.address, &Arc::default(), &tasks).await?;
        let environment = BTreeMap::from([
            ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), format!("http://127.0.0.1:{dynamodb_proxy}")),
            ("AWS_ENDPOINT_URL_ELASTICACHE".to_owned(), aws_url.clone()),
            ("AWS_ENDPOINT_URL_LAMBDA".to_owned(), aws_url.clone()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned(), aws_url.clone()),
        ]);
        let host = Arc::new(Host {
            bin_dir: options.bin_dir.clone(),
            task_root: options.task_root.clone(),
            logs: options.logs.clone(),
            group: guardian.group(),
            sandbox_limit: options.sandbox_limit,
            idle_limit: options.idle_limit,
            environment,
            clock: clock.clone(),
            faults,
            tasks: tasks.clone(),
            sequence: AtomicU64::new(0),
        });
        let lambda = Arc::new(Lambda::new(options.retry_delay, state.as_deref())?);
        let scheduler = Scheduler::new(Arc::clone(&lambda), clock.clone(), tasks.clone(), state.as_deref())?;
        let streams = Streams::new(Arc::clone(&lambda), dynamodb.clone(), clock.clone());
        let app = Arc::new(AppState {
            url: format!("http://127.0.0.1:{port}"),
            aws_url,
            cache: cache.address(),
            cache_proxy,
            cache_names: Arc::default(),
            dynamodb,
            dynamodb_url: format!("http://127.0.0.1:{dynamodb_port}"),
            secrets: Arc::new(Secrets::new(options.state_dir.clone())),
            inbox: Inbox::default(),
            scheduler: Arc::new(scheduler),
            streams: Arc::new(streams),
            lambda,
            gateway: Gateway::new(clock.clone(), port),
            clock,
            host,
            tables: RwLock::new(Arc::new([])),
            zone: RwLock::new(TimeZone::UTC),
            last_expiry: Mutex::default(),
            resets: AtomicU64::new(0),
            options,
        });
        let emulator = Self { app, tasks, cache, _guardian: guardian, _locks: locks };
        emulator.app.load().await?;
        emulator.serve(front, aws);
        let pending = emulator.app.lambda.pending.read_all()?;
        emulator.app.lambda.resume(pending, emulator.app.clock.now());
        Ok(emulator)
    }

    /// The address of the API: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.app.url
    }

    /// The address of DynamoDB, without injected faults.
    #[must_use]
    pub fn dynamodb_url(&self) -> String {
        self.app.dynamodb_url.clone()
    }

    /// The address of the DynamoDB server itself, for benchmarks. Web pages of other sites could use it if they knew it.
    #[must_use]
    pub fn direct_dynamodb_url(&self) -> String {
        format!("http://{}", self.app.dynamodb.address)
    }

    /// The address of Valkey or Redis, without injected faults: `redis://127.0.0.1:<port>`.
    #[must_use]
    pub fn cache_url(&self) -> String {
        self.app.cache.url()
    }

    /// Every route with its binary.
    #[must_use]
    pub fn routes(&self) -> Vec<(String, String)> {
        self.app.routes()
    }

    /// Fires a schedule now, by its name or its function's binary, and waits: whether it succeeded, and `None` if there is
    /// no such schedule.
    pub async fn fire(&self, name: &str) -> Option<bool> {
        let (_, delivery) = self.app.scheduler.fire_now(name, None).await?;
        Some(delivery.is_some_and(|delivery| delivery.outcome == Outcome::Ok))
    }

    /// The address of the API pages, if `make docs` has built them.
    #[must_use]
    pub fn pages_url(&self) -> Option<String> {
        control::docs_are_built(&self.app.options.pages).then(|| format!("{}{}", self.app.url, control::DOCS_PATH))
    }

    /// Every schedule with its expression and time zone.
    #[must_use]
    pub fn schedules(&self) -> Vec<(String, String)> {
        self.app.scheduler.expressions()
    }

    /// The folder of the log files.
    #[must_use]
    pub fn logs(&self) -> Option<&Path> {
        self.app.options.logs.as_deref()
    }

    /// Starts a sandbox of one function, which reads the settings.
    ///
    /// # Errors
    /// If the function refuses the settings.
    pub async fn check_settings(&self) -> Result<(), EmulatorError> {
        self.app.check_settings().await
    }

    /// Reads the template again and replaces all sandboxes, busy ones after their request.
    ///
    /// # Errors
    /// If the template or the settings cannot be used; nothing has changed then.
    pub async fn reload(&self) -> Result<(), EmulatorError> {
        self.app.load().await
    }

    /// Stops the emulator. When this returns, its ports are free and its children killed.
    pub async fn stop(mut self) {
        self.tasks.shut_down().await;
        self.cache.stop().await;
    }

    fn serve(&self, front: TcpListener, aws: TcpListener) {
        let (app, router) = (Arc::clone(&self.app), control::router(Arc::clone(&self.app)));
        self.tasks.spawn(async move {
            let never = server::serve(front, move |request, peer| {
                let (app, mut router) = (Arc::clone(&app), router.clone());
                async move {
                    if let Some(page) = control::answer_docs(&app.options.pages, &request).await {
                        return guard::refuse(&request).unwrap_or(page);
                    }
                    if !control::is_for(&request) {
                        return app.gateway.answer(request, peer).await;
                    }
                    if let Some(refusal) = guard::refuse(&request) {
                        return refusal;
                    }
                    let answer = router.call(request.map(Body::new)).await;
                    answer.unwrap_or_else(|never| match never {})
                }
            });
            match never.await {}
        });
        let scheduler = Arc::clone(&self.app.scheduler);
        self.tasks.spawn(async move { match scheduler.run().await {} });
        let app = Arc::clone(&self.app);
        self.tasks.spawn(async move { match app.delete_expired().await {} });
        let double = Arc::new(Aws {
            lambda: Arc::clone(&self.app.lambda),
            secrets: Arc::clone(&self.app.secrets),
            cache: self.app.cache,
            cache_port: self.app.cache_proxy,
            cache_names: Arc::clone(&self.app.cache_names),
            clock: self.app.clock.clone(),
        });
        self.tasks.spawn(async move {
            let never = server::serve_guarded(aws, move |request| {
                let double = Arc::clone(&double);
                async move { double.answer(request).await }
            });
            match never.await {}
        });
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.tasks.close();
        self.app.streams.close();
        self.app.lambda.close();
    }
}

/// Creates a folder and locks it; `None` if another emulator has locked it. A process that another thread is starting
/// holds the locks of its parent until it executes its program, so a released lock may still be held for a moment.
async fn lock(folder: &Path) -> Result<Option<File>, EmulatorError> {
    let failed = || EmulatorError::file(folder);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed())?;
    let lock = File::create(folder.join(".lock")).map_err(failed())?;
    let last = Instant::now() + LOCK_WAIT;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(lock)),
            Err(TryLockError::WouldBlock) if Instant::now() < last => sleep(LOCK_WAIT / 20).await,
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed()(error)),
        }
    }
}

async fn listen(port: u16) -> Result<TcpListener, EmulatorError> {
    server::listen(port).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => EmulatorError::PortTaken { port },
        _ => error.into(),
    })
}

/// A stage exists if it has a settings file.
fn check_stage(options: &Options) -> Result<(), EmulatorError> {
    let folder = options.task_root.join("conf");
    if folder.join(format!("{}.toml", options.stage)).is_file() {
        return Ok(());
    }
    let files = fs::read_dir(&folder).map_err(EmulatorError::file(&folder))?.flatten().map(|entry| entry.path());
    let stages = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut known: Vec<String> =
        stages.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    known.sort();
    Err(EmulatorError::UnknownStage { name: options.stage.clone(), known })
}
