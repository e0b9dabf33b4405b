//! An HTTP API of API Gateway: finds the route, makes the event, and makes a response of the answer.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use parking_lot::RwLock;
use tokio::time::Instant;

use super::cors;
use super::event::{self, Context};
use super::path::Path;
use super::response;
use super::route::{Found, RouteTable};
use crate::clock::Clock;
use crate::lambda::{self, Event, Function, Outcome};
use crate::random;
use crate::server::{self, BodyError, Reply};
use crate::template::CorsSpec;

/// Source: "Quotas for configuring and running an HTTP API": payload size 10 MB.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Source: "Lambda quotas": 6 MB for the request of a synchronous invocation.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// Source: "Quotas for configuring and running an HTTP API": total combined size of request line and header values.
const MAX_HEAD_BYTES: usize = 10_240;

/// The client's address instead of the socket's, for tests with many clients. API Gateway has no such header; it is not
/// passed on.
const SOURCE_IP: HeaderName = HeaderName::from_static("x-stage-source-ip");

/// API Gateway's id of the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// A request that reaches no function: status and message.
struct Refusal(StatusCode, &'static str);

const NOT_FOUND: Refusal = Refusal(StatusCode::NOT_FOUND, "Not Found");
const BAD_REQUEST: Refusal = Refusal(StatusCode::BAD_REQUEST, "Bad Request");
const TOO_LARGE: Refusal = Refusal(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
const HEAD_TOO_LARGE: Refusal = Refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large");

/// The routes and what serves them.
#[derive(Debug)]
pub(crate) struct Gateway {
    routes: RwLock<Arc<RouteTable<Arc<Function>>>>,
    cors: RwLock<Option<Arc<CorsSpec>>>,
    clock: Clock,
    port: u16,
}

impl Gateway {
    pub(crate) fn new(clock: Clock, port: u16) -> Self {
        Self { routes: RwLock::new(Arc::new(RouteTable::new([]))), cors: RwLock::default(), clock, port }
    }

    /// Replaces all routes; running requests are not affected.
    pub(crate) fn set_routes(&self, routes: RouteTable<Arc<Function>>) {
        *self.routes.write() = Arc::new(routes);
    }

    /// Replaces `CorsConfiguration`.
    pub(crate) fn set_cors(&self, cors: Option<CorsSpec>) {
        *self.cors.write() = cors.map(Arc::new);
    }

    /// Answers a request of a client.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Reply {
        let arrived = Instant::now();
        let request_id = random::gateway_id();
        let cors = self.cors.read().clone();
        let origin = request.headers().get(header::ORIGIN).cloned();
        let preflight = cors.as_ref().filter(|_| cors::is_preflight(&request));
        let is_preflight = preflight.is_some();
        let mut reply = match preflight {
            Some(cors) => cors::preflight(cors, origin.as_ref()),
            None => match self.prepare(request, peer, &request_id).await {
                Ok((found, event)) => run(&found, event, arrived).await,
                Err(Refusal(status, text)) => server::message(status, text),
            },
        };
        if let Some(cors) = &cors {
            cors::decorate(reply.headers_mut(), cors, origin.as_ref(), is_preflight);
        }
        if let Ok(value) = HeaderValue::try_from(request_id) {
            reply.headers_mut().insert(REQUEST_ID, value);
        }
        reply
    }

    async fn prepare(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        request_id: &str,
    ) -> Result<(Found<Arc<Function>>, Event), Refusal> {
        let (mut head, body) = request.into_parts();
        if head_size(&head) > MAX_HEAD_BYTES {
            return Err(HEAD_TOO_LARGE);
        }
        let path = Path::read(head.uri.path()).ok_or(BAD_REQUEST)?;
        let found = self.routes.read().find(head.method.as_str(), path.encoded).ok_or(NOT_FOUND)?;
        let body = server::read(body, MAX_BODY_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge => TOO_LARGE,
            BodyError::Broken => BAD_REQUEST,
        })?;
        let source_ip = match head.headers.remove(SOURCE_IP) {
            Some(stated) => String::from_utf8_lossy(stated.as_bytes()).into_owned(),
            None => peer.ip().to_string(),
        };
        let now = self.clock.now();
        let trace = random::trace(now.as_second());
        let context = Context {
            path: &path.decoded,
            route_key: &found.target.key,
            parameters: &found.parameters,
            request_id,
            source_ip: &source_ip,
            port: self.port,
            trace: &trace,
            now,
        };
        let (Ok(event), Ok(trace)) = (event::write(&head, &body, &context), HeaderValue::from_str(&trace)) else {
            return Err(BAD_REQUEST);
        };
        if event.len() > MAX_EVENT_BYTES {
            return Err(TOO_LARGE);
        }
        Ok((found, Event { request_id: random::id(), body: Bytes::from(event), trace }))
    }
}

/// The size of the request line and the header values.
fn head_size(head: &Parts) -> usize {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = head.method.as_str().len() + target + "  HTTP/1.1\r\n".len();
    line + head.headers.values().map(HeaderValue::len).sum::<usize>()
}

async fn run(found: &Found<Arc<Function>>, event: Event, arrived: Instant) -> Reply {
    let unavailable = || server::message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    let failed = || server::message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    let answer = lambda::run(&found.target.to, event, &found.target.key).await;
    if let Ok(completion) = &answer {
        // Set only here, so it is not set yet.
        let _ = completion.record.front_ms.set(arrived.elapsed());
    }
    match answer {
        Ok(completion) => match completion.outcome {
            Outcome::Ok => response::read(&completion.payload).map_or_else(failed, |(reply, code)| {
                if let Some(code) = code {
                    // Set only here, so it is not set yet.
                    let _ = completion.record.code.set(code);
                }
                reply
            }),
            Outcome::Timeout | Outcome::NotTaken => unavailable(),
            Outcome::Error | Outcome::Crash | Outcome::InitError => failed(),
        },
        Err(_) => unavailable(),
    }
}
