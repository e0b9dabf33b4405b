//! The one pooled HTTP client: under every SDK, under signed calls, and for the SMS provider.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse as SdkResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{self, Connected, capture_connection};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ClientConfig;
use tower::timeout::Timeout;
use tower::util::BoxCloneSyncService;
use tracing::Instrument;

use crate::error::{Cause, Error};
use crate::telemetry::{Backend, round_trip};

/// Of a call that took its whole time.
pub(crate) const NO_ANSWER: &str = "no answer in time";

/// A client that keeps its connections open between calls.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client<Connect, SdkBody>,
    call: Duration,
}

/// Opens a connection, TLS included, within a time.
type Connect = BoxCloneSyncService<http::Uri, MaybeTls, Failure>;
type MaybeTls = hyper_rustls::MaybeHttpsStream<TokioIo<TcpStream>>;

/// A whole response.
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Why there is no response: the connection could not be opened, or was lost.
type Failure = Box<dyn std::error::Error + Send + Sync>;

impl HttpClient {
    /// A client that trusts whom `tls` trusts. `connect` is the longest that opening a connection may take, `call` the longest
    /// for a whole call.
    pub(super) fn new(tls: Arc<ClientConfig>, connect: Duration, call: Duration) -> Self {
        let mut tcp = connect::HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connect = BoxCloneSyncService::new(Timeout::new(HttpsConnector::from((tcp, tls)), connect));
        // Idle connections end only with a timer.
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connect);
        Self { client, call }
    }

    /// The same connections, for an SDK.
    pub(super) fn for_sdk(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// Sends a request and reads the whole response.
    ///
    /// # Errors
    /// [`Error::Http`] when there is none in time. A status is not an error.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<HttpResponse, Error> {
        let exchange = tokio::time::timeout(self.call, self.exchange(request));
        match exchange.instrument(round_trip(Backend::Http)).await {
            Ok(response) => response.map_err(|cause| Error::Http(Cause::of(&*cause))),
            Err(_) => Err(Error::Http(Cause::new(NO_ANSWER))),
        }
    }

    /// One attempt, neither counted nor bounded; both are the caller's.
    ///
    /// # Errors
    /// Why there is no response.
    pub(super) async fn exchange(&self, request: http::Request<Vec<u8>>) -> Result<HttpResponse, Failure> {
        let response = self.client.request(request.map(SdkBody::from)).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(HttpResponse { status, body })
    }
}

/// Sends the requests of an SDK.
impl HttpConnector for HttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        // An SDK that gets a transient error closes the connection, so that it tries again on another one.
        let captured = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || {
                let captured = captured.clone();
                let poison = move || captured.connection_metadata().iter().for_each(Connected::poison);
                Some(ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
            });
        }
        let response = self.client.request(request);
        HttpConnectorFuture::new(async move {
            let response = response.await.map_err(not_answered)?.map(SdkBody::from_body_1_x);
            SdkResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Whatever lost a request is tried again: it may not have arrived, and writes are conditional.
fn not_answered(error: legacy::Error) -> ConnectorError {
    ConnectorError::io(error.into())
}

/// Waits until the first requests of a cold start, which run beside the caller, are on their way: work that needs no answer then costs
/// no time. A connection opens in one turn of the runtime, its task gets the request in the next one, and writes it in the third; one
/// is to spare. Behind TLS it is the handshake that is on its way.
pub(crate) async fn requests_are_sent() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use aws_credential_types::Credentials;
    use aws_sdk_dynamodb::config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
    use aws_smithy_async::rt::sleep::TokioSleep;

    use super::super::tls::client_config;
    use super::*;

    const TIME: Duration = Duration::from_secs(5);

    /// Reads a request and gives an empty answer, on a connection that stays open.
    fn answer(stream: &TcpStream, status: u16) {
        let (mut request, mut length) = (BufReader::new(stream), 0);
        loop {
            let mut line = String::new();
            request.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        request.read_exact(&mut vec![0; length]).unwrap();
        let head =
            format!("HTTP/1.1 {status} x\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 2\r\n\r\n");
        (&*stream).write_all(format!("{head}{{}}").as_bytes()).unwrap();
    }

    #[tokio::test]
    async fn what_waits_until_requests_are_sent_runs_while_they_are_answered() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        server.set_nonblocking(true).unwrap();
        let request = http::Request::get(format!("http://{}", server.local_addr().unwrap())).body(Vec::new()).unwrap();
        let client = HttpClient::new(client_config(&[]).unwrap(), TIME, TIME);
        let mut sent = [0; 4];
        tokio::select! {
            biased;
            _ = client.exchange(request) => panic!("nobody answers"),
            () = requests_are_sent() => {
                let (mut stream, _) = server.accept().unwrap();
                stream.set_nonblocking(true).unwrap();
                stream.read_exact(&mut sent).unwrap();
            }
        }
        assert_eq!(&sent, b"GET ");
    }

    #[tokio::test]
    async fn an_sdk_tries_again_on_another_connection_and_goes_on_with_that() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let answers = thread::spawn(move || {
            let (first, _) = server.accept().unwrap();
            answer(&first, 500);
            let (second, _) = server.accept().unwrap();
            answer(&second, 200);
            answer(&second, 200);
        });
        let http = HttpClient::new(client_config(&[]).unwrap(), TIME, TIME);
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("local"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .endpoint_url(url)
            .http_client(http.for_sdk())
            .sleep_impl(TokioSleep::new())
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(TIME).build())
            .retry_config(RetryConfig::standard().with_max_attempts(2));
        let client = aws_sdk_dynamodb::Client::from_conf(config.build());
        for _ in 0..2 {
            client.list_tables().send().await.unwrap();
        }
        answers.join().unwrap();
    }
}
