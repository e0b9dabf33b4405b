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
use dynoxide::actions::get_records::{GetRecordsRequest, Record};
use dynoxide::actions::get_shard_iterator::encode_shard_iterator;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::actions::update_table::UpdateTableRequest;
use dynoxide::actions::update_time_to_live::{TimeToLiveSpecification, UpdateTimeToLiveRequest};
use dynoxide::server as dynamodb;
use dynoxide::storage::Storage;
use dynoxide::streams::shard_id;
use dynoxide::types::AttributeValue;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::error::EmulatorError;
use crate::random;
use crate::server;
use crate::template::TableSpec;

/// An operation for the database's thread.
type Operation = Box<dyn FnOnce(&Database, &Storage) + Send>;

/// What the database adds to the number of a stream's record to make the 21 digits of a sequence number.
const SEQUENCE_OFFSET: u128 = 100_000_000_000_000_000_000;

/// The database itself finds the newest record of a stream by reading all of them.
const INDEX_OF_RECORDS: &str =
    "CREATE INDEX IF NOT EXISTS _stream_order ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";

/// The database itself keeps records for ever.
const DELETE_RECORDS: &str =
    "DELETE FROM _stream_records WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2";

const COUNT_RECORDS: &str =
    "SELECT COUNT(*) FROM _stream_records WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) > ?2";

/// A running database. Dropping the last clone ends the thread.
///
/// The database blocks while it answers a call, one at a time. On a single-threaded runtime of its own that neither blocks
/// a worker of the emulator nor contends for a lock, and an operation is atomic: no request of a function runs between its
/// steps.
#[derive(Clone, Debug)]
pub(crate) struct DynamoDb {
    /// Not 127.0.0.1 where the system has other loopback addresses. The server refuses no page of another site, so it is
    /// where a page does not find it; everybody else uses a [`FaultProxy`](super::FaultProxy), which does refuse.
    pub(crate) address: SocketAddr,
    operations: mpsc::UnboundedSender<Operation>,
}

impl DynamoDb {
    /// Starts an empty database, or that in the folder `state`.
    pub(crate) async fn start(state: Option<&Path>) -> Result<Self, EmulatorError> {
        let listener = match TcpListener::bind((random::loopback(), 0)).await {
            Ok(listener) => listener,
            Err(_) => server::listen(0).await?,
        };
        let address = listener.local_addr()?;
        let listener = listener.into_std()?;
        let path = match state {
            // A name of its own makes it one that a second connection can open.
            None => format!("file:{}?mode=memory&cache=shared", random::hex()),
            Some(state) => state.join("dynamodb.sqlite").to_string_lossy().into_owned(),
        };
        let database = open(&path).map_err(EmulatorError::dynamodb)?;
        // What the database cannot do with streams is done by this connection, on the same thread and so never at the same
        // time.
        let records = Storage::new(&path).map_err(EmulatorError::dynamodb)?;
        records.conn().execute_batch(INDEX_OF_RECORDS).map_err(EmulatorError::dynamodb)?;
        let (operations, receiver) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        thread::Builder::new().name("dynamodb".to_owned()).spawn(move || {
            runtime.block_on(async move {
                if let Ok(listener) = TcpListener::from_std(listener) {
                    tokio::select! {
                        () = dynamodb::serve_on(listener, database.clone()) => {}
                        () = run_operations(receiver, &database, &records) => {}
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
                Ok(Some(found)) if found.stream_enabled => Ok(()),
                Ok(Some(_)) => open_stream(database, table),
                _ => create(database, table),
            })
        })
        .await
    }

    /// Empties the tables; no function sees them missing.
    pub(crate) async fn empty(&self, tables: Arc<[TableSpec]>) -> Result<(), EmulatorError> {
        self.run_with_records(move |database, records| {
            tables.iter().try_for_each(|table| {
                let request = DeleteTableRequest { table_name: table.name.clone() };
                database.delete_table(request).map_err(EmulatorError::dynamodb)?;
                delete_records(records, &table.name, i64::MAX)?;
                create(database, table)
            })
        })
        .await
    }

    /// At most `limit` records of a table's stream behind that number, in order.
    pub(crate) async fn records(&self, table: &str, after: i64, limit: usize) -> Result<Vec<Record>, EmulatorError> {
        let shard_iterator = encode_shard_iterator(table, &shard_id(table), after);
        let request = GetRecordsRequest { shard_iterator, limit: Some(limit) };
        let found = self.run(move |database| database.get_records(request).map_err(EmulatorError::dynamodb)).await?;
        Ok(found.records)
    }

    /// How many records are behind that number.
    pub(crate) async fn count_records(&self, table: &str, after: i64) -> Result<u64, EmulatorError> {
        let table = table.to_owned();
        self.run_with_records(move |_, records| {
            let count = records.conn().query_row(COUNT_RECORDS, (table, after), |row| row.get::<_, i64>(0));
            count.map(i64::unsigned_abs).map_err(EmulatorError::dynamodb)
        })
        .await
    }

    /// Deletes records up to that number, which everybody has handled.
    pub(crate) async fn delete_records(&self, table: &str, until: i64) -> Result<(), EmulatorError> {
        let table = table.to_owned();
        self.run_with_records(move |_, records| delete_records(records, &table, until)).await
    }

    /// Deletes the items whose time-to-live has passed at `now`, which DynamoDB does within a few days.
    ///
    /// The database can do this too, but by the machine's clock.
    pub(crate) async fn delete_expired(&self, tables: Arc<[TableSpec]>, now: Timestamp) -> Result<(), EmulatorError> {
        self.run(move |database| tables.iter().try_for_each(|table| delete_expired(database, table, now))).await
    }

    /// Runs an operation on the database's thread, atomically.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, EmulatorError>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> Result<T, EmulatorError> + Send + 'static,
    {
        self.run_with_records(move |database, _| work(database)).await
    }

    async fn run_with_records<T, F>(&self, work: F) -> Result<T, EmulatorError>
    where
        T: Send + 'static,
        F: FnOnce(&Database, &Storage) -> Result<T, EmulatorError> + Send + 'static,
    {
        let (done, outcome) = oneshot::channel();
        let operation: Operation = Box::new(move |database, records| {
            // The receiver is gone if the emulator is stopping.
            let _ = done.send(work(database, records));
        });
        let ended = || EmulatorError::dynamodb("its thread has ended");
        self.operations.send(operation).map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())?
    }
}

/// Without fsync: a write survives the emulator, but not the machine.
fn open(path: &str) -> dynoxide::Result<Database> {
    let database = Database::new(path)?;
    database.enable_bulk_loading()?;
    Ok(database)
}

/// Runs operations until [`DynamoDb`] is dropped.
async fn run_operations(mut operations: mpsc::UnboundedReceiver<Operation>, database: &Database, records: &Storage) {
    while let Some(operation) = operations.recv().await {
        operation(database, records);
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

/// Opens the stream of a table that was stored without one.
fn open_stream(database: &Database, table: &TableSpec) -> Result<(), EmulatorError> {
    let stream = &table.create["StreamSpecification"];
    if stream.is_null() {
        return Ok(());
    }
    let failed = |error: &dyn std::fmt::Display| EmulatorError::dynamodb(format!("table {}: {error}", table.name));
    let request = json!({ "TableName": table.name, "StreamSpecification": stream });
    let request = UpdateTableRequest::deserialize(&request).map_err(|error| failed(&error))?;
    database.update_table(request).map(drop).map_err(|error| failed(&error))
}

fn delete_records(records: &Storage, table: &str, until: i64) -> Result<(), EmulatorError> {
    records.conn().execute(DELETE_RECORDS, (table, until)).map(drop).map_err(EmulatorError::dynamodb)
}

/// The number behind a sequence number, which the database counts by.
pub(crate) fn number_of(record: &Record) -> i64 {
    let number = record.dynamodb.sequence_number.parse::<u128>().unwrap_or_default();
    i64::try_from(number.saturating_sub(SEQUENCE_OFFSET)).unwrap_or(i64::MAX)
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
