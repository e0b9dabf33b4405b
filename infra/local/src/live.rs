//! The parts of a running stage, and what is done to all of them: loading the template, resetting.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use parking_lot::RwLock;
use tokio::time::sleep;

use crate::cache;
use crate::clock::Clock;
use crate::debugger;
use crate::error::StageError;
use crate::faults::Plan;
use crate::function::{Function, Host};
use crate::gateway::Gateway;
use crate::inbox::Inbox;
use crate::lambda::Lambda;
use crate::options::Options;
use crate::route::RouteTable;
use crate::scheduler::Scheduler;
use crate::secrets::Secrets;
use crate::store::Store;
use crate::template::{FunctionSpec, TableSpec, Template};

/// DynamoDB promises no more than a few days.
const BETWEEN_SWEEPS: Duration = Duration::from_hours(1);

/// Everything that requests need; what only the end of the stage needs is in `Stage`.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) options: Options,
    pub(crate) url: String,
    /// Where functions find the doubles of AWS.
    pub(crate) aws_url: String,
    pub(crate) clock: Clock,
    pub(crate) cache: cache::Address,
    /// The way of functions to it.
    pub(crate) cache_line: u16,
    pub(crate) store: Store,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) inbox: Inbox,
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) gateway: Gateway,
    pub(crate) host: Arc<Host>,
    pub(crate) tables: RwLock<Arc<[TableSpec]>>,
    /// Where the stage's midnight is.
    pub(crate) zone: RwLock<TimeZone>,
    /// How often the stage has begun anew.
    pub(crate) resets: AtomicU64,
}

impl Live {
    /// Reads the template and makes the stage what it says. Called again, it changes the running stage: sandboxes are
    /// replaced, new tables and secrets made, and nothing stored is lost.
    pub(crate) async fn load(&self) -> Result<(), StageError> {
        let mut template = self.template()?;
        if let Some(name) = &self.options.debug {
            let Some(spec) = template.functions.iter_mut().find(|spec| spec.binary == *name) else {
                let known = template.functions.into_iter().map(|spec| spec.binary).collect();
                return Err(StageError::UnknownFunction { name: name.clone(), known });
            };
            debugger::prepare(spec);
        }
        self.check_binaries(&template.functions)?;
        // A zone that does not exist is said by the functions, which read the same file.
        let zone = self.time_zone()?.and_then(|name| TimeZone::get(&name).ok());
        *self.zone.write() = zone.unwrap_or(TimeZone::UTC);
        self.secrets.load(&template.secrets, &self.clock)?;
        let tables: Arc<[TableSpec]> = template.tables.into();
        self.store.create(Arc::clone(&tables)).await?;
        *self.tables.write() = tables;
        self.replace_functions(template.functions)?;
        self.scheduler.set_schedules(template.schedules);
        Ok(())
    }

    /// Lets time pass: for requests, for what is kept in the cache, for the time-to-live of items, and for schedules.
    pub(crate) async fn advance(&self, span: Duration) -> Result<(), StageError> {
        self.scheduler.advance(span, |step| self.age(step)).await
    }

    /// Ages what is stored by the span that the clock is about to move.
    async fn age(&self, span: Duration) -> Result<(), StageError> {
        let then = self.clock.now().saturating_add(span).unwrap_or(Timestamp::MAX);
        let tables = Arc::clone(&self.tables.read());
        let (aged, swept) = tokio::join!(self.cache.age(span), self.store.sweep(tables, then));
        aged?;
        swept
    }

    /// Deletes what has come to its end while nobody moved the clock, as long as the stage lives.
    pub(crate) async fn sweep(&self) -> Infallible {
        loop {
            let tables = Arc::clone(&self.tables.read());
            // What is left of a table that somebody has deleted is nothing.
            let _ = self.store.sweep(tables, self.clock.now()).await;
            sleep(BETWEEN_SWEEPS).await;
        }
    }

    /// Empties the stores, the inbox, the dead letters and the counters; the clock is real time again, and what was
    /// made to fail works.
    pub(crate) async fn reset(&self) -> Result<(), StageError> {
        self.host.faults.set(Plan::default());
        self.scheduler.reset();
        self.lambda.reset();
        let tables = Arc::clone(&self.tables.read());
        let (flushed, emptied) = tokio::join!(self.cache.flush(), self.store.empty(tables));
        self.inbox.clear();
        self.resets.fetch_add(1, Ordering::Relaxed);
        flushed?;
        emptied
    }

    /// All routes and the binaries behind them, for people.
    pub(crate) fn routes(&self) -> Vec<(String, String)> {
        let specs = self.lambda.functions().into_iter().map(|function| function.spec());
        specs
            .flat_map(|spec| spec.routes.iter().map(|key| (key.to_string(), spec.binary.clone())).collect::<Vec<_>>())
            .collect()
    }

    fn template(&self) -> Result<Template, StageError> {
        let file = self.options.root.join("infra/template.yaml");
        let text = fs::read_to_string(&file).map_err(StageError::file(&file))?;
        let mut parameters = BTreeMap::from([
            ("Stage".to_owned(), self.options.stage.clone()),
            ("CacheUrl".to_owned(), format!("redis://127.0.0.1:{}", self.cache_line)),
            ("SmsUrl".to_owned(), format!("{}/_stage/sms", self.url)),
        ]);
        if let Some(zone) = self.time_zone()? {
            parameters.insert("TimeZone".to_owned(), zone);
        }
        parameters.extend(self.options.parameters.clone());
        Template::parse(&text, &parameters).map_err(|error| StageError::template(file, error))
    }

    /// The stage's settings file. What is wrong with it is said by the functions, which know all of it.
    pub(crate) fn settings(&self) -> Result<toml::Table, StageError> {
        let file = self.options.task_root.join("conf").join(format!("{}.toml", self.options.stage));
        let text = fs::read_to_string(&file).map_err(StageError::file(&file))?;
        Ok(text.parse().unwrap_or_default())
    }

    /// Where the stage's midnight is: a setting that the template needs too.
    fn time_zone(&self) -> Result<Option<String>, StageError> {
        Ok(self.settings()?.get("time_zone").and_then(toml::Value::as_str).map(str::to_owned))
    }

    fn check_binaries(&self, functions: &[FunctionSpec]) -> Result<(), StageError> {
        let folder = &self.options.bin_dir;
        let missing = functions.iter().map(|spec| &spec.binary).filter(|binary| !folder.join(binary).is_file());
        let names: Vec<String> = missing.cloned().collect();
        if names.is_empty() { Ok(()) } else { Err(StageError::BinariesMissing { folder: folder.clone(), names }) }
    }

    fn replace_functions(&self, specs: Vec<FunctionSpec>) -> Result<(), StageError> {
        let mut old: HashMap<_, _> =
            self.lambda.functions().into_iter().map(|function| (Arc::clone(&function.name), function)).collect();
        let mut functions = Vec::new();
        let mut routes = Vec::new();
        for spec in specs {
            let keys = spec.routes.clone();
            let function = match old.remove(spec.name.as_str()) {
                Some(function) => {
                    function.renew(spec);
                    function
                }
                None => Function::new(&self.host, spec)?,
            };
            routes.extend(keys.into_iter().map(|key| (key, Arc::clone(&function))));
            functions.push(function);
        }
        self.gateway.set_routes(RouteTable::new(routes));
        self.lambda.set_functions(functions);
        for function in old.into_values() {
            function.retire();
        }
        Ok(())
    }
}
