//! The task `change_rights`: an operator changes what a user may do, and ends what the user was given before.

use std::process::ExitCode;

use shared::accounts::rights::{ChangeRights, Rights};
use shared::error::Error;
use shared::lambda;
use shared::models::call::Call;

async fn change_rights(rights: &Rights, call: Call, _task_id: String, request: ChangeRights) -> Result<(), Error> {
    rights.change(&call, &request).await
}

fn main() -> ExitCode {
    lambda::task(Rights::connect, change_rights)
}
