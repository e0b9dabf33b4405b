//! Counts of what was done, for the rows of the limits' table.

use std::time::Duration;

use jiff::civil::Date;

use super::codes::Day;
use super::script::{Invocation, Script, script};
use super::{Cache, millis};
use crate::config::Unproven;
use crate::error::{Cause, Error};

static LIMIT_PROVE: Script = script!("limit_prove");
static LIMIT_RETURN: Script = script!("limit_return");
static LIMIT_TAKE: Script = script!("limit_take");

/// Everything that is asked before a message is sent lies in one slot, so that one script sees all of it at once.
/// See `docs/decisions/0008-limits-in-one-slot.md`.
pub const SENDS: &str = "sends";

/// One row for one request.
pub struct Row<'a> {
    /// The row's name.
    pub name: &'a str,
    /// Who is counted.
    pub subject: String,
    /// `None`: until midnight.
    pub window: Option<Duration>,
    /// How much may be counted.
    pub max: u64,
    /// How much this request counts.
    pub cost: u64,
    /// What holds while the subject owes proof.
    pub unproven: Option<Unproven>,
}

/// Something that wants to happen.
pub struct Wish<'a> {
    /// The hash tag of its counts.
    pub slot: String,
    /// Random; by it a repetition is known.
    pub id: String,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The stage's day.
    pub day: Day,
    /// The rows that it has to pass.
    pub rows: Vec<Row<'a>>,
    /// The figure that counts it, if there is one.
    pub figure: &'static str,
    /// The idempotency key that it came with.
    pub claim: Option<Claim>,
}

/// An idempotency key and what it stands for.
pub struct Claim {
    /// SHA-256 of the key, in base64.
    pub key: String,
    /// What the request must be to be the same.
    pub mark: String,
}

/// How long a reply is kept for its idempotency key: 24 hours.
const CLAIM_MS: i64 = 24 * 3600 * 1000;

/// What became of a wish.
pub enum Taken {
    /// It was counted.
    Yes,
    /// A limit; come back after so long.
    Wait(Duration),
    /// Its idempotency key has been used for the same.
    Before {
        /// How long ago.
        age: Duration,
        /// What was answered then; `None` while it is not known yet.
        reply: Option<String>,
    },
    /// Its idempotency key has been used for something else.
    Other,
}

impl Cache {
    /// Counts the wish in all its rows, or in none.
    ///
    /// # Errors
    /// [`Error::Redis`]: it may not happen.
    pub async fn take(&self, wish: &Wish<'_>) -> Result<Taken, Error> {
        self.ask("take", wish).await
    }

    /// Whether the wish could be counted. Counts a refusal, and nothing else.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn look(&self, wish: &Wish<'_>) -> Result<Taken, Error> {
        self.ask("look", wish).await
    }

    async fn ask(&self, mode: &str, wish: &Wish<'_>) -> Result<Taken, Error> {
        let (verdict, millis, reply): (String, Option<u64>, Option<String>) =
            self.script(&self.of_wish(&LIMIT_TAKE, mode, wish)).await?;
        let span = Duration::from_millis(millis.unwrap_or(0));
        match verdict.as_str() {
            "taken" => Ok(Taken::Yes),
            "wait" => Ok(Taken::Wait(span)),
            "reply" => Ok(Taken::Before { age: span, reply }),
            "other" => Ok(Taken::Other),
            _ => Err(Error::Redis(Cause::new("limit_take gave no verdict"))),
        }
    }

    /// Takes back what [`Self::take`] counted.
    ///
    /// # Errors
    /// [`Error::Redis`]: it stays counted, and ends by itself.
    pub async fn give_back(&self, wish: &Wish<'_>) -> Result<(), Error> {
        self.script(&self.of_wish(&LIMIT_RETURN, "", wish)).await
    }

    /// Keeps the reply for the next request with the same idempotency key.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn keep_reply(&self, claim: &Claim, reply: &str) -> Result<(), Error> {
        let key = self.claim_key(&claim.key);
        let mut commands = redis::pipe();
        commands.hset(&key, "reply", reply).ignore().pexpire(&key, CLAIM_MS).ignore();
        self.bounded(async |mut connection| commands.exec_async(&mut connection).await).await
    }

    /// The subjects' debts are paid back in part by the code that has `mac`, once.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn prove(&self, mac: &str, subjects: &[String], code_ttl_secs: u64) -> Result<(), Error> {
        let mut keys = vec![self.key(SENDS, "paid", mac)];
        keys.extend(subjects.iter().map(|subject| self.key(SENDS, "debt", subject)));
        let mut call = LIMIT_PROVE.on(&keys);
        self.script(call.arg(Unproven::PAID_BACK).arg(code_ttl_secs * 1000)).await
    }

    fn of_wish(&self, script: &'static Script, mode: &str, wish: &Wish<'_>) -> Invocation {
        let claim = wish.claim.as_ref();
        let figures = self.figures_key(&wish.slot, wish.day.date);
        // A wish without an idempotency key has no claim, and a row without debts has none; the script then does not
        // look at what stands in their place.
        let claimed = claim.map_or_else(|| figures.clone(), |claim| self.claim_key(&claim.key));
        let mut keys = vec![figures, claimed];
        for row in &wish.rows {
            let count = self.count_key(wish, row);
            let debt = row.unproven.map(|_| self.key(&wish.slot, "debt", &row.subject));
            let debt = debt.unwrap_or_else(|| count.clone());
            keys.extend([count, debt]);
        }
        let mut call = script.on(&keys);
        call.arg(mode).arg(&wish.id).arg(wish.now_ms).arg(millis(wish.day.left));
        call.arg(claim.map_or("", |claim| &claim.mark)).arg(CLAIM_MS).arg(wish.figure);
        for row in &wish.rows {
            call.arg(row.name).arg(row.window.map_or(0, millis)).arg(row.max).arg(row.cost);
            match row.unproven {
                Some(unproven) => call.arg(millis(Unproven::MEMORY)).arg(unproven.free).arg(unproven.max),
                None => call.arg(0).arg(0).arg(0),
            };
        }
        call
    }

    /// A day's count has the day in its name, so that midnight begins another one.
    fn count_key(&self, wish: &Wish<'_>, row: &Row<'_>) -> String {
        match row.window {
            Some(_) => self.key(&wish.slot, row.name, &row.subject),
            None => self.key(&wish.slot, row.name, &day_of(wish.day.date, &row.subject)),
        }
    }

    fn claim_key(&self, key: &str) -> String {
        self.key(SENDS, "claim", key)
    }
}

fn day_of(date: Date, subject: &str) -> String {
    format!("{date}:{subject}")
}
