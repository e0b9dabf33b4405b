//! The stream of the users' table: what ends with a change of rights ends also when the process that wrote the row was lost.

use std::process::ExitCode;

use shared::accounts::epochs::Epochs;
use shared::error::Error;
use shared::lambda;
use shared::models::row_change::RowChange;

async fn copy(epochs: &Epochs, change: RowChange) -> Result<(), Error> {
    epochs.copy(&change).await
}

fn main() -> ExitCode {
    lambda::stream(Epochs::connect, copy)
}
