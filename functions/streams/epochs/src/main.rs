//! The stream of the users' table: a change of rights ends what it must and is told to whom it must, also when the process that wrote
//! the row was lost.

use std::process::ExitCode;

use shared::accounts::epochs::Epochs;
use shared::error::Error;
use shared::lambda;
use shared::models::row_change::RowChange;

async fn follow(epochs: &Epochs, change: RowChange) -> Result<(), Error> {
    epochs.follow(&change).await
}

fn main() -> ExitCode {
    lambda::stream(Epochs::connect, follow)
}
