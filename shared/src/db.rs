//! DynamoDB, by `aws-sdk-dynamodb` and `serde_dynamo`. The file of a table knows the shape of its keys and items.

mod audit;
mod changes;
mod database;
mod deletions;
mod imports;
mod item;
mod lists;
mod moves;
mod notices;
mod rights;
mod runs;
mod schema;
#[cfg(test)]
mod scripted;
mod stats;
mod user_item;
mod users;

pub use self::audit::{AuditEvents, Place};
pub use self::changes::Change;
pub use self::database::Database;
pub use self::deletions::Cursor;
pub use self::imports::Imported;
pub use self::lists::Newest;
pub use self::moves::{Move, Moved, StoredRow};
pub use self::runs::{Begun, Run, Runs};
pub use self::schema::Schema;
pub use self::stats::Stats;
pub use self::users::{Inserted, Users};
