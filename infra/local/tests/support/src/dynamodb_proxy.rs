//! A proxy before the emulator's DynamoDB: it records every attempt of an endpoint, and answers those itself that a test
//! wants to fail.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;

use crate::app::TestApp;
use crate::client::send;

/// Headers of one connection, which are not passed on. A `Date` is passed on, and none is made up.
const OF_THE_CONNECTION: [&str; 4] = ["connection", "content-length", "host", "transfer-encoding"];

/// The table of endpoints. Tasks and jobs write to another one, at times of their own.
const USERS: &[u8] = b"\"badge-local-users\"";

/// A running proxy; it ends with the test's runtime.
pub struct DynamoDbProxy {
    /// The value for `AWS_ENDPOINT_URL_DYNAMODB`.
    pub url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    target: String,
    next: VecDeque<Refusal>,
    always: Option<Refusal>,
    attempts: Vec<Attempt>,
}

/// An answer of the proxy itself.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// HTTP body.
    pub body: String,
    /// The header `Date`; there is none without it.
    pub date: Option<String>,
}

/// One signed request.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// `DynamoDB_20120810.PutItem`
    pub target: String,
    /// `X-Amz-Date`.
    pub date: String,
    /// `Authorization`.
    pub authorization: String,
    body: Bytes,
}

impl Refusal {
    /// Status 400, as DynamoDB names what is wrong.
    #[must_use]
    pub fn new(kind: &str, message: &str) -> Self {
        Self { status: 400, body: json!({ "__type": kind, "message": message }).to_string(), date: None }
    }

    /// The same with another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with a header `Date`.
    #[must_use]
    pub fn date(mut self, date: Option<String>) -> Self {
        self.date = date;
        self
    }
}

impl DynamoDbProxy {
    /// Starts a proxy.
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let take = service_fn(move |request| answer(Arc::clone(&state), request));
                let connection =
                    http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), take);
                tokio::spawn(connection);
            }
        });
        Self { url, state }
    }

    /// Passes requests on to the emulator's DynamoDB.
    pub fn lead_to(&self, app: &TestApp) {
        self.state.lock().target = app.emulator.dynamodb_url();
    }

    /// Answers the next attempts, one refusal each, and forgets the attempts until now.
    pub fn refuse_next(&self, refusals: impl IntoIterator<Item = Refusal>) {
        let mut state = self.state.lock();
        state.attempts.clear();
        state.next = refusals.into_iter().collect();
    }

    /// Answers every attempt, or no longer, and forgets the attempts until now.
    pub fn refuse_all(&self, refusal: Option<Refusal>) {
        let mut state = self.state.lock();
        state.attempts.clear();
        state.always = refusal;
    }

    /// The attempts at what was tried first.
    #[must_use]
    pub fn attempts_at_the_first(&self) -> Vec<Attempt> {
        let attempts = &self.state.lock().attempts;
        let first = attempts.first().unwrap_or_else(|| panic!("nobody asked DynamoDB"));
        attempts.iter().filter(|one| (&one.target, &one.body) == (&first.target, &first.body)).cloned().collect()
    }
}

async fn answer(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    // A function may open its connection by a request that nobody signs.
    let is_of_users = body.windows(USERS.len()).any(|part| part == USERS);
    let refusal = header("x-amz-target").filter(|_| is_of_users).and_then(|target| {
        let (date, authorization) = (header("x-amz-date").unwrap(), header("authorization").unwrap());
        let mut state = state.lock();
        state.attempts.push(Attempt { target, date, authorization, body: body.clone() });
        state.next.pop_front().or_else(|| state.always.clone())
    });
    if let Some(refusal) = refusal {
        let mut response =
            Response::builder().status(refusal.status).header("content-type", "application/x-amz-json-1.0");
        if let Some(date) = refusal.date {
            response = response.header("date", date);
        }
        return Ok(response.body(Full::new(refusal.body.into())).unwrap());
    }
    let url = format!("{}{}", state.lock().target, head.uri.path());
    let headers = head.headers.iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_str()));
    let headers: Vec<_> = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let answer = send(head.method.as_str(), &url, &headers, body).await;
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers.iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_str())) {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(answer.body)).unwrap())
}
