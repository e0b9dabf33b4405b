//! The routes of the control API.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, any, get, post, put};
use http::Request;

use super::request::ApiError;
use super::{clock, console, data, environment, events, openapi, rerun, rights, settings, sms, state};
use crate::app::AppState;

/// Whether a request is for the control API or the console, and not for the gateway.
pub(crate) fn is_for<B>(request: &Request<B>) -> bool {
    request.uri().path().starts_with("/_stage/") || console::is_requested(request)
}

/// Answers the requests that [`is_for`] accepts.
pub(crate) fn router(app: Arc<AppState>) -> Router {
    Router::new()
        .route("/_stage/api", only("GET", get(openapi::answer)))
        .route("/_stage/audit", only("GET", get(data::events)))
        .route("/_stage/clock", only("POST", post(clock::advance)))
        .route("/_stage/codes", only("GET", get(data::codes)))
        .route("/_stage/dead_letters", only("GET", get(rerun::dead_letters)))
        .route("/_stage/dead_letters/redrive", only("POST", post(rerun::redrive)))
        .route("/_stage/environment", only("GET", get(environment::answer)))
        .route("/_stage/events", only("GET", get(events::answer)))
        .route("/_stage/faults", only("PUT", put(state::set_faults)))
        .route("/_stage/invocations", only("GET", get(state::invocations)))
        .route("/_stage/limits", only("GET", get(data::limits)))
        .route("/_stage/limits/reset", only("POST", post(data::reset_limits)))
        .route("/_stage/reset", only("POST", post(state::reset)))
        .route("/_stage/schedules/{*name}", only("POST", post(rerun::fire)))
        .route("/_stage/sessions", only("GET", get(data::sessions)))
        .route("/_stage/sessions/end", only("POST", post(data::end_session)))
        .route("/_stage/settings", only("GET", get(settings::answer)))
        .route("/_stage/sms", only("GET, POST", get(sms::read).post(sms::accept)))
        .route("/_stage/state", only("GET", get(state::state)))
        .route("/_stage/users", only("GET", get(data::users)))
        .route("/_stage/users/rights", only("POST", post(rights::change)))
        .route("/_stage/users/role", only("POST", post(rights::set_role)))
        .route("/", any(console::answer))
        .route("/_stage/console/", any(console::answer))
        .route("/_stage/console/{*file}", any(console::answer))
        .fallback(|| async { ApiError::unknown("there is no such path") })
        .with_state(app)
}

/// Refuses other methods in JSON. axum would answer HEAD where there is GET.
fn only(allowed: &'static str, methods: MethodRouter<Arc<AppState>>) -> MethodRouter<Arc<AppState>> {
    let refuse = move || async move { ApiError::Method(allowed) };
    methods.head(refuse).fallback(refuse)
}
