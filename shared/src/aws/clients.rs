//! How clients of AWS are made: who we are, where, and over which connections.
//!
//! Credentials and region come from the environment, which Lambda fills; there is no chain of providers and no probing,
//! because each costs every cold start.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::region::Region;
use aws_types::sdk_config::{self, SdkConfig};

use super::http_client::{HttpClient, NO_ANSWER};
use super::tls::{client_config, public_client_config};
use crate::config::{AwsEnv, Config, endpoint_url};
use crate::error::{Cause, StartError};

/// How long a connection may take.
pub(crate) const CONNECT: Duration = Duration::from_millis(400);

/// How long a call that a client waits for may take, its retries included, so that a function answers within 2.5 s.
pub(crate) const CALL: Duration = Duration::from_millis(1300);

/// The same in the background. What is given up on may have been taken and is sent again, so the limit is a long one.
pub(crate) const BACKGROUND_CALL: Duration = Duration::from_secs(4);

/// The same two for the program of an operator.
pub(crate) const OPERATOR_CONNECT: Duration = Duration::from_secs(5);
pub(crate) const OPERATOR_CALL: Duration = Duration::from_secs(20);

/// What the parts of a function are opened from at its cold start: the settings, and the clients of AWS. What a function does
/// not open is not linked into its binary.
pub struct Clients {
    /// The stage's settings.
    pub config: Arc<Config>,
    pub(super) env: AwsEnv,
    http: OnceLock<HttpClient>,
}

impl Clients {
    /// Reads the environment. Nothing is opened yet.
    ///
    /// # Errors
    /// The variable that is missing or cannot work.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let env = AwsEnv::load().map_err(StartError::of)?;
        Ok(Self { config: Arc::new(config), env, http: OnceLock::new() })
    }

    /// The same for the program of an operator, who may be far away and whom seconds do not matter to.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn for_operator(config: Config) -> Result<Self, StartError> {
        let clients = Self::new(config)?;
        let http = HttpClient::new(client_config(&clients.env.authorities)?, OPERATOR_CONNECT, OPERATOR_CALL);
        Ok(Self { http: OnceLock::from(http), ..clients })
    }

    /// The HTTP client that all parts share.
    ///
    /// # Errors
    /// What is wrong with `AWS_CA_BUNDLE`.
    pub fn http(&self) -> Result<HttpClient, StartError> {
        if let Some(http) = self.http.get() {
            return Ok(http.clone());
        }
        let http = HttpClient::new(client_config(&self.env.authorities)?, CONNECT, CALL);
        Ok(self.http.get_or_init(|| http).clone())
    }

    /// A client of its own for a service that is not AWS's: it trusts the public authorities too. `call` is the longest for a
    /// whole call. Who does not call it does not link their certificates.
    ///
    /// # Errors
    /// As [`Self::http`].
    pub fn public_http(&self, call: Duration) -> Result<HttpClient, StartError> {
        // A service farther away than AWS's own may take longer to connect, within the time of the call.
        let connect = CONNECT.max(call / 4);
        Ok(HttpClient::new(public_client_config(&self.env.authorities)?, connect, call))
    }

    /// The credentials of the function's role.
    pub(super) fn credentials(&self) -> Credentials {
        let own = &self.env.credentials;
        let (id, secret, token) = (&own.access_key_id, &own.secret_access_key, own.session_token.clone());
        Credentials::new(id, secret, token, None, "environment")
    }

    /// What every SDK client has in common. How long a call may take and how often it is tried is the client's own.
    /// `endpoint` is the variable that replaces the service's public address.
    ///
    /// # Errors
    /// As [`Self::http`].
    pub(crate) fn sdk_config(&self, endpoint: &'static str) -> Result<sdk_config::Builder, StartError> {
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.env.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(self.credentials()))
            .http_client(self.http()?.for_sdk())
            .sleep_impl(TokioSleep::new())
            // For uploads and downloads that trickle; a response here is a few kilobytes under a timeout.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(endpoint_url(endpoint));
        Ok(config)
    }

    /// Opens a connection to `url`, so that the first call finds it open, by a GET of `/` that nobody signs: it needs no
    /// right and costs nothing. The status does not matter. It has no longer than a connection may take: a call that comes
    /// with the cold start has its own time after this.
    ///
    /// # Errors
    /// Why there is no response.
    pub(crate) async fn warm(&self, url: &str) -> Result<(), Cause> {
        let http = self.http().map_err(|cause| Cause::of(&cause))?;
        let request = http::Request::get(url).body(Vec::new()).map_err(|cause| Cause::of(&cause))?;
        match tokio::time::timeout(CONNECT, http.exchange(request)).await {
            Ok(response) => response.map(drop).map_err(|cause| Cause::of(&*cause)),
            Err(_) => Err(Cause::new(NO_ANSWER)),
        }
    }

    /// The address of a service: that of its variable, else the public one of `host` in this region.
    pub(crate) fn address(&self, variable: &'static str, host: impl FnOnce(&str) -> String) -> String {
        endpoint_url(variable).unwrap_or_else(|| format!("https://{}", host(&self.env.region)))
    }
}

/// Of an answer that is not what the service is documented to give.
pub(crate) const UNREADABLE: &str = "an answer that cannot be read";

/// An error of an SDK as the log keeps it. The answer itself is left out: it can hold an item.
pub(crate) fn sdk_cause<E, R>(error: &SdkError<E, R>) -> Cause
where
    E: ProvideErrorMetadata,
{
    let text = match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            let message = meta.message().unwrap_or("without a message");
            meta.code().map_or_else(|| UNREADABLE.to_owned(), |code| format!("{code}: {message}"))
        }
        SdkError::TimeoutError(_) => NO_ANSWER.to_owned(),
        SdkError::DispatchFailure(failure) => failure
            .as_connector_error()
            .map_or_else(|| "not sent".to_owned(), |cause| DisplayErrorContext(cause).to_string()),
        _ => UNREADABLE.to_owned(),
    };
    Cause::new(&text)
}
