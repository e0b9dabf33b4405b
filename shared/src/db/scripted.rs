//! For the tests: a DynamoDB that answers by a script, in a time that goes on by itself.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_types::region::Region;
use aws_types::sdk_config::{self, SdkConfig};
use serde_json::{Value, json};

/// How a request ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// With a response of this status and body.
    Response(u16, &'static str),
    /// With a lost connection.
    Lost,
    /// Never.
    Silence,
}

/// Whether something can go on.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Ending {
    /// Success. The text lives as long as the tests.
    pub(super) fn ok(body: &Value) -> Self {
        Self::Response(200, body.to_string().leak())
    }

    /// A condition that does not hold, because of this item.
    pub(super) fn condition(item: &Value) -> Self {
        let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        let body = json!({ "__type": kind, "message": "The conditional request failed", "Item": item });
        Self::Response(400, body.to_string().leak())
    }
}

/// A request that came.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) operation: String,
    pub(super) signed_at: String,
    /// Names of the headers, sorted.
    pub(super) headers: BTreeSet<String>,
    pub(super) body: Value,
}

/// DynamoDB: every request takes the next ending of the script, and those after its end the last one.
#[derive(Debug, Clone, Default)]
pub(super) struct Scripted(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    script: Vec<Ending>,
    date: Option<String>,
    seen: Vec<Seen>,
    now: Duration,
    deadlines: Vec<Duration>,
}

impl Scripted {
    pub(super) fn new(script: &[Ending]) -> Self {
        Self(Arc::new(Mutex::new(State { script: script.to_vec(), ..State::default() })))
    }

    /// The same with this `Date` in every response.
    pub(super) fn dated(self, date: impl Into<String>) -> Self {
        self.0.lock().unwrap().date = Some(date.into());
        self
    }

    /// What a client of it is made from.
    pub(super) fn config(&self) -> sdk_config::Builder {
        let (http, credentials) = (self.clone(), Credentials::new("id", "secret", None, None, "test"));
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(http.clone())))
            .sleep_impl(self.clone())
    }

    /// Drives `future` to its end. While nothing else can go on, the time goes on to the next deadline.
    pub(super) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            if woken.0.swap(false, Ordering::Relaxed) {
                continue;
            }
            let mut state = self.0.lock().unwrap();
            let now = state.now;
            state.now = state.deadlines.iter().copied().filter(|deadline| *deadline > now).min().unwrap();
        }
    }

    /// The requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap().seen)
    }

    /// The time so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.0.lock().unwrap().now
    }
}

impl AsyncSleep for Scripted {
    fn sleep(&self, duration: Duration) -> Sleep {
        let time = self.clone();
        let mut state = self.0.lock().unwrap();
        let deadline = state.now + duration;
        state.deadlines.push(deadline);
        Sleep::new(poll_fn(move |_| if time.elapsed() >= deadline { Poll::Ready(()) } else { Poll::Pending }))
    }
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let header = |name| request.headers().get(name).unwrap_or_default();
        let seen = Seen {
            operation: header("x-amz-target").rsplit('.').next().unwrap().to_owned(),
            signed_at: header("x-amz-date").to_owned(),
            headers: request.headers().iter().map(|(name, _)| name.to_owned()).collect(),
            body: serde_json::from_slice(request.body().bytes().unwrap()).unwrap(),
        };
        assert!(header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=id/"));
        let mut state = self.0.lock().unwrap();
        state.seen.push(seen);
        let at = state.seen.len().min(state.script.len()) - 1;
        match state.script[at] {
            Ending::Response(status, body) => {
                let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
                if let Some(date) = &state.date {
                    response.headers_mut().insert("date", date.clone());
                }
                HttpConnectorFuture::ready(Ok(response))
            }
            Ending::Lost => HttpConnectorFuture::ready(Err(ConnectorError::io("reset".into()))),
            Ending::Silence => HttpConnectorFuture::new(std::future::pending()),
        }
    }
}
