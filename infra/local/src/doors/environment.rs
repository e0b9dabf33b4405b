//! `GET environment?function=`: what a function's process has to be told by its environment, one `NAME=value` a line, so
//! that it can be run by something else than this stage. `cargo lambda watch --env-file` takes it.

use std::collections::BTreeMap;

use http::StatusCode;

use super::look;
use super::wish::{Query, Refusal};
use crate::live::Live;
use crate::sandbox;
use crate::server::{self, Reply};

/// Without a function, what all of them get together: no two get different values by one name.
pub(super) fn answer(live: &Live, query: &Query<'_>) -> Result<Reply, Refusal> {
    let functions = look::functions_of(live, query)?;
    let variables = functions.iter().flat_map(|function| sandbox::anywhere(&function.host, &function.spec()));
    let variables: BTreeMap<_, _> = variables.collect();
    let lines: Vec<_> = variables.iter().map(|(name, value)| [name, "=", value, "\n"].concat()).collect();
    Ok(server::text(StatusCode::OK, lines.concat()))
}
