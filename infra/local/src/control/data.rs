//! The stored data of the service: users, codes, sessions, limits.

use axum::body::Body;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::request::{ApiError, App, Query, read_json};
use super::stored::{Page, StoredData, Subject};
use crate::server::{self, Reply};

/// Users of one page by default, and at most.
const PAGE: usize = 20;
const MAX_PAGE: usize = 100;

/// `GET users?phone=`, also a deleted one, or `?state=&before=&limit=`: with the state `deleted` those, else all others.
pub(super) async fn users(State(app): App, query: Query) -> Result<Reply, ApiError> {
    let data = StoredData::open(&app).await?;
    let page = if let Some(text) = query.get("phone") {
        let phone = data.phone(&text).ok_or_else(|| ApiError::bad("phone has no digits, or no calling code"))?;
        Page { users: data.user(&phone).await?.into_iter().collect(), next: None }
    } else {
        let limit = query.get("limit").map_or(Some(PAGE), |text| text.parse().ok());
        let limit = limit.filter(|limit| (1..=MAX_PAGE).contains(limit));
        let limit = limit.ok_or_else(|| ApiError::bad("limit is from 1 to 100"))?;
        let is_deleted = query.get("state").is_some_and(|state| state == "deleted");
        data.users(is_deleted, query.get("before"), limit).await?
    };
    Ok(server::json_of(StatusCode::OK, &page))
}

/// `GET audit?user_id=`: the newest events of a user.
pub(super) async fn events(State(app): App, query: Query) -> Result<Reply, ApiError> {
    let user_id = query.get("user_id").ok_or_else(|| ApiError::bad("events need user_id"))?;
    let events = StoredData::open(&app).await?.events(&user_id, MAX_PAGE).await?;
    Ok(server::json_of(StatusCode::OK, &events))
}

/// `GET codes`: for each of the newest messages, whether the service would still accept its code.
pub(super) async fn codes(State(app): App) -> Result<Reply, ApiError> {
    let codes = StoredData::open(&app).await?.codes().await?;
    Ok(server::json_of(StatusCode::OK, &codes))
}

/// `GET sessions?phone=&user_id=`.
pub(super) async fn sessions(State(app): App, query: Query) -> Result<Reply, ApiError> {
    let mut data = StoredData::open(&app).await?;
    let phone = query.get("phone").and_then(|text| data.phone(&text));
    let (Some(phone), Some(user_id)) = (phone, query.get("user_id")) else {
        return Err(ApiError::bad("sessions need phone and user_id"));
    };
    let sessions = data.sessions(&phone, &user_id).await?;
    Ok(server::json_of(StatusCode::OK, &sessions))
}

/// `POST sessions/end`: `{"phone", "hash"}`.
pub(super) async fn end_session(State(app): App, body: Body) -> Result<Reply, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Json {
        phone: String,
        hash: String,
    }
    let body: Json = read_json(body, "the body is {\"phone\", \"hash\"}").await?;
    let mut data = StoredData::open(&app).await?;
    data.phone(&body.phone).ok_or_else(|| ApiError::bad("phone has no digits, or no calling code"))?;
    let was_there = data.end_session(&body.hash).await?;
    if was_there { Ok(server::json(StatusCode::OK, "{}")) } else { Err(ApiError::unknown("there is no such session")) }
}

/// `GET limits?phone=&ip=`.
pub(super) async fn limits(State(app): App, query: Query) -> Result<Reply, ApiError> {
    let subject = Subject { phone: query.get("phone"), ip: query.get("ip") };
    let limits = StoredData::open(&app).await?.limits(&subject).await?;
    Ok(server::json_of(StatusCode::OK, &limits))
}

/// `POST limits/reset`: `{"phone", "ip"}`, with `{"name"}` of one row if not for all.
pub(super) async fn reset_limits(State(app): App, body: Body) -> Result<Reply, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Json {
        phone: Option<String>,
        ip: Option<String>,
        name: Option<String>,
    }
    let Json { phone, ip, name } = read_json(body, "the body is {\"phone\", \"ip\", \"name\"}").await?;
    let forgotten = StoredData::open(&app).await?.reset_limits(&Subject { phone, ip }, name.as_deref()).await?;
    Ok(server::json_of(StatusCode::OK, &json!({ "forgotten": forgotten })))
}
