//! The front as API Gateway would be it: finds the route, makes the event, turns the answer into a response.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use parking_lot::RwLock;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::event::{self, Context};
use crate::function::Function;
use crate::invocation::Outcome;
use crate::lambda::{self, Event};
use crate::random;
use crate::reply;
use crate::route::{Found, RouteTable};
use crate::server::{self, BodyError, Reply};

/// Source: "Quotas for configuring and running an HTTP API": payload size 10 MB.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Source: "Lambda quotas": 6 MB for the request of a synchronous invocation.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// Names the client's address in the place of the socket's, for tests that play many clients. API Gateway has no
/// such header; it is not passed on.
const SOURCE_IP: HeaderName = HeaderName::from_static("x-stage-source-ip");

/// API Gateway's id of the request, for the client.
const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// A request that reaches no function: status and message.
struct Refusal(StatusCode, &'static str);

const BAD_REQUEST: Refusal = Refusal(StatusCode::BAD_REQUEST, "Bad Request");
const TOO_LARGE: Refusal = Refusal(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");

/// Routes and what it takes to serve them.
#[derive(Debug)]
pub(crate) struct Gateway {
    routes: RwLock<Arc<RouteTable<Arc<Function>>>>,
    clock: Clock,
    port: u16,
}

impl Gateway {
    pub(crate) fn new(clock: Clock, port: u16) -> Self {
        Self { routes: RwLock::new(Arc::new(RouteTable::new([]))), clock, port }
    }

    /// Replaces all routes; requests under way keep theirs.
    pub(crate) fn set_routes(&self, routes: RouteTable<Arc<Function>>) {
        *self.routes.write() = Arc::new(routes);
    }

    /// Answers a request of a client.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Reply {
        let found = self.routes.read().find(request.method().as_str(), request.uri().path());
        let Some(found) = found else {
            return server::message(StatusCode::NOT_FOUND, "Not Found");
        };
        let arrived = Instant::now();
        let request_id = random::gateway_id();
        let mut reply = match self.prepare(request, peer, &found, &request_id).await {
            Ok(event) => run(&found, event, arrived).await,
            Err(Refusal(status, text)) => server::message(status, text),
        };
        if let Ok(value) = HeaderValue::try_from(request_id) {
            reply.headers_mut().insert(REQUEST_ID, value);
        }
        reply
    }

    async fn prepare(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        found: &Found<Arc<Function>>,
        request_id: &str,
    ) -> Result<Event, Refusal> {
        let (mut head, body) = request.into_parts();
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
        Ok(Event { request_id: random::id(), body: Bytes::from(event), trace })
    }
}

async fn run(found: &Found<Arc<Function>>, event: Event, arrived: Instant) -> Reply {
    let unavailable = || server::message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    let failed = || server::message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    let answer = lambda::run(&found.target.to, event, &found.target.key).await;
    if let Ok(completion) = &answer {
        // Nobody else sets it, so it cannot be set already.
        let _ = completion.record.front_ms.set(arrived.elapsed());
    }
    match answer {
        Ok(completion) => match completion.outcome {
            Outcome::Ok => reply::read(&completion.payload).map_or_else(failed, |(reply, code)| {
                if let Some(code) = code {
                    // Nobody else sets it, so it cannot be set already.
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
