//! The one pooled client for everything outbound over HTTP: the SDK, AWS calls of our own, the SMS provider.

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use crate::error::{Cause, Error};
use crate::telemetry::{Backend, Tally};

/// How long a connection may take, TLS included.
pub(crate) const CONNECT: Duration = Duration::from_millis(400);
/// How long a whole call may take, its retries included, so that a function answers within 2.5 s.
pub(crate) const CALL: Duration = Duration::from_millis(1300);

/// Trust in AWS's own authorities and nobody else, as it stands in the
/// [Amazon Trust Services repository](https://www.amazontrust.com/repository/).
pub(crate) const ROOTS: &[u8] = include_bytes!("roots/amazon.pem");

/// A client that keeps its connections.
#[derive(Clone)]
pub struct Http {
    connector: SharedHttpConnector,
    tally: Tally,
}

/// A whole answer.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Http {
    pub(crate) fn new(tally: Tally) -> Result<Self, Error> {
        let tls = TlsContext::builder()
            .with_trust_store(TrustStore::empty().with_pem_certificate(ROOTS))
            .build()
            .map_err(|cause| Error::Internal(Cause::of(&cause)))?;
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls)
            .build();
        Ok(Self { connector: SharedHttpConnector::new(connector), tally })
    }

    /// The same connections, for an SDK client.
    pub(crate) fn for_sdk(&self) -> SharedHttpClient {
        let connector = self.connector.clone();
        http_client_fn(move |_, _| connector.clone())
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// [`Error::Http`] when there is none within 1.3 s. A status is not an error.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<Answer, Error> {
        let _trip = self.tally.trip(Backend::Http);
        match tokio::time::timeout(CALL, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Http(Cause::new("no answer in time"))),
        }
    }

    async fn exchange(&self, request: http::Request<Vec<u8>>) -> Result<Answer, Error> {
        let request: HttpRequest =
            request.map(SdkBody::from).try_into().map_err(|cause| Error::Http(Cause::of(&cause)))?;
        let response = self.connector.call(request).await.map_err(|cause| Error::Http(Cause::of(&cause)))?;
        let status = response.status().as_u16();
        let body = ByteStream::new(response.into_body()).collect().await;
        let body = body.map_err(|cause| Error::Http(Cause::of(&cause)))?.into_bytes().to_vec();
        Ok(Answer { status, body })
    }
}
