//! Doors to what the service has stored.

use http::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;

use super::wish::{Query, Refusal, read_wish};
use crate::data::Data;
use crate::data::limits::Who;
use crate::data::users::Page;
use crate::live::Live;
use crate::server::{self, Reply};

/// Users of one page, if nothing else is asked for, and at most.
const PAGE: usize = 20;
const MAX_PAGE: usize = 100;

async fn data(live: &Live) -> Result<Data<'_>, Refusal> {
    Data::of(live).await.map_err(Refusal::Failed)
}

/// `GET users?phone=`, also a deleted one, or `?before=&limit=`.
pub(super) async fn users(live: &Live, query: &Query<'_>) -> Result<Reply, Refusal> {
    let data = data(live).await?;
    let page = if let Some(text) = query.get("phone") {
        let phone = data.phone(&text).ok_or_else(|| Refusal::bad("phone has no digits, or no calling code"))?;
        Page { users: data.user(&phone).await.map_err(Refusal::Failed)?.into_iter().collect(), next: None }
    } else {
        let limit = query.get("limit").map_or(Some(PAGE), |text| text.parse().ok());
        let limit = limit.filter(|limit| (1..=MAX_PAGE).contains(limit));
        let limit = limit.ok_or_else(|| Refusal::bad("limit is from 1 to 100"))?;
        data.users(query.get("before"), limit).await.map_err(Refusal::Failed)?
    };
    Ok(server::json_of(StatusCode::OK, &page))
}

/// `GET sessions?phone=&user_id=`.
pub(super) async fn sessions(live: &Live, query: &Query<'_>) -> Result<Reply, Refusal> {
    let mut data = data(live).await?;
    let phone = query.get("phone").and_then(|text| data.phone(&text));
    let (Some(phone), Some(user_id)) = (phone, query.get("user_id")) else {
        return Err(Refusal::bad("sessions are asked for by phone and user_id"));
    };
    let sessions = data.sessions(&phone, &user_id).await.map_err(Refusal::Failed)?;
    Ok(server::json_of(StatusCode::OK, &sessions))
}

/// `POST sessions/end`: `{"phone", "hash"}`.
pub(super) async fn end_session(live: &Live, body: Incoming) -> Result<Reply, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        phone: String,
        hash: String,
    }
    let wish: Wish = read_wish(body, "the body is {\"phone\", \"hash\"}").await?;
    let mut data = data(live).await?;
    let phone = data.phone(&wish.phone).ok_or_else(|| Refusal::bad("phone has no digits, or no calling code"))?;
    let was_there = data.end_session(&phone, &wish.hash).await.map_err(Refusal::Failed)?;
    if was_there { Ok(server::json(StatusCode::OK, "{}")) } else { Err(Refusal::unknown("there is no such session")) }
}

/// `GET limits?phone=&ip=`.
pub(super) async fn limits(live: &Live, query: &Query<'_>) -> Result<Reply, Refusal> {
    let who = Who { phone: query.get("phone"), ip: query.get("ip") };
    let standing = data(live).await?.standing(&who).await.map_err(Refusal::Failed)?;
    Ok(server::json_of(StatusCode::OK, &standing))
}

/// `POST limits/reset`: `{"phone", "ip"}`, with `{"name"}` of one row if not for all.
pub(super) async fn reset_limits(live: &Live, body: Incoming) -> Result<Reply, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        phone: Option<String>,
        ip: Option<String>,
        name: Option<String>,
    }
    let Wish { phone, ip, name } = read_wish(body, "the body is {\"phone\", \"ip\", \"name\"}").await?;
    let forgotten = data(live).await?.forget(&Who { phone, ip }, name.as_deref()).await.map_err(Refusal::Failed)?;
    Ok(server::json_of(StatusCode::OK, &json!({ "forgotten": forgotten })))
}
