//! Reads the stream of the users' table: ends the credentials that a change of rights has made invalid, and sends the notice of a
//! change, even if the process that wrote the row was lost.

use std::process::ExitCode;

use shared::accounts::epochs::Epochs;
use shared::error::Error;
use shared::lambda;
use shared::models::row_change::RowChange;

async fn handle(epochs: &Epochs, change: RowChange) -> Result<(), Error> {
    epochs.handle(&change).await
}

fn main() -> ExitCode {
    lambda::stream(Epochs::connect, handle)
}
