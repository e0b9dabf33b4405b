//! Doors that run a function now and wait for it: a dead letter once more.

use http::StatusCode;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use super::{Refusal, read_optional_wish};
use crate::invocation::Outcome;
use crate::live::Live;
use crate::server::{self, Reply};

/// What a dead letter came to.
#[derive(Serialize)]
struct RedrivenDocument<'a> {
    /// The letter's id.
    id: &'a str,
    function: &'a str,
    /// The new one.
    request_id: &'a str,
    attempts: u32,
    outcome: Outcome,
}

/// `POST dead_letters/redrive`, with `{"id": "…"}` if not for all.
pub(super) async fn redrive(live: &Live, body: Incoming) -> Result<Reply, Refusal> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        id: Option<String>,
    }
    let wish: Wish = read_optional_wish(body, "the body is {\"id\": the id of a letter}").await?;
    let ended = live.lambda.redrive(wish.id.as_deref(), live.clock.now()).await;
    if let (Some(id), []) = (wish.id, &ended[..]) {
        return Err(Refusal::Unknown(format!("there is no dead letter {id}")));
    }
    let document: Vec<_> = ended
        .iter()
        .map(|(letter, delivery)| RedrivenDocument {
            id: &letter.id,
            function: &letter.function,
            request_id: &delivery.request_id,
            attempts: delivery.attempts,
            outcome: delivery.outcome,
        })
        .collect();
    Ok(server::json_of(StatusCode::OK, &document))
}
