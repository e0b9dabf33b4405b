//! Rights of users: they are changed by the service's function `change_rights`, as `make demote` and its like do on AWS.

use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::request::{ApiError, App, read_json};
use super::stored::StoredData;
use crate::lambda::{Event, Outcome};
use crate::random;
use crate::server::{self, Reply};

/// The function's binary.
const FUNCTION: &str = "change_rights";

/// The function's error for a phone without a user.
const USER_NOT_FOUND: &str = "11004";

/// `POST users/role`: `{"phone", "role"}`.
pub(super) async fn set_role(app: App, body: Body) -> Result<Reply, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Role {
        User,
        Admin,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Json {
        phone: String,
        role: Role,
    }
    let body: Json = read_json(body, "the body is {\"phone\", \"role\": \"user\" or \"admin\"}").await?;
    let change = match body.role {
        Role::User => "demote",
        Role::Admin => "promote",
    };
    apply(app, &body.phone, change).await
}

/// `POST users/rights`: `{"phone", "change"}`.
pub(super) async fn change(app: App, body: Body) -> Result<Reply, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Json {
        phone: String,
        change: String,
    }
    let body: Json = read_json(body, "the body is {\"phone\", \"change\"}").await?;
    apply(app, &body.phone, &body.change).await
}

/// Invokes the function and waits.
async fn apply(State(app): App, phone: &str, change: &str) -> Result<Reply, ApiError> {
    let data = StoredData::open(&app).await?;
    let phone = data.phone(phone).ok_or_else(|| ApiError::bad("phone has no digits, or no calling code"))?;
    let function = app.lambda.functions().into_iter().find(|function| function.spec().binary == FUNCTION);
    let function = function.ok_or_else(|| ApiError::unknown("no function changes rights"))?;
    let now = app.clock.now();
    let event = json!({
        "task_id": random::hex(),
        "time_epoch_ms": now.as_millisecond(),
        "spawned_at_ms": now.as_millisecond() - app.clock.offset_ms(),
        "task": { "phone": phone, "change": change, "by": "the control API" },
    });
    let trace = HeaderValue::try_from(random::trace(now.as_second())).map_err(|_| ApiError::Lost)?;
    let event = Event { request_id: random::id(), body: Bytes::from(event.to_string()), trace };
    let completion = app.lambda.invoke(&function, event).await.map_err(|_| ApiError::Lost)?;
    let error = completion.document();
    match (completion.outcome, error["errorType"].as_str()) {
        (Outcome::Ok, _) => Ok(server::json(StatusCode::OK, "{}")),
        (_, Some(USER_NOT_FOUND)) => Err(ApiError::unknown("the phone has no user")),
        _ => Err(ApiError::Bad(error["errorMessage"].as_str().unwrap_or("the function failed").to_owned())),
    }
}
