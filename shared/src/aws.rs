//! Calls to AWS. A service that a client waits for is called by a signed POST; what only jobs and tasks call has its SDK,
//! and this knows what the SDKs have in common.

mod sigv4;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::region::Region;
use aws_types::sdk_config::{self, SdkConfig};
use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri};
use tokio::time::timeout;

pub(crate) use self::sigv4::Signer;
use crate::clock;
use crate::config::AwsEnv;
use crate::error::{Cause, Error, Fatal};
use crate::http::{Answer, CONNECT, Http};
use crate::telemetry::Tally;
use crate::tls;

/// The services that are called by a signed POST.
#[derive(Clone, Copy)]
pub(crate) enum Service {
    /// Amazon DynamoDB.
    DynamoDb,
    /// AWS Lambda.
    Lambda,
    /// AWS Secrets Manager.
    SecretsManager,
}

/// Who we are to AWS.
pub struct Aws {
    pub(crate) env: AwsEnv,
    open: Option<Open>,
}

/// What needs connections.
struct Open {
    http: Http,
    secrets_manager: Caller,
}

/// One service, as this function calls it.
pub(crate) struct Caller {
    pub(crate) http: Http,
    signer: Signer,
    /// With the path `/`.
    address: Uri,
    host: String,
}

impl Service {
    /// The name in a signature and in a public address.
    fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Lambda => "lambda",
            Self::SecretsManager => "secretsmanager",
        }
    }

    fn address(self, env: &AwsEnv) -> String {
        let (variable, domain) = match self {
            // Reached by the gateway endpoint of the network, which knows the addresses of this name.
            Self::DynamoDb => ("AWS_ENDPOINT_URL_DYNAMODB", "amazonaws.com"),
            // Dual-stack, because functions inside the network reach AWS over IPv6 (there is no NAT gateway).
            Self::Lambda => ("AWS_ENDPOINT_URL_LAMBDA", "api.aws"),
            Self::SecretsManager => ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "api.aws"),
        };
        env.endpoint_url(variable).unwrap_or_else(|| format!("https://{}.{}.{domain}", self.name(), env.region))
    }
}

impl Aws {
    /// Nothing that needs a connection is there before [`Self::open`].
    pub(crate) fn new(env: AwsEnv) -> Self {
        Self { env, open: None }
    }

    /// Builds the client of all calls, unless that has been done.
    pub(crate) fn open(&mut self, tally: &Tally) -> Result<&Http, Fatal> {
        let open = if let Some(open) = self.open.take() {
            open
        } else {
            let http = Http::new(tls::client(&self.env.authorities)?, tally.clone());
            let secrets_manager = self.caller(&http, Service::SecretsManager)?;
            Open { http, secrets_manager }
        };
        Ok(&self.open.insert(open).http)
    }

    /// The client of all calls.
    ///
    /// # Errors
    /// [`Error::Internal`] when no need of the function has opened it; so the one below.
    pub(crate) fn http(&self) -> Result<&Http, Error> {
        self.opened().map(|open| &open.http)
    }

    /// AWS Secrets Manager.
    pub(crate) fn secrets_manager(&self) -> Result<&Caller, Error> {
        self.opened().map(|open| &open.secrets_manager)
    }

    fn opened(&self) -> Result<&Open, Error> {
        self.open.as_ref().ok_or_else(|| Error::Internal(Cause::new("this function declares no need that calls AWS")))
    }

    /// A service over the connections of `http`.
    pub(crate) fn caller(&self, http: &Http, service: Service) -> Result<Caller, Fatal> {
        let address: Uri = service.address(&self.env).parse().map_err(Fatal::of)?;
        let host = address.authority().ok_or_else(|| Fatal::new(format!("{} has no address", service.name())))?;
        Ok(Caller { http: http.clone(), host: host.to_string(), signer: self.signer(service.name()), address })
    }

    /// What signs for a service with the function's own credentials.
    pub(crate) fn signer(&self, service: &'static str) -> Signer {
        Signer::new(self.env.credentials.clone(), self.env.region.clone(), service)
    }

    /// What every SDK client has in common: who we are, where, and the connections. How long a call may take and how
    /// often it is tried is the client's own.
    pub(crate) fn sdk(&self, http: &Http) -> sdk_config::Builder {
        let own = &self.env.credentials;
        let (id, secret, token) = (&own.access_key_id, &own.secret_access_key, own.session_token.clone());
        let credentials = aws_credential_types::Credentials::new(id, secret, token, None, "environment");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.env.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http.for_sdk())
            .sleep_impl(TokioSleep::new())
            // For uploads and downloads that trickle; an answer here is a few kilobytes under a timeout.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
    }
}

impl Caller {
    /// Sends a signed POST and reads the whole answer.
    ///
    /// # Errors
    /// [`Error::Http`] when there is none within 1.3 s. A status is not an error.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, Error> {
        let request = self.signed(path, headers, Bytes::from(body)).map_err(|cause| Error::Http(Cause::of(&cause)))?;
        self.http.send(request).await
    }

    /// A POST that is signed now. `headers` are in the order of the alphabet.
    pub(crate) fn signed(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Request<Bytes>, http::Error> {
        let post = sigv4::Post { host: &self.host, path, headers, body: &body };
        let signature = self.signer.sign(&post, clock::wall_timestamp());
        let mut uri = self.address.clone().into_parts();
        uri.path_and_query = Some(PathAndQuery::try_from(path)?);
        let mut request = Request::post(Uri::from_parts(uri)?)
            .header(HOST, &self.host)
            .header("x-amz-date", signature.date)
            .header("authorization", signature.authorization);
        if let Some(token) = self.signer.token() {
            request = request.header("x-amz-security-token", token);
        }
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_str(value)?);
        }
        request.body(body)
    }

    /// Opens a connection, so that the first call finds it open, by a GET of `/` that nobody signs: it needs no right and
    /// costs nothing. How the service answers does not matter.
    ///
    /// # Errors
    /// Why there is no answer. It has no longer than a connection may take: a call that comes with the cold start has its
    /// own time after this.
    pub(crate) async fn warm(&self) -> Result<(), Cause> {
        let hello = Request::get(self.address.clone()).body(Bytes::new()).map_err(|cause| Cause::of(&cause))?;
        match timeout(CONNECT, self.http.exchange(hello)).await {
            Ok(answer) => answer.map(drop).map_err(|cause| Cause::of(&*cause)),
            Err(_) => Err(Cause::new(NO_ANSWER)),
        }
    }
}

/// Of a call that took its whole time.
pub(crate) const NO_ANSWER: &str = "no answer in time";

/// Of an answer that is not what the service is documented to give.
pub(crate) const UNREADABLE: &str = "an answer that cannot be read";

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
        SdkError::TimeoutError(_) => NO_ANSWER.to_owned(),
        SdkError::DispatchFailure(failure) => failure
            .as_connector_error()
            .map_or_else(|| "not sent".to_owned(), |cause| DisplayErrorContext(cause).to_string()),
        _ => UNREADABLE.to_owned(),
    };
    Cause::new(&text)
}
