//! The parts of a running emulator, and operations on all of them: loading the template, moving the clock, resetting.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use parking_lot::{Mutex, RwLock};
use tokio::time::sleep;

use crate::backends::{CacheAddress, DynamoDb, Inbox, Secrets};
use crate::clock::Clock;
use crate::error::EmulatorError;
use crate::faults::Plan;
use crate::gateway::{Gateway, RouteTable};
use crate::lambda::{self, Function, Host, Lambda, RUNTIME_EXITED};
use crate::options::Options;
use crate::scheduler::Scheduler;
use crate::streams::Streams;
use crate::template::{FunctionSpec, TableSpec, Template};

/// DynamoDB itself may take a few days.
const EXPIRY_INTERVAL: Duration = Duration::from_hours(1);

/// What requests can reach. What only the shutdown needs is in `Emulator`.
#[derive(Debug)]
pub(crate) struct AppState {
    pub(crate) options: Options,
    pub(crate) url: String,
    /// Where functions reach the doubles of AWS.
    pub(crate) aws_url: String,
    pub(crate) clock: Clock,
    pub(crate) cache: CacheAddress,
    /// The port at which functions reach it.
    pub(crate) cache_proxy: u16,
    /// Its names in `ElastiCache`.
    pub(crate) cache_names: Arc<RwLock<Vec<String>>>,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) dynamodb_url: String,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) inbox: Inbox,
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) gateway: Gateway,
    pub(crate) host: Arc<Host>,
    pub(crate) tables: RwLock<Arc<[TableSpec]>>,
    /// The time zone of the stage's midnight.
    pub(crate) zone: RwLock<TimeZone>,
    /// When a move of the clock last deleted expired items.
    pub(crate) last_expiry: Mutex<Timestamp>,
    /// Counts resets.
    pub(crate) resets: AtomicU64,
}

impl AppState {
    /// Reads the template and applies it. Called again, it replaces all sandboxes and creates new tables and secrets;
    /// stored data stays.
    pub(crate) async fn load(&self) -> Result<(), EmulatorError> {
        let mut template = self.template()?;
        if let Some(name) = &self.options.debug {
            let Some(spec) = template.functions.iter_mut().find(|spec| spec.binary == *name) else {
                let known = template.functions.into_iter().map(|spec| spec.binary).collect();
                return Err(EmulatorError::UnknownFunction { name: name.clone(), known });
            };
            lambda::prepare_debugging(spec);
        }
        self.check_binaries(&template.functions)?;
        // An unknown zone is an error of the functions, which read the same file.
        let zone = self.time_zone()?.and_then(|name| TimeZone::get(&name).ok());
        *self.zone.write() = zone.unwrap_or(TimeZone::UTC);
        self.secrets.load(&template.secrets, &self.clock)?;
        *self.cache_names.write() = template.caches;
        if !self.options.streams {
            template.mappings.clear();
            for table in template.tables.iter_mut().filter_map(|table| table.create.as_object_mut()) {
                table.remove("StreamSpecification");
            }
        }
        let tables: Arc<[TableSpec]> = template.tables.into();
        self.dynamodb.create(Arc::clone(&tables)).await?;
        *self.tables.write() = tables;
        self.replace_functions(template.functions)?;
        self.scheduler.set_schedules(template.schedules);
        self.streams.set_mappings(template.mappings);
        self.gateway.set_cors(template.cors);
        Ok(())
    }

    /// Moves the clock forward: for requests, keys in the cache, items with a time-to-live, and schedules.
    pub(crate) async fn advance(&self, span: Duration) -> Result<(), EmulatorError> {
        self.scheduler.advance(span, |step, is_last| self.age(step, is_last)).await
    }

    /// Ages stored data before the clock moves by that span.
    async fn age(&self, span: Duration, is_last: bool) -> Result<(), EmulatorError> {
        let then = self.clock.now().saturating_add(span).unwrap_or(Timestamp::MAX);
        // Reads whole tables, so not at every step; DynamoDB itself takes up to a few days.
        let is_due = is_last || {
            let last = self.last_expiry.lock();
            then.duration_since(*last).as_hours() >= 24
        };
        let expire = async {
            if !is_due {
                return Ok(());
            }
            *self.last_expiry.lock() = then;
            let tables = Arc::clone(&self.tables.read());
            self.dynamodb.delete_expired(tables, then).await
        };
        let (aged, expired) = tokio::join!(self.cache.age(span), expire);
        aged?;
        expired
    }

    /// Deletes expired items while the clock is not moved. Never returns.
    pub(crate) async fn delete_expired(&self) -> Infallible {
        loop {
            let tables = Arc::clone(&self.tables.read());
            // Fails if somebody has deleted a table.
            let _ = self.dynamodb.delete_expired(tables, self.clock.now()).await;
            sleep(EXPIRY_INTERVAL).await;
        }
    }

    /// Empties the stores, the inbox, the dead letters and the counters, sets real time, and clears all faults.
    pub(crate) async fn reset(&self) -> Result<(), EmulatorError> {
        self.host.faults.set(Plan::default());
        self.scheduler.reset();
        *self.last_expiry.lock() = Timestamp::UNIX_EPOCH;
        let tables = Arc::clone(&self.tables.read());
        // No batch that is on its way writes into an emptied table, sends an event or becomes a dead letter.
        let empty = async {
            self.lambda.reset();
            tokio::join!(self.cache.flush(), self.dynamodb.empty(tables))
        };
        let (flushed, emptied) = self.streams.reset(empty).await;
        self.inbox.clear();
        self.resets.fetch_add(1, Ordering::Relaxed);
        flushed?;
        emptied
    }

    /// All routes with their binaries, for display.
    pub(crate) fn routes(&self) -> Vec<(String, String)> {
        let specs = self.lambda.functions().into_iter().map(|function| function.spec());
        specs
            .flat_map(|spec| spec.routes.iter().map(|key| (key.to_string(), spec.binary.clone())).collect::<Vec<_>>())
            .collect()
    }

    fn template(&self) -> Result<Template, EmulatorError> {
        let file = self.options.root.join("infra/template.yaml");
        let text = fs::read_to_string(&file).map_err(EmulatorError::file(&file))?;
        let mut parameters = BTreeMap::from([
            ("Stage".to_owned(), self.options.stage.clone()),
            ("CacheUrl".to_owned(), format!("redis://127.0.0.1:{}", self.cache_proxy)),
            ("SmsUrl".to_owned(), format!("{}/_stage/sms", self.url)),
        ]);
        if let Some(zone) = self.time_zone()? {
            parameters.insert("TimeZone".to_owned(), zone);
        }
        if let Some(origins) = self.cors_origins()? {
            parameters.insert("CorsOrigins".to_owned(), origins);
        }
        parameters.extend(self.options.parameters.clone());
        Template::parse(&text, &parameters).map_err(|error| EmulatorError::template(file, error))
    }

    /// Starts a sandbox of a function, which reads all settings, and returns the error that it logs if it refuses them.
    pub(crate) async fn check_settings(&self) -> Result<(), EmulatorError> {
        let mut functions = self.lambda.functions().into_iter();
        let Some(function) = functions.find(|function| !function.spec().waits_for_debugger) else { return Ok(()) };
        let Some(log) = function.warm_up().await else { return Ok(()) };
        let lines = log.lock();
        let logged = lines.iter().rev().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line["error"].as_str().map(str::to_owned)
        });
        // The emulator's own line about the end of the process says less than the function's last one.
        let mut own = lines.iter().rev().filter(|line| !line.starts_with(RUNTIME_EXITED));
        let reason = logged.or_else(|| own.next().or(lines.last()).cloned());
        let reason = reason.unwrap_or_else(|| "it says nothing".to_owned());
        Err(EmulatorError::InitFailed { function: function.spec().binary.clone(), reason })
    }

    /// The time zone, which the template needs too.
    fn time_zone(&self) -> Result<Option<String>, EmulatorError> {
        Ok(self.options.settings()?.get("time_zone").and_then(toml::Value::as_str).map(str::to_owned))
    }

    /// The origins that CORS is for, which the template needs too.
    fn cors_origins(&self) -> Result<Option<String>, EmulatorError> {
        let settings = self.options.settings()?;
        let origins = settings.get("http").and_then(|http| http.get("cors_origins")?.as_array());
        let origins =
            origins.map(|origins| origins.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(","));
        Ok(origins)
    }

    fn check_binaries(&self, functions: &[FunctionSpec]) -> Result<(), EmulatorError> {
        let folder = &self.options.bin_dir;
        let missing = functions.iter().map(|spec| &spec.binary).filter(|binary| !folder.join(binary).is_file());
        let names: Vec<String> = missing.cloned().collect();
        if names.is_empty() { Ok(()) } else { Err(EmulatorError::BinariesMissing { folder: folder.clone(), names }) }
    }

    fn replace_functions(&self, specs: Vec<FunctionSpec>) -> Result<(), EmulatorError> {
        let mut old: HashMap<_, _> =
            self.lambda.functions().into_iter().map(|function| (Arc::clone(&function.name), function)).collect();
        let mut functions = Vec::new();
        let mut routes = Vec::new();
        for spec in specs {
            let keys = spec.routes.clone();
            let function = match old.remove(spec.name.as_str()) {
                Some(function) => {
                    function.update(spec);
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
