//! `$default`, and every known path under a wrong method: what no other function takes.

use std::process::ExitCode;

use shared::lambda;

fn main() -> ExitCode {
    lambda::not_found()
}
