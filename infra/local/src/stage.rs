//! Bringing a stage up and taking it down.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http_body_util::Either;
use jiff::tz::TimeZone;
use parking_lot::RwLock;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::aws::Aws;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::doors;
use crate::error::StageError;
use crate::faults::Backend;
use crate::function::Host;
use crate::gateway::Gateway;
use crate::guardian::Guardian;
use crate::inbox::Inbox;
use crate::invocation::Outcome;
use crate::lambda::Lambda;
use crate::line::Line;
use crate::live::Live;
use crate::options::Options;
use crate::pages;
use crate::scheduler::Scheduler;
use crate::secrets::Secrets;
use crate::server;
use crate::store::Store;
use crate::tasks::Tasks;

/// How long a lock may be taken that was given back, see [`lock`].
const LOCK_WAIT: Duration = Duration::from_millis(500);

/// A running local stage. Dropping it kills everything that it started; [`Stage::stop`] also waits for its tasks.
///
/// Any number of stages may run in one process: each has its own ports, stores and children.
#[derive(Debug)]
pub struct Stage {
    live: Arc<Live>,
    tasks: Tasks,
    cache: Cache,
    // It kills whatever the parts above have left.
    _guardian: Guardian,
    // Last: what is kept is nobody else's until all of them are gone.
    _lock: Option<File>,
}

impl Stage {
    /// Brings a stage up: ready for requests when this returns.
    ///
    /// # Errors
    /// If a part cannot be started. What was started until then is ended.
    pub async fn start(mut options: Options) -> Result<Self, StageError> {
        check_stage(&options)?;
        options.bin_dir = fs::canonicalize(&options.bin_dir).map_err(StageError::file(&options.bin_dir))?;
        options.task_root = fs::canonicalize(&options.task_root).map_err(StageError::file(&options.task_root))?;
        let kept = options.kept_dir();
        let lock = match kept.as_deref() {
            Some(folder) => Some(lock(folder).await?),
            None => None,
        };
        let front = listen(options.port).await?;
        let aws = server::listen(0).await?;
        let (port, aws_url) = (front.local_addr()?.port(), format!("http://{}", aws.local_addr()?));

        let guardian = Guardian::start()?;
        let tasks = Tasks::new();
        let clock = Clock::default();
        let (cache, store) = tokio::join!(
            Cache::start(&options, kept.as_deref(), guardian.group(), &tasks),
            Store::start(&clock, kept.as_deref()),
        );
        let (cache, store) = (cache?, store?);

        // What goes over a line can be made to fail; the stage's own errands go around.
        let faults = Arc::default();
        let cache_line = Line::open(Backend::Redis, cache.address().port, &faults, &tasks).await?;
        let store_line = Line::open(Backend::DynamoDb, store.port, &faults, &tasks).await?;
        let environment = BTreeMap::from([
            ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), format!("http://127.0.0.1:{store_line}")),
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
        let lambda = Arc::new(Lambda::new(options.retry_delay, kept.as_deref())?);
        let scheduler = Scheduler::new(Arc::clone(&lambda), clock.clone(), tasks.clone(), kept.as_deref())?;
        let live = Arc::new(Live {
            url: format!("http://127.0.0.1:{port}"),
            aws_url,
            cache: cache.address(),
            cache_line,
            store,
            secrets: Arc::new(Secrets::new(options.state_dir.clone())),
            inbox: Inbox::default(),
            scheduler: Arc::new(scheduler),
            lambda,
            gateway: Gateway::new(clock.clone(), port),
            clock,
            host,
            tables: RwLock::new(Arc::new([])),
            zone: RwLock::new(TimeZone::UTC),
            resets: AtomicU64::new(0),
            options,
        });
        let stage = Self { live, tasks, cache, _guardian: guardian, _lock: lock };
        stage.live.load().await?;
        stage.serve(front, aws);
        stage.live.lambda.resume(stage.live.lambda.taken.all()?, stage.live.clock.now());
        Ok(stage)
    }

    /// Where clients find the stage: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.live.url
    }

    /// Where the embedded DynamoDB answers, whatever faults functions see.
    #[must_use]
    pub fn dynamodb_url(&self) -> String {
        self.live.store.url()
    }

    /// Where Valkey or Redis answers, whatever faults functions see: `redis://127.0.0.1:<port>`.
    #[must_use]
    pub fn cache_url(&self) -> String {
        self.live.cache.url()
    }

    /// Every route with the binary behind it.
    #[must_use]
    pub fn routes(&self) -> Vec<(String, String)> {
        self.live.routes()
    }

    /// Fires a schedule now, by its name or its function's binary, and waits: whether that went well, and `None` if
    /// there is no such schedule.
    pub async fn fire(&self, name: &str) -> Option<bool> {
        let (_, delivery) = self.live.scheduler.fire_now(name, None).await?;
        Some(delivery.is_some_and(|delivery| delivery.outcome == Outcome::Ok))
    }

    /// Where the API pages are, if `make docs` has built them.
    #[must_use]
    pub fn pages_url(&self) -> Option<String> {
        pages::are_built(&self.live.options.pages).then(|| format!("{}{}", self.live.url, pages::PATH))
    }

    /// Every schedule with its expression and time zone.
    #[must_use]
    pub fn schedules(&self) -> Vec<(String, String)> {
        self.live.scheduler.expressions()
    }

    /// Reads the template again and replaces all sandboxes, busy ones after their request.
    ///
    /// # Errors
    /// If the template cannot be used; the stage then goes on as it was.
    pub async fn reload(&self) -> Result<(), StageError> {
        self.live.load().await
    }

    /// Ends the stage. When this returns its ports are free and its children killed.
    pub async fn stop(mut self) {
        self.tasks.shut_down().await;
        self.cache.stop().await;
    }

    fn serve(&self, front: TcpListener, aws: TcpListener) {
        let live = Arc::clone(&self.live);
        self.tasks.spawn(async move {
            let never = server::serve(front, move |request, peer| {
                let live = Arc::clone(&live);
                async move {
                    if let Some(page) = pages::answer(&live.options.pages, &request).await {
                        return page.map(Either::Left);
                    }
                    if doors::is_for(&request) {
                        doors::answer(&live, request).await
                    } else {
                        live.gateway.answer(request, peer).await.map(Either::Left)
                    }
                }
            });
            match never.await {}
        });
        let scheduler = Arc::clone(&self.live.scheduler);
        self.tasks.spawn(async move { match scheduler.run().await {} });
        let live = Arc::clone(&self.live);
        self.tasks.spawn(async move { match live.sweep().await {} });
        let double = Arc::new(Aws {
            lambda: Arc::clone(&self.live.lambda),
            secrets: Arc::clone(&self.live.secrets),
            cache: self.live.cache,
            cache_port: self.live.cache_line,
            clock: self.live.clock.clone(),
        });
        self.tasks.spawn(async move {
            let never = server::serve(aws, move |request, _| {
                let double = Arc::clone(&double);
                async move { double.answer(request).await }
            });
            match never.await {}
        });
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.tasks.close();
        self.live.lambda.close();
    }
}

/// Makes the folder of what is kept, and takes it for this process. A process that some thread is just starting holds the
/// locks of its parent until it executes its program, so that a lock which was given back may be found taken for a moment.
async fn lock(folder: &Path) -> Result<File, StageError> {
    let failed = || StageError::file(folder);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed())?;
    let lock = File::create(folder.join("lock")).map_err(failed())?;
    let last = Instant::now() + LOCK_WAIT;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if Instant::now() < last => sleep(LOCK_WAIT / 20).await,
            Err(TryLockError::WouldBlock) => return Err(StageError::StateTaken { folder: folder.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(failed()(error)),
        }
    }
}

async fn listen(port: u16) -> Result<TcpListener, StageError> {
    server::listen(port).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => StageError::PortTaken { port },
        _ => error.into(),
    })
}

/// A stage exists if it has a settings file.
fn check_stage(options: &Options) -> Result<(), StageError> {
    let folder = options.task_root.join("conf");
    if folder.join(format!("{}.toml", options.stage)).is_file() {
        return Ok(());
    }
    let files = fs::read_dir(&folder).map_err(StageError::file(&folder))?.flatten().map(|entry| entry.path());
    let stages = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut known: Vec<String> =
        stages.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    known.sort();
    Err(StageError::UnknownStage { name: options.stage.clone(), known })
}
