//! What a front tells of a request: API Gateway in the formats 2.0 (HTTP APIs; function URLs have it too) and 1.0 (REST
//! APIs), and load balancers. One type reads them all, because a function needs few of their many fields (decision 12).
//!
//! Sources: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs" and "Lambda proxy
//! integrations in API Gateway" (REST); Lambda Developer Guide, "Invoking Lambda function URLs"; user guide of
//! Application Load Balancers, "Use Lambda functions as targets".

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::headers::{Headers, Lines};
use crate::error::{Cause, Error};

/// Who made an event, and so the shape of the answer that it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Front {
    /// Format 2.0: an HTTP API, or a function URL.
    #[default]
    Format2,
    /// Format 1.0: a REST API, or an HTTP API that is set to it.
    Format1,
    /// An application load balancer.
    LoadBalancer {
        /// Whether the target group's attribute `lambda.multi_value_headers.enabled` is set.
        has_multi_value_headers: bool,
    },
}

/// An event, as far as somebody here asks.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    request_context: Context,
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    cookies: Option<Vec<String>>,
    path_parameters: Option<PathParameters>,
    resource: Option<String>,
    path: Option<String>,
    http_method: Option<String>,
    headers: Option<Headers>,
    multi_value_headers: Option<Headers>,
    query_string_parameters: Option<Parameters>,
    multi_value_query_string_parameters: Option<Parameters>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

type Parameters = BTreeMap<String, Lines>;

/// Each front has a member of its own here, by which it is known.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    http: Option<Http>,
    identity: Option<Identity>,
    elb: Option<IgnoredAny>,
    route_key: Option<String>,
    path: Option<String>,
    time_epoch: Option<i64>,
    request_time_epoch: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    source_ip: Option<String>,
}

#[derive(Deserialize)]
struct PathParameters {
    stage: Option<String>,
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// [`Error::BadEvent`] when no front makes such events.
    pub(crate) fn read(json: &str) -> Result<Self, Error> {
        serde_json::from_str(json).map_err(|cause| Error::BadEvent(Cause::new(&format!("{:?}", cause.classify()))))
    }

    /// Who made it; nobody we know makes one without a request.
    pub(crate) fn front(&self) -> Front {
        let context = &self.request_context;
        if context.http.is_none() && context.identity.is_some() {
            Front::Format1
        } else if context.http.is_none() && context.elb.is_some() {
            Front::LoadBalancer { has_multi_value_headers: self.multi_value_headers.is_some() }
        } else {
            Front::Format2
        }
    }

    /// # Errors
    /// [`Error::BadEvent`] when there is none, so that it is no event of a request.
    pub(super) fn method(&mut self) -> Result<String, Error> {
        let method = match &mut self.request_context.http {
            Some(http) => Some(std::mem::take(&mut http.method)),
            None => self.http_method.take(),
        };
        method.ok_or_else(|| Error::BadEvent(Cause::new("no method")))
    }

    /// The path as the client sent it. `path` of format 1.0 lacks the API's own stage, which clients have to write.
    pub(super) fn path(&mut self) -> String {
        self.raw_path.take().or(self.request_context.path.take()).or(self.path.take()).unwrap_or_default()
    }

    /// The path of the route that the front chose, `/a/{b}`; none if it has chosen by less than that.
    pub(super) fn route(&mut self) -> Option<String> {
        let by_key = |key: String| key.split_once(' ').map(|(_, path)| path.to_owned());
        let route = self.request_context.route_key.take().and_then(by_key).or(self.resource.take())?;
        // `{proxy+}` takes every path. HTTP APIs write the route `$default` into `resource` as if it were a path.
        (!route.contains("+}") && !route.ends_with("$default")).then_some(route)
    }

    pub(super) fn stage_in_route(&mut self) -> Option<String> {
        self.path_parameters.take()?.stage
    }

    /// When the front took the request, in milliseconds since the Unix epoch. Load balancers do not say.
    pub(super) fn time_epoch_ms(&self) -> Option<i64> {
        self.request_context.time_epoch.or(self.request_context.request_time_epoch)
    }

    pub(super) fn headers(&mut self) -> Headers {
        // Format 1.0 has both, and of a header that came twice only the last in the first.
        self.multi_value_headers.take().or(self.headers.take()).unwrap_or_default()
    }

    /// The client's address as the front saw it.
    pub(super) fn source_ip(&self, headers: &Headers) -> String {
        let context = &self.request_context;
        let stated = match (&context.http, &context.identity) {
            (Some(http), _) => http.source_ip.as_deref(),
            (None, Some(identity)) => identity.source_ip.as_deref(),
            (None, None) => return headers.forwarded_for.as_deref().map(last_hop).unwrap_or_default(),
        };
        stated.unwrap_or_default().to_owned()
    }

    pub(super) fn cookies(&mut self, headers: &mut Headers) -> Vec<String> {
        self.cookies.take().unwrap_or_else(|| std::mem::take(&mut headers.cookies))
    }

    /// Names and values in the order in which they are to be read.
    pub(super) fn query(&mut self) -> Vec<(String, String)> {
        if let Some(raw) = &self.raw_query_string {
            return form_urlencoded::parse(raw.as_bytes()).into_owned().collect();
        }
        let is_raw = self.request_context.elb.is_some();
        let decode = |text: String| if is_raw { decode(&text) } else { text };
        let parameters = self.multi_value_query_string_parameters.take().or(self.query_string_parameters.take());
        let pairs = parameters
            .unwrap_or_default()
            .into_iter()
            .flat_map(|(name, Lines(values))| values.into_iter().map(move |value| (name.clone(), value)));
        pairs.map(|(name, value)| (decode(name), decode(value))).collect()
    }

    /// # Errors
    /// [`Error::BadEvent`] when it is not the base64 that it claims to be.
    pub(super) fn body(&mut self) -> Result<Vec<u8>, Error> {
        let body = self.body.take().unwrap_or_default();
        if self.is_base64_encoded == Some(true) {
            return STANDARD.decode(body).map_err(|cause| Error::BadEvent(Cause::of(&cause)));
        }
        Ok(body.into_bytes())
    }
}

/// The address that a load balancer has appended. All before it is what the client sent, and so is all if the load
/// balancer is set to preserve the header.
fn last_hop(forwarded_for: &str) -> String {
    let hop = forwarded_for.rsplit(',').next().unwrap_or_default().trim();
    // With the attribute `routing.http.xff_client_port.enabled` the port is there too.
    hop.parse::<SocketAddr>().map_or_else(|_| hop.to_owned(), |address| address.ip().to_string())
}

/// Reads a part of a query as forms write it.
fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8_lossy() {
        Cow::Borrowed(_) => spaced,
        Cow::Owned(decoded) => decoded,
    }
}
