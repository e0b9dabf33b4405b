//! The one pooled HTTP client: under every SDK, under signed calls, and for the SMS provider.

use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt;
use tracing::Instrument;

use super::tls::{AMAZON_ROOTS, client_config};
use crate::error::{Cause, Error, StartError};
use crate::telemetry::{Backend, round_trip};

/// A client that keeps its connections open between calls.
#[derive(Clone)]
pub struct HttpClient {
    connector: SharedHttpConnector,
    call: Duration,
}

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
    /// A client that trusts AWS's authorities and those of `more` (PEM, each may be empty). `connect` is the longest
    /// that opening a connection may take, `call` the longest for a whole call.
    ///
    /// # Errors
    /// What is wrong with `more`.
    pub(super) fn new(more: &[&[u8]], connect: Duration, call: Duration) -> Result<Self, StartError> {
        let mut trusted = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
        for authorities in more.iter().copied().filter(|authorities| !authorities.is_empty()) {
            // The connector would panic.
            client_config(authorities)?;
            trusted = trusted.with_pem_certificate(authorities);
        }
        let tls = TlsContext::builder().with_trust_store(trusted).build().map_err(StartError::of)?;
        let connector = Connector::builder()
            .connector_settings(HttpConnectorSettings::builder().connect_timeout(connect).build())
            .sleep_impl(TokioSleep::new())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls)
            .build();
        Ok(Self { connector: SharedHttpConnector::new(connector), call })
    }

    /// The same connections, for an SDK.
    pub(super) fn for_sdk(&self) -> SharedHttpClient {
        let connector = self.connector.clone();
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
            Err(_) => Err(Error::Http(Cause::new("no answer in time"))),
        }
    }

    /// One attempt, neither counted nor bounded; both are the caller's.
    ///
    /// # Errors
    /// Why there is no response.
    pub(super) async fn exchange(&self, request: http::Request<Vec<u8>>) -> Result<HttpResponse, Failure> {
        let response = self.connector.call(request.map(SdkBody::from).try_into()?).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(HttpResponse { status, body })
    }
}
