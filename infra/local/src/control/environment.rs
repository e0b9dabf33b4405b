//! `GET environment?function=`: the variables that a function needs outside of this emulator, one `NAME=value` a line.
//! `cargo lambda watch --env-file` reads this.

use std::collections::BTreeMap;

use axum::extract::State;
use http::StatusCode;

use super::request::{ApiError, App, Query};
use super::state;
use crate::lambda;
use crate::server::{self, Reply};

/// Without a function, those of all: no two functions have different values for one name.
pub(super) async fn answer(State(app): App, query: Query) -> Result<Reply, ApiError> {
    let functions = state::functions_of(&app, &query)?;
    let variables =
        functions.iter().flat_map(|function| lambda::portable_environment(&function.host, &function.spec()));
    let variables: BTreeMap<_, _> = variables.collect();
    let lines: Vec<_> = variables.iter().map(|(name, value)| [name, "=", value, "\n"].concat()).collect();
    Ok(server::text(StatusCode::OK, lines.concat()))
}
