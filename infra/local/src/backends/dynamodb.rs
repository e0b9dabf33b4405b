//! DynamoDB: `dynoxide`, in memory or in a file, on a loopback port and a thread of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
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
use crate::error::EmulatorError;
use crate::random;
use crate::server;
use crate::template::TableSpec;

/// An operation for the database's thread.
type Operation = Box<dyn FnOnce(&Database) + Send>;

/// A running database. Dropping it ends the thread.
///
/// The database blocks while it answers a call, one at a time. On a single-threaded runtime of its own that neither blocks
/// a worker of the emulator nor contends for a lock, and an operation is atomic: no request of a function runs between its
/// steps.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    /// Not 127.0.0.1 where the system has other loopback addresses. The server refuses no page of another site, so it is
    /// where a page does not find it; everybody else uses a [`FaultProxy`](super::FaultProxy), which does refuse.
    pub(crate) address: SocketAddr,
    operations: mpsc::UnboundedSender<Operation>,
}

impl DynamoDb {
    /// Starts an empty database, or that in the folder `state`.
    pub(crate) async fn start(clock: &Clock, state: Option<&Path>) -> Result<Self, EmulatorError> {
        let listener = match TcpListener::bind((random::loopback(), 0)).await {
            Ok(listener) => listener,
            Err(_) => server::listen(0).await?,
        };
        let address = listener.local_addr()?;
        let listener = listener.into_std()?;
        let database = match state {
            None => Database::memory_with_clock(Arc::new(clock.clone())),
            Some(state) => open(&state.join("dynamodb.sqlite")),
        };
        let database = database.map_err(EmulatorError::dynamodb)?;
        let (operations, receiver) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        thread::Builder::new().name("dynamodb".to_owned()).spawn(move || {
            runtime.block_on(async move {
                if let Ok(listener) = TcpListener::from_std(listener) {
                    tokio::select! {
                        () = dynamodb::serve_on(listener, database.clone()) => {}
                        () = run_operations(receiver, &database) => {}
                    }
                }
            });
        })?;
        Ok(Self { address, operations })
    }

    /// Creates the tables that do not exist yet.
    pub(crate) async fn create(&self, tables: Arc<[TableSpec]>) -> Result<(), EmulatorError> {
        self.run(move |database| {
            tables.iter().try_for_each(|table| match database.get_table_metadata(&table.name) {
                Ok(Some(_)) => Ok(()),
                _ => create(database, table),
            })
        })
        .await
    }

    /// Empties the tables; no function sees them missing.
    pub(crate) async fn empty(&self, tables: Arc<[TableSpec]>) -> Result<(), EmulatorError> {
        self.run(move |database| {
            tables.iter().try_for_each(|table| {
                let request = DeleteTableRequest { table_name: table.name.clone() };
                database.delete_table(request).map_err(EmulatorError::dynamodb)?;
                create(database, table)
            })
        })
        .await
    }

    /// Deletes the items whose time-to-live has passed at `now`, which DynamoDB does within a few days.
    ///
    /// The database does this too, but with a file it uses the machine's clock.
    pub(crate) async fn delete_expired(&self, tables: Arc<[TableSpec]>, now: Timestamp) -> Result<(), EmulatorError> {
        self.run(move |database| tables.iter().try_for_each(|table| delete_expired(database, table, now))).await
    }

    /// Runs an operation on the database's thread, atomically.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, EmulatorError>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> Result<T, EmulatorError> + Send + 'static,
    {
        let (done, outcome) = oneshot::channel();
        let operation: Operation = Box::new(move |database| {
            // The receiver is gone if the emulator is stopping.
            let _ = done.send(work(database));
        });
        let ended = || EmulatorError::dynamodb("its thread has ended");
        self.operations.send(operation).map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())?
    }
}

/// Without fsync: a write survives the emulator, but not the machine.
fn open(file: &Path) -> dynoxide::Result<Database> {
    let database = Database::new(&file.to_string_lossy())?;
    database.enable_bulk_loading()?;
    Ok(database)
}

/// Runs operations until [`DynamoDb`] is dropped.
async fn run_operations(mut operations: mpsc::UnboundedReceiver<Operation>, database: &Database) {
    while let Some(operation) = operations.recv().await {
        operation(database);
    }
}

fn create(database: &Database, table: &TableSpec) -> Result<(), EmulatorError> {
    let failed = |error: &dyn std::fmt::Display| EmulatorError::dynamodb(format!("table {}: {error}", table.name));
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

fn delete_expired(database: &Database, table: &TableSpec, now: Timestamp) -> Result<(), EmulatorError> {
    let Some(attribute) = &table.ttl_attribute else { return Ok(()) };
    let keys = table.create["KeySchema"].as_array();
    let is_key = |name: &str| keys.into_iter().flatten().any(|key| key["AttributeName"] == name);
    let now = AttributeValue::N(now.as_second().to_string());
    let mut from = None;
    loop {
        let scan = ScanRequest {
            table_name: table.name.clone(),
            // A value that is not a number does not compare.
            filter_expression: Some("#end < :now".to_owned()),
            expression_attribute_names: Some(HashMap::from([("#end".to_owned(), attribute.clone())])),
            expression_attribute_values: Some(HashMap::from([(":now".to_owned(), now.clone())])),
            exclusive_start_key: from,
            ..ScanRequest::default()
        };
        let page = database.scan(scan).map_err(EmulatorError::dynamodb)?;
        for mut key in page.items.into_iter().flatten() {
            key.retain(|name, _| is_key(name));
            let delete = DeleteItemRequest { table_name: table.name.clone(), key, ..DeleteItemRequest::default() };
            database.delete_item(delete).map_err(EmulatorError::dynamodb)?;
        }
        from = page.last_evaluated_key;
        if from.is_none() {
            return Ok(());
        }
    }
}
