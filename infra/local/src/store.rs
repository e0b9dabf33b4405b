//! The stage's DynamoDB: `dynoxide`, in memory or in a file, on a loopback port and a thread of its own.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use dynoxide::Database;
use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::delete_table::DeleteTableRequest;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::actions::update_time_to_live::{TimeToLiveSpecification, UpdateTimeToLiveRequest};
use dynoxide::server as dynamodb;
use dynoxide::types::AttributeValue;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::error::StageError;
use crate::server;
use crate::template::TableSpec;

/// Work for the database's thread.
type Errand = Box<dyn FnOnce(&Database) + Send>;

/// A running database. Dropping it ends the thread.
///
/// The database answers one call at a time and blocks while it does. On a single-threaded runtime of its own that
/// neither holds up a worker of the stage nor fights for a lock, and an errand is atomic: no request of a function
/// comes between its steps.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) port: u16,
    errands: mpsc::UnboundedSender<Errand>,
}

impl Store {
    /// Starts an empty database, or that of the file in `state`.
    pub(crate) async fn start(clock: &Clock, state: Option<&Path>) -> Result<Self, StageError> {
        let listener = server::listen(0).await?;
        let port = listener.local_addr()?.port();
        let listener = listener.into_std()?;
        let database = match state {
            None => Database::memory_with_clock(Arc::new(clock.clone())),
            Some(state) => open(&state.join("dynamodb.sqlite")),
        };
        let database = database.map_err(StageError::store)?;
        let (errands, receiver) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        thread::Builder::new().name("dynamodb".to_owned()).spawn(move || {
            runtime.block_on(async move {
                if let Ok(listener) = TcpListener::from_std(listener) {
                    tokio::select! {
                        () = dynamodb::serve_on(listener, database.clone()) => {}
                        () = run_errands(receiver, &database) => {}
                    }
                }
            });
        })?;
        Ok(Self { port, errands })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes the tables that do not exist yet.
    pub(crate) async fn create(&self, tables: Arc<[TableSpec]>) -> Result<(), StageError> {
        self.errand(move |database| {
            tables.iter().try_for_each(|table| match database.get_table_metadata(&table.name) {
                Ok(Some(_)) => Ok(()),
                _ => create(database, table),
            })
        })
        .await
    }

    /// Empties the tables, without a moment at which a function finds none.
    pub(crate) async fn empty(&self, tables: Arc<[TableSpec]>) -> Result<(), StageError> {
        self.errand(move |database| {
            tables.iter().try_for_each(|table| {
                let request = DeleteTableRequest { table_name: table.name.clone() };
                database.delete_table(request).map_err(StageError::store)?;
                create(database, table)
            })
        })
        .await
    }

    /// Deletes the items whose time-to-live is over at `now`, which DynamoDB does within a few days.
    ///
    /// The database has a sweep of its own, but in a file it goes by the machine's clock.
    pub(crate) async fn sweep(&self, tables: Arc<[TableSpec]>, now: Timestamp) -> Result<(), StageError> {
        self.errand(move |database| tables.iter().try_for_each(|table| sweep(database, table, now))).await
    }

    /// Does something on the database's thread, in one with all of its steps.
    pub(crate) async fn errand<T, F>(&self, work: F) -> Result<T, StageError>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> Result<T, StageError> + Send + 'static,
    {
        let (done, outcome) = oneshot::channel();
        let errand: Errand = Box::new(move |database| {
            // Nobody waits any more: the stage is ending.
            let _ = done.send(work(database));
        });
        let ended = || StageError::store("its thread has ended");
        self.errands.send(errand).map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())?
    }
}

/// Without waiting for the disk: a write survives the stage, but not the machine.
fn open(file: &Path) -> dynoxide::Result<Database> {
    let database = Database::new(&file.to_string_lossy())?;
    database.enable_bulk_loading()?;
    Ok(database)
}

/// Runs errands until the store is dropped.
async fn run_errands(mut errands: mpsc::UnboundedReceiver<Errand>, database: &Database) {
    while let Some(errand) = errands.recv().await {
        errand(database);
    }
}

fn create(database: &Database, table: &TableSpec) -> Result<(), StageError> {
    let failed = |error: &dyn std::fmt::Display| StageError::store(format!("table {}: {error}", table.name));
    let request = CreateTableRequest::deserialize(&table.create).map_err(|error| failed(&error))?;
    database.create_table(request).map_err(|error| failed(&error))?;
    if let Some(attribute) = &table.ttl_attribute {
        let specification = TimeToLiveSpecification { attribute_name: attribute.clone(), enabled: true };
        let request =
            UpdateTimeToLiveRequest { table_name: table.name.clone(), time_to_live_specification: specification };
        database.update_time_to_live(request).map_err(|error| failed(&error))?;
    }
    Ok(())
}

fn sweep(database: &Database, table: &TableSpec, now: Timestamp) -> Result<(), StageError> {
    let Some(attribute) = &table.ttl_attribute else { return Ok(()) };
    let keys = table.create["KeySchema"].as_array();
    let is_key = |name: &str| keys.into_iter().flatten().any(|key| key["AttributeName"] == name);
    let now = AttributeValue::N(now.as_second().to_string());
    let mut from = None;
    loop {
        let scan = ScanRequest {
            table_name: table.name.clone(),
            // What is no number is no time, and compares with none.
            filter_expression: Some("#end < :now".to_owned()),
            expression_attribute_names: Some(HashMap::from([("#end".to_owned(), attribute.clone())])),
            expression_attribute_values: Some(HashMap::from([(":now".to_owned(), now.clone())])),
            exclusive_start_key: from,
            ..ScanRequest::default()
        };
        let page = database.scan(scan).map_err(StageError::store)?;
        for mut key in page.items.into_iter().flatten() {
            key.retain(|name, _| is_key(name));
            let delete = DeleteItemRequest { table_name: table.name.clone(), key, ..DeleteItemRequest::default() };
            database.delete_item(delete).map_err(StageError::store)?;
        }
        from = page.last_evaluated_key;
        if from.is_none() {
            return Ok(());
        }
    }
}
