//! The task `change_rights`: changes the rights of a user for an operator, and ends the user's credentials.

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
