//! A worker for each mapping: it reads records from the table's stream, invokes the function and waits, so that nothing
//! overtakes. Records are deleted once every mapping of their table has handled them; those of an emulator that was killed are
//! delivered again.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dynoxide::actions::get_records::Record;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::sleep;

use super::batch::{Batch, Rules, Step, Verdict, verdict};
use crate::account;
use crate::backends::{DynamoDb, number_of};
use crate::clock::Clock;
use crate::lambda::{Condition, DeadLetter, Event, Function, Lambda, Outcome, submit};
use crate::random;
use crate::tasks::Tasks;
use crate::template::MappingSpec;

/// How often a stream is read. Lambda does so four times a second.
const INTERVAL: Duration = Duration::from_millis(50);

/// How long a batch waits for a sandbox.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// All mappings.
#[derive(Debug)]
pub(crate) struct Streams {
    lambda: Arc<Lambda>,
    dynamodb: DynamoDb,
    clock: Clock,
    /// The workers.
    tasks: Tasks,
    /// By the table and the mapping, the number of the last record that was handled.
    handled: Mutex<BTreeMap<String, BTreeMap<String, i64>>>,
    mappings: Mutex<Vec<MappingSpec>>,
    /// Held while a function has a batch, and until its records are retried or given up.
    delivering: AsyncMutex<()>,
    /// Counts resets: a batch of before is dropped.
    resets: AtomicU64,
}

/// A mapping as `GET /_stage/state` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Description {
    table: String,
    function: String,
    /// Records that were not handled yet.
    pending: u64,
}

/// How an invocation ended.
struct Attempt {
    verdict: Verdict,
    request_id: Arc<str>,
    outcome: Outcome,
    reason: String,
}

impl Streams {
    pub(crate) fn new(lambda: Arc<Lambda>, dynamodb: DynamoDb, clock: Clock) -> Self {
        Self {
            lambda,
            dynamodb,
            clock,
            tasks: Tasks::new(),
            handled: Mutex::default(),
            mappings: Mutex::default(),
            delivering: AsyncMutex::default(),
            resets: AtomicU64::new(0),
        }
    }

    /// Replaces the mappings. A batch on its way is delivered again.
    pub(crate) fn set_mappings(self: &Arc<Self>, mut mappings: Vec<MappingSpec>) {
        mappings.retain(|mapping| mapping.is_enabled);
        self.tasks.restart();
        {
            let mut handled = self.handled.lock();
            let old = std::mem::take(&mut *handled);
            for MappingSpec { table, id, .. } in &mappings {
                let number = old.get(table).and_then(|table| table.get(id)).copied().unwrap_or_default();
                handled.entry(table.clone()).or_default().insert(id.clone(), number);
            }
        }
        self.mappings.lock().clone_from(&mappings);
        for mapping in mappings {
            let streams = Arc::clone(self);
            self.tasks.spawn(async move { match streams.work(&mapping).await {} });
        }
    }

    /// Empties the stores while no function has a batch, and drops what was read before they were empty.
    pub(crate) async fn reset<T>(&self, empty: impl Future<Output = T>) -> T {
        let _guard = self.delivering.lock().await;
        let emptied = empty.await;
        // After the deletion: a worker that loads the count before its read sees a change if its records are gone.
        self.resets.fetch_add(1, Ordering::SeqCst);
        emptied
    }

    /// Ends the workers, which own this.
    pub(crate) fn close(&self) {
        self.tasks.close();
    }

    pub(crate) async fn describe(&self) -> Vec<Description> {
        let mappings = self.mappings.lock().clone();
        let mut found = Vec::new();
        for mapping in mappings {
            let pending = self.dynamodb.count_records(&mapping.table, self.number(&mapping)).await;
            // Fails if the emulator is stopping.
            let pending = pending.unwrap_or_default();
            found.push(Description { table: mapping.table, function: mapping.function, pending });
        }
        found
    }

    /// Delivers batch after batch. Never returns.
    async fn work(&self, mapping: &MappingSpec) -> Infallible {
        loop {
            // Before the read: a reset meanwhile has deleted these records.
            let resets = self.resets.load(Ordering::SeqCst);
            // Fails if somebody has deleted the table.
            let records = self.dynamodb.records(&mapping.table, self.number(mapping), mapping.batch_size).await;
            let records = records.unwrap_or_default();
            match self.lambda.function(&mapping.function) {
                Some(function) if !records.is_empty() => self.deliver(mapping, &function, &records, resets).await,
                _ => sleep(INTERVAL).await,
            }
        }
    }

    /// Delivers a batch until each of its records was handled or given up.
    async fn deliver(&self, mapping: &MappingSpec, function: &Arc<Function>, records: &[Record], resets: u64) {
        let since = self.clock.now();
        let events: Vec<Value> = records.iter().map(|record| event(mapping, record, since)).collect();
        let numbers: Vec<String> = records.iter().map(|record| record.dynamodb.sequence_number.clone()).collect();
        let mut batch = Batch::new(records.len(), Rules { bisects: mapping.bisects, max_retries: mapping.max_retries });
        while let Some((part, attempt)) = batch.next() {
            let guard = self.delivering.lock().await;
            if self.resets.load(Ordering::SeqCst) != resets {
                return;
            }
            let ended = self.attempt(mapping, function, &events[part.clone()], &numbers[part.clone()], attempt).await;
            // The age counts from the first attempt: the clock may have moved by days since the write.
            let age = Duration::try_from(self.clock.now().duration_since(since)).unwrap_or_default();
            let is_too_old = mapping.max_age.is_some_and(|most| age > most);
            match batch.record(ended.verdict, is_too_old) {
                Step::Continue => {}
                Step::Retry(attempts) => {
                    drop(guard);
                    sleep(self.lambda.pause(attempts.min(8))).await;
                }
                Step::GiveUp(records) => {
                    let condition = if is_too_old { Condition::EventAgeExceeded } else { Condition::RetriesExhausted };
                    for event in &events[records] {
                        self.add_dead_letter(mapping, function, event, condition, attempt, &ended);
                    }
                }
            }
        }
        if let Some(last) = records.last() {
            self.checkpoint(mapping, number_of(last)).await;
        }
    }

    async fn attempt(
        &self,
        mapping: &MappingSpec,
        function: &Arc<Function>,
        events: &[Value],
        numbers: &[String],
        attempt: u32,
    ) -> Attempt {
        let faults = &function.host.faults;
        if faults.duplicates_batch() {
            self.invoke(mapping, function, events, numbers, attempt).await;
        }
        let mut ended = self.invoke(mapping, function, events, numbers, attempt).await;
        if faults.loses_batch() {
            ended.verdict = Verdict::Failed;
            "the response was lost, as the faults ask for".clone_into(&mut ended.reason);
        }
        ended
    }

    async fn invoke(
        &self,
        mapping: &MappingSpec,
        function: &Arc<Function>,
        events: &[Value],
        numbers: &[String],
        attempt: u32,
    ) -> Attempt {
        let event = Event::new(json!({ "Records": events }).to_string().into(), self.clock.now());
        let request_id = Arc::clone(&event.request_id);
        let trigger = format!("stream {}", mapping.table).into();
        match submit(function, event, &trigger, attempt, MAX_WAIT).await {
            None => {
                let reason = "it never found a sandbox".to_owned();
                Attempt { verdict: Verdict::Failed, request_id, outcome: Outcome::NotTaken, reason }
            }
            Some(completion) => {
                let (outcome, response) = (completion.outcome, completion.document());
                let verdict = match outcome {
                    Outcome::Ok if mapping.reports_failures => verdict(&response, numbers),
                    Outcome::Ok => Verdict::Handled,
                    _ => Verdict::Failed,
                };
                let reason = if outcome == Outcome::Ok { response.to_string() } else { completion.reason() };
                Attempt { verdict, request_id, outcome, reason }
            }
        }
    }

    /// The number of the last record that a mapping has handled.
    fn number(&self, mapping: &MappingSpec) -> i64 {
        let handled = self.handled.lock();
        handled.get(&mapping.table).and_then(|table| table.get(&mapping.id)).copied().unwrap_or_default()
    }

    /// Records that a mapping has handled everything until there, and deletes what all have handled.
    async fn checkpoint(&self, mapping: &MappingSpec, number: i64) {
        let all = {
            let mut handled = self.handled.lock();
            let table = handled.entry(mapping.table.clone()).or_default();
            table.insert(mapping.id.clone(), number);
            table.values().copied().min()
        };
        if let Some(all) = all {
            // Fails if the emulator is stopping; the records are delivered again then.
            let _ = self.dynamodb.delete_records(&mapping.table, all).await;
        }
    }

    /// AWS sends where in the stream the records are; here is the record itself, so that it can be delivered again.
    fn add_dead_letter(
        &self,
        mapping: &MappingSpec,
        function: &Function,
        event: &Value,
        condition: Condition,
        attempts: u32,
        ended: &Attempt,
    ) {
        self.lambda.dead_letters().push(DeadLetter {
            id: random::id().to_string(),
            queue: mapping.failed_records.clone(),
            condition,
            function: function.name.to_string(),
            trigger: format!("stream {}", mapping.table),
            request_id: ended.request_id.to_string(),
            time: self.clock.now(),
            attempts,
            outcome: ended.outcome,
            reason: ended.reason.clone(),
            event: json!({ "Records": [event] }).to_string(),
        });
    }
}

/// A record as Lambda passes it on, with the emulator's account and time.
fn event(mapping: &MappingSpec, record: &Record, now: Timestamp) -> Value {
    let mut event = serde_json::to_value(record).unwrap_or_default();
    event["awsRegion"] = account::REGION.into();
    event["eventSourceARN"] = account::arn("dynamodb", &format!("table/{}/stream/local", mapping.table)).into();
    event["dynamodb"]["ApproximateCreationDateTime"] = now.as_second().into();
    event
}
