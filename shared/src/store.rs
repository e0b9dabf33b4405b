//! DynamoDB: one file per table under `store/` knows the shape of its keys and items.

pub mod deployment;
mod dynamodb;
pub mod figures;
mod item;
pub mod retention;
pub mod runs;
pub mod users;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::dynamodb::{DynamoDb, Failure};
use self::item::{Ask, Consumed, Found, Operation};
use crate::aws::Caller;
use crate::config::{Config, SettingError};
use crate::error::{Cause, Error};
use crate::telemetry::Tally;

/// The tables of a stage.
pub struct Store {
    dynamodb: DynamoDb,
    users_table: Option<String>,
    runs_table: Option<String>,
    tally: Tally,
}

impl Store {
    /// A client whose connection is not open yet.
    pub(crate) fn new(dynamodb: Caller, config: &Config, tally: Tally) -> Self {
        Self {
            dynamodb: DynamoDb::new(dynamodb, tally.clone()),
            users_table: config.users_table().ok().map(str::to_owned),
            runs_table: config.runs_table().ok().map(str::to_owned),
            tally,
        }
    }

    /// Opens the connection, so that the first request finds it open.
    pub(crate) async fn warm(&self) -> Result<(), Error> {
        self.dynamodb.warm().await
    }

    fn users_table(&self) -> Result<&str, Error> {
        needed(self.users_table.as_deref(), "USERS_TABLE")
    }

    fn runs_table(&self) -> Result<&str, Error> {
        needed(self.runs_table.as_deref(), "RUNS_TABLE")
    }

    /// Carries one operation out, and counts what it cost.
    async fn ask<I: DeserializeOwned>(
        &self,
        operation: Operation,
        ask: Ask<'_, impl Serialize>,
    ) -> Result<Found<I>, Failure> {
        let found: Found<I> = self.dynamodb.call(operation.name(), &ask).await?;
        if let Some(Consumed { capacity_units: units }) = found.consumed_capacity {
            let (read, write) = if operation.is_read() { (units, 0.0) } else { (0.0, units) };
            self.tally.charge(read, write);
        }
        Ok(found)
    }
}

fn needed<'a>(table: Option<&'a str>, variable: &'static str) -> Result<&'a str, Error> {
    table.ok_or_else(|| Error::Internal(Cause::of(&SettingError::Unset(variable))))
}

/// Whether a conditional write has done something; it has nothing to do when its condition does not hold.
fn is_done<T>(outcome: Result<T, Failure>) -> Result<bool, Error> {
    match outcome {
        Ok(_) => Ok(true),
        Err(Failure::Condition(_)) => Ok(false),
        Err(Failure::Failed(error)) => Err(error),
    }
}
