//! Reads the stream of the users' table: writes each change of a user as one event of the audit.

use std::process::ExitCode;

use shared::accounts::audit::Audit;
use shared::error::Error;
use shared::lambda;
use shared::models::row_change::RowChange;

async fn audit(audit: &Audit, change: RowChange) -> Result<(), Error> {
    audit.record(&change).await
}

fn main() -> ExitCode {
    lambda::stream(Audit::connect, audit)
}
