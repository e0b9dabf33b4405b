//! Calls to AWS: what the SDKs of all services have in common, and a signed POST for services of which every function
//! uses one operation, instead of a whole SDK that every cold start would pay for.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::region::Region;
use aws_types::sdk_config::{self, SdkConfig};

use crate::config::AwsEnv;
use crate::error::{Cause, Error, Fatal};
use crate::http::{Answer, Http};
use crate::telemetry::Tally;

/// The services that are called this way.
#[derive(Clone, Copy)]
pub enum Service {
    /// AWS Lambda.
    Lambda,
    /// AWS Secrets Manager.
    SecretsManager,
}

/// Who we are to AWS.
pub struct Aws {
    pub(crate) env: AwsEnv,
    http: Option<Http>,
    credentials: Credentials,
    identity: Identity,
}

impl Service {
    /// The name in a signature and in a public address.
    fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::SecretsManager => "secretsmanager",
        }
    }

    fn endpoint_variable(self) -> &'static str {
        match self {
            Self::Lambda => "AWS_ENDPOINT_URL_LAMBDA",
            Self::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        }
    }
}

impl Aws {
    /// Nothing that needs a connection is there before [`Self::open`].
    pub(crate) fn new(env: AwsEnv) -> Self {
        let credentials = Credentials::new(
            env.access_key_id.clone(),
            env.secret_access_key.clone(),
            env.session_token.clone(),
            None,
            "environment",
        );
        let identity = credentials.clone().into();
        Self { env, http: None, credentials, identity }
    }

    /// Builds the client of all calls, unless that has been done.
    pub(crate) fn open(&mut self, tally: &Tally) -> Result<&Http, Fatal> {
        match self.http.take() {
            Some(http) => Ok(self.http.insert(http)),
            None => Ok(self.http.insert(Http::new(tally.clone()).map_err(Fatal::of)?)),
        }
    }

    /// The client of all calls.
    ///
    /// # Errors
    /// [`Error::Internal`] when no need of the function has opened it.
    pub(crate) fn http(&self) -> Result<&Http, Error> {
        self.http.as_ref().ok_or_else(|| Error::Internal(Cause::new("this function declares no need that calls AWS")))
    }

    /// What every SDK client has in common: who we are, where, and the connections. How long a call may take and how
    /// often it is tried is the client's own.
    pub(crate) fn sdk(&self, http: &Http) -> sdk_config::Builder {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.env.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(self.credentials.clone()))
            .http_client(http.for_sdk())
            .sleep_impl(TokioSleep::new())
            // For uploads and downloads that trickle; an answer here is a few kilobytes under a timeout.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity.clone()
    }

    /// A POST that is signed with Signature Version 4.
    ///
    /// # Errors
    /// [`Error::Http`] when there is no answer. A status is not an error.
    pub(crate) async fn post(
        &self,
        service: Service,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, Error> {
        // Dual-stack, because functions inside the network reach AWS over IPv6 (there is no NAT gateway).
        let base = self
            .env
            .endpoint_url(service.endpoint_variable())
            .unwrap_or_else(|| format!("https://{}.{}.api.aws", service.name(), self.env.region));
        let url = format!("{}{path}", base.trim_end_matches('/'));
        let request = self.signed(service, &url, headers, body).map_err(|cause| Error::Http(Cause::of(&*cause)))?;
        self.http()?.send(request).await
    }

    fn signed(
        &self,
        service: Service,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<http::Request<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.env.region)
            .name(service.name())
            .time(crate::clock::wall())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let signable = SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(&body))?;
        let (instructions, _signature) = sign(signable, &params)?.into_parts();
        let mut request = http::Request::post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body)?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

const UNREADABLE: &str = "an answer that cannot be read";

/// An error of an SDK as the log keeps it. The answer itself is left out: it can hold an item.
pub(crate) fn cause<E, R>(error: &SdkError<E, R>) -> Cause
where
    E: ProvideErrorMetadata,
{
    let text = match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            let message = meta.message().unwrap_or("without a message");
            meta.code().map_or_else(|| UNREADABLE.to_owned(), |code| format!("{code}: {message}"))
        }
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::DispatchFailure(failure) => failure
            .as_connector_error()
            .map_or_else(|| "not sent".to_owned(), |cause| DisplayErrorContext(cause).to_string()),
        _ => UNREADABLE.to_owned(),
    };
    Cause::new(&text)
}
