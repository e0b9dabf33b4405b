//! Writes the good rows of a file, many at a time, each under a condition.

use std::sync::Arc;
use std::time::Duration;

use shared::db::{Imported, Users};
use shared::error::Error;
use shared::models::user::User;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Failure;
use crate::check::{Checked, Outcome, Row};
use crate::pace::Pace;
use crate::report::Report;

/// Writes in flight.
const WIDTH: usize = 64;

/// How often a write is tried, beyond the SDK's own tries, with waits from a quarter of a second to 16 seconds between.
const ATTEMPTS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// What does not pass by waiting, as DynamoDB names it.
const FINAL: [&str; 6] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "InvalidSignatureException",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "ValidationException",
];

/// One import.
pub(crate) struct Import {
    writer: Arc<Writer>,
    request_id: String,
    shards: u8,
    rows: u64,
}

struct Writer {
    users: Users,
    pace: Pace,
}

/// What became of the good rows.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) imported: u64,
    /// What those cost, as DynamoDB counts.
    pub(crate) write_units: f64,
    /// Of an earlier run.
    pub(crate) there: u64,
    /// Of phones that have another user.
    pub(crate) taken: u64,
}

type Done = (u64, String, Result<Imported, Error>);

impl Import {
    /// Of so many good rows, at most `rate` a second.
    pub(crate) fn new(users: Users, request_id: String, shards: u8, rate: u32, rows: u64) -> Self {
        Self { writer: Arc::new(Writer { users, pace: Pace::new(rate) }), request_id, shards, rows }
    }

    /// Writes all good rows.
    ///
    /// # Errors
    /// The first write that fails for good. What was written stays, and a second run goes on.
    pub(crate) async fn run(&self, mut rows: Checked<'_>, report: &mut Report) -> Result<Written, Failure> {
        let (mut written, mut done) = (Written::default(), 0);
        let mut writes: JoinSet<Done> = JoinSet::new();
        loop {
            let row = rows.next()?;
            let is_last = row.is_none();
            if let Some(Row { line, id, outcome: Outcome::Good(legacy) }) = row {
                let user = legacy.into_user(self.shards, &self.request_id)?;
                let table = Arc::clone(&self.writer);
                table.pace.turn().await;
                writes.spawn(async move { (line, id, table.write(&user).await) });
            }
            while writes.len() >= WIDTH || (is_last && !writes.is_empty()) {
                let Some(write) = writes.join_next().await else { break };
                let (line, id, outcome) = write?;
                match outcome.map_err(|error| stopped(&error))? {
                    Imported::New { units } => {
                        written.imported += 1;
                        written.write_units += units;
                    }
                    Imported::Before => written.there += 1,
                    Imported::PhoneTaken => {
                        written.taken += 1;
                        report.problem(line, &id, "has the phone of another user of the stage")?;
                    }
                }
                done += 1;
                report.progress(done, self.rows);
            }
            if is_last {
                return Ok(written);
            }
        }
    }
}

impl Writer {
    async fn write(&self, user: &User) -> Result<Imported, Error> {
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            match self.users.import(user).await {
                Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                    self.pace.slow_down().await;
                    sleep(wait).await;
                    wait *= 2;
                    attempt += 1;
                    self.pace.turn().await;
                }
                outcome => return outcome,
            }
        }
    }
}

fn may_pass(error: &Error) -> bool {
    let text = error.to_string();
    matches!(error, Error::Db(_)) && !FINAL.iter().any(|name| text.contains(name))
}

fn stopped(error: &Error) -> Failure {
    let text = error.to_string();
    let hint = if text.contains("ResourceNotFound") {
        "the stage has no users' table there; deploy it first, or set AWS_REGION"
    } else if text.contains("Expired") || text.contains("UnrecognizedClient") || text.contains("AccessDenied") {
        "sign in to AWS again, with a role that may put items into the users' table"
    } else {
        "what was written stays"
    };
    format!("the import stopped ({text}): {hint}. Type the same again to go on").into()
}
