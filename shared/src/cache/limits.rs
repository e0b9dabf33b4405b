//! Counts of what was done, for the rows of the table of limits.

use std::time::Duration;

use super::client::{Cache, millis};
use super::codes::Day;
use super::script::Script;
use crate::config::Unverified;
use crate::error::{Cause, Error};

static LIMIT_CREDIT: Script = Script::new(include_str!("scripts/limit_credit.lua"));
static LIMIT_REFUND: Script = Script::new(include_str!("scripts/limit_refund.lua"));
static LIMIT_SPEND: Script = Script::new(include_str!("scripts/limit_spend.lua"));

/// The slot of everything that is checked before a message is sent, so that one script sees all of it at once.
/// See `docs/decisions/0008-limits-in-one-slot.md`.
pub const SENDS: &str = "sends";

/// How long a reply is kept for its idempotency key: 24 hours.
const REPLY_TTL_MS: i64 = 24 * 3600 * 1000;

/// One row of the table, for one request.
pub struct Row<'a> {
    /// The row's name.
    pub name: &'a str,
    /// Who is counted.
    pub subject: String,
    /// `None`: until midnight.
    pub window: Option<Duration>,
    /// The row's limit for this request.
    pub max: u64,
    /// The row's limit for the client that may do the most.
    pub most: u64,
    /// How much this request counts.
    pub cost: u64,
    /// What holds while the subject has too many unverified sends.
    pub unverified: Option<Unverified>,
}

/// An action that limits apply to.
pub struct Spend<'a> {
    /// The hash tag of its counts.
    pub slot: String,
    /// Random, to recognize a repetition.
    pub id: String,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The stage's day.
    pub day: Day,
    /// The rows that it has to pass.
    pub rows: Vec<Row<'a>>,
    /// The daily stat that counts it; empty if there is none.
    pub stat: &'static str,
    /// The idempotency key of the request.
    pub idempotency: Option<IdempotencyRecord>,
}

/// What is stored for an idempotency key.
pub struct IdempotencyRecord {
    /// A SHA-256 of the phone and the key, in base64: a key belongs to its phone. Of a notice, the id of its stream record.
    pub key: String,
}

/// Whether an action may happen.
pub enum Decision {
    /// It may, and was counted.
    Counted,
    /// A limit is reached. The time is that after which it may.
    Wait(Duration),
    /// The same request came before with this idempotency key.
    Before {
        /// How long ago.
        age: Duration,
        /// The reply to that request; `None` while there is none.
        reply: Option<String>,
    },
}

impl Cache {
    /// Counts the action in all its rows, or in none.
    ///
    /// # Errors
    /// [`Error::Redis`]: it may not happen.
    pub async fn spend(&self, spend: &Spend<'_>) -> Result<Decision, Error> {
        self.decide("spend", spend).await
    }

    /// Decides like [`Self::spend`], but counts nothing except a refusal.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn check(&self, spend: &Spend<'_>) -> Result<Decision, Error> {
        self.decide("check", spend).await
    }

    /// Undoes what [`Self::spend`] counted.
    ///
    /// # Errors
    /// [`Error::Redis`]: it stays counted until its windows end.
    pub async fn refund(&self, spend: &Spend<'_>) -> Result<(), Error> {
        self.run_with_rows(&LIMIT_REFUND, "", spend).await
    }

    /// Stores the reply for the next request with the same idempotency key.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn store_reply(&self, record: &IdempotencyRecord, reply: &str) -> Result<(), Error> {
        let key = self.record_key(record);
        let mut commands = redis::pipe();
        commands.hset(&key, "reply", reply).ignore().pexpire(&key, REPLY_TTL_MS).ignore();
        let commands = &commands;
        self.access(|mut connection| async move { commands.exec_async(&mut connection).await }).await
    }

    /// Reduces what the subjects owe, because the code that has `mac` was used; once for each code.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn credit(&self, mac: &str, subjects: &[String], code_ttl_secs: u64) -> Result<(), Error> {
        let mut keys = vec![self.key(SENDS, "paid", mac)];
        keys.extend(subjects.iter().map(|subject| self.key(SENDS, "debt", subject)));
        self.script(&LIMIT_CREDIT, &keys, (Unverified::PAID_BACK, code_ttl_secs * 1000)).await
    }

    async fn decide(&self, mode: &str, spend: &Spend<'_>) -> Result<Decision, Error> {
        let (verdict, millis, reply): (String, Option<u64>, Option<String>) =
            self.run_with_rows(&LIMIT_SPEND, mode, spend).await?;
        let span = Duration::from_millis(millis.unwrap_or(0));
        match verdict.as_str() {
            "counted" => Ok(Decision::Counted),
            "wait" => Ok(Decision::Wait(span)),
            "reply" => Ok(Decision::Before { age: span, reply }),
            _ => Err(Error::Redis(Cause::new("limit_spend returned no verdict"))),
        }
    }

    async fn run_with_rows<T>(&self, script: &Script, mode: &str, spend: &Spend<'_>) -> Result<T, Error>
    where
        T: redis::FromRedisValue + Send,
    {
        let Spend { slot, id, now_ms, day, rows, stat, idempotency } = spend;
        let stats = self.stats_key(slot, day.date);
        // Without an idempotency key, and in a row without debts, the script does not read the key that stands there.
        let record = idempotency.as_ref().map_or_else(|| stats.clone(), |record| self.record_key(record));
        let mut keys = vec![stats, record];
        let mut row_args = Vec::new();
        for row in rows {
            let count = self.count_key(spend, row);
            let debt = row.unverified.map_or_else(|| count.clone(), |_| self.key(slot, "debt", &row.subject));
            keys.extend([count, debt]);
            let (memory, free, max) =
                row.unverified.map_or((0, 0, 0), |Unverified { free, max }| (millis(Unverified::MEMORY), free, max));
            let window = row.window.map_or(0, millis);
            row_args.push((row.name, window, row.max, row.most, row.cost, memory, free, max));
        }
        let record_ms = if idempotency.is_some() { REPLY_TTL_MS } else { 0 };
        let args = (mode, id, now_ms, millis(day.left), record_ms, stat, row_args);
        self.script(script, &keys, args).await
    }

    /// The date in the name of a daily count makes midnight begin another one.
    fn count_key(&self, spend: &Spend<'_>, row: &Row<'_>) -> String {
        let name = match row.window {
            Some(_) => format!("{}:{}", row.name, row.subject),
            None => format!("{}:{}:{}", row.name, spend.day.date, row.subject),
        };
        // The term is the same whatever a row is called, so that the rights of the cache's users can name it.
        self.key(&spend.slot, "limit", &name)
    }

    fn record_key(&self, record: &IdempotencyRecord) -> String {
        self.key(SENDS, "claim", &record.key)
    }
}
