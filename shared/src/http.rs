//! The one pooled client for everything outbound over HTTP: DynamoDB, the other AWS calls, the SMS provider.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector as SdkConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio_rustls::rustls::ClientConfig;

use crate::error::{Cause, Error};
use crate::telemetry::{Backend, Tally};

/// How long a connection may take.
pub(crate) const CONNECT: Duration = Duration::from_millis(400);
/// How long a whole call may take, its retries included, so that a function answers within 2.5 s.
pub(crate) const CALL: Duration = Duration::from_millis(1300);

/// A client that keeps its connections. HTTP/1.1 alone: it is what DynamoDB speaks.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    tally: Tally,
}

/// A whole answer.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer: the connection could not be opened, or was lost.
type Lost = Box<dyn std::error::Error + Send + Sync>;

impl Http {
    /// `tls` is for addresses that begin with `https`.
    pub(crate) fn new(tls: Arc<ClientConfig>, tally: Tally) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        Self { client: Client::builder(TokioExecutor::new()).build(HttpsConnector::from((tcp, tls))), tally }
    }

    /// The same connections, for an SDK client.
    pub(crate) fn for_sdk(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(ForSdk(self.clone()));
        http_client_fn(move |_, _| connector.clone())
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// [`Error::Http`] when there is none within 1.3 s. A status is not an error.
    pub async fn send(&self, request: http::Request<Bytes>) -> Result<Answer, Error> {
        let _trip = self.tally.trip(Backend::Http);
        match tokio::time::timeout(CALL, self.exchange(request)).await {
            Ok(answer) => answer.map_err(|cause| Error::Http(Cause::of(&*cause))),
            Err(_) => Err(Error::Http(Cause::new("no answer in time"))),
        }
    }

    /// One attempt, neither counted nor bounded; both are the caller's.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn exchange(&self, request: http::Request<Bytes>) -> Result<Answer, Lost> {
        let response = self.client.request(request.map(Full::new)).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body })
    }
}

/// The client, as the SDKs of AWS want it.
#[derive(Clone)]
struct ForSdk(Http);

impl std::fmt::Debug for ForSdk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Http")
    }
}

impl SdkConnector for ForSdk {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.client.clone();
        HttpConnectorFuture::new(async move {
            let user = |cause: Lost| ConnectorError::user(cause);
            let request = request.try_into_http1x().map_err(|cause| user(cause.into()))?;
            let body = request.body().bytes().map(Bytes::copy_from_slice);
            let body = body.ok_or_else(|| user("a body that is not in memory".into()))?;
            let response = client.request(request.map(|_| Full::new(body))).await;
            let (head, body) = response.map_err(|cause| ConnectorError::io(cause.into()))?.into_parts();
            let body = body.collect().await.map_err(|cause| ConnectorError::io(cause.into()))?.to_bytes();
            HttpResponse::try_from(http::Response::from_parts(head, SdkBody::from(body)))
                .map_err(|cause| ConnectorError::other(cause.into(), None))
        })
    }
}
