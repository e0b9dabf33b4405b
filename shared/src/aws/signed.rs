//! Calls of one operation each that need no SDK: a POST that `aws-sigv4` signs, over the shared HTTP client.
//!
//! Why not their SDKs: `docs/decisions/0014-packages.md` has what they cost.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

use super::clients::Clients;
use super::http_client::{HttpClient, HttpResponse};
use crate::clock;
use crate::error::{Cause, Error, StartError};

/// One service.
pub(super) struct SignedService {
    http: HttpClient,
    /// `https://host`, without a path.
    pub(super) address: String,
    name: &'static str,
    region: String,
    identity: Identity,
}

impl SignedService {
    /// `name` is the service's name in a signature.
    ///
    /// # Errors
    /// As [`Clients::http`].
    pub(super) fn new(clients: &Clients, name: &'static str, address: &str) -> Result<Self, StartError> {
        let address = address.trim_end_matches('/').to_owned();
        let (region, identity) = (clients.env.region.clone(), Identity::from(clients.credentials()));
        Ok(Self { http: clients.http()?, address, name, region, identity })
    }

    /// Sends a signed POST and reads the whole response. `path` is percent-encoded.
    ///
    /// # Errors
    /// [`Error::Http`] when there is none within 1.3 s. A status is not an error.
    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
    ) -> Result<HttpResponse, Error> {
        let request = self.signed(path, headers, body).map_err(|cause| Error::Http(Cause::of(&*cause)))?;
        self.http.send(request).await
    }

    fn signed(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
    ) -> Result<http::Request<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
        let url = format!("{}{path}", self.address);
        let settings = SigningSettings::default();
        let params = params(&self.identity, &self.region, self.name, clock::wall(), settings)?;
        let all = headers.iter().copied();
        let signable = SignableRequest::new("POST", &*url, all, SignableBody::Bytes(&body))?;
        let (instructions, _) = sign(signable, &params.into())?.into_parts();
        let mut request = http::Request::post(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body)?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

/// What a signature is made with.
pub(super) fn params<'a>(
    identity: &'a Identity,
    region: &'a str,
    service: &'a str,
    at: SystemTime,
    settings: SigningSettings,
) -> Result<v4::SigningParams<'a, SigningSettings>, v4::signing_params::BuildError> {
    v4::SigningParams::builder().identity(identity).region(region).name(service).time(at).settings(settings).build()
}
