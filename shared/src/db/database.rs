//! The client of a stage's tables: how it is made, when it tries again, and what its operations cost.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::mem;
use std::task::Poll;
use std::time::Duration;

use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::user_agent::UserAgentInterceptor;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{self, IdentityCache};
use aws_sdk_dynamodb::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ConsumedCapacity;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, InterceptorContext,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, disable_interceptor};
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::ErrorKind;
use aws_types::sdk_config;
use tracing::{Instrument, warn};

use super::item::Item;
use crate::aws::{CALL, CONNECT, Clients, OPERATOR_CALL, OPERATOR_CONNECT, requests_are_sent, sdk_cause};
use crate::error::{Error, StartError};
use crate::telemetry::{Backend, round_trip};

/// The variable that replaces DynamoDB's public address.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// How often an operation is tried. A write whose response was lost is sent again, so a write under a condition
/// may meet its own write.
const ATTEMPTS: u32 = 2;

/// How long one attempt may take; all together have [`CALL`].
const ATTEMPT: Duration = Duration::from_millis(800);

/// The longest wait before the second attempt. It is jittered, so that throttled clients do not retry in step.
const BACKOFF: Duration = Duration::from_millis(25);

/// The client of a stage's tables.
#[derive(Clone)]
pub struct Database {
    pub(super) client: Client,
}

impl Database {
    /// Opens the connection. The endpoint answers an unsigned request for no capacity unit. A DynamoDB that does not
    /// answer stops no start: the first operation connects anew.
    ///
    /// # Errors
    /// As [`Clients::http`].
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        // Functions inside the network reach it by its gateway endpoint, which serves the public address.
        let address = clients.address(ENDPOINT, |region| format!("dynamodb.{region}.amazonaws.com"));
        // The SDK's client takes a fifth of the instructions of an init, and so is made while all services are asked.
        let client = async {
            requests_are_sent().await;
            clients.sdk_config(ENDPOINT).map(Self::new)
        };
        let (warm, database) = tokio::join!(clients.warm(&address), client);
        if let Err(error) = warm {
            warn!(%error, "the cold start goes on without DynamoDB");
        }
        database
    }

    /// The same of [`Clients::for_operator`], with its times. Nothing is opened yet.
    ///
    /// # Errors
    /// As [`Clients::http`].
    pub fn for_operator(clients: &Clients) -> Result<Self, StartError> {
        clients
            .sdk_config(ENDPOINT)
            .map(|config| Self::within(config, OPERATOR_CONNECT, OPERATOR_CALL / 2, OPERATOR_CALL))
    }

    pub(super) fn new(config: sdk_config::Builder) -> Self {
        Self::within(config, CONNECT, ATTEMPT, CALL)
    }

    fn within(config: sdk_config::Builder, connect: Duration, attempt: Duration, call: Duration) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(connect)
            .operation_attempt_timeout(attempt)
            .operation_timeout(call)
            .build();
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF);
        let config = config.timeout_config(timeouts).retry_config(retries).build();
        // Credentials of the environment are at hand and stay: a cache of them only costs.
        let config = config::Builder::from(&config)
            .identity_cache(IdentityCache::no_cache())
            .interceptor(PlainHeaders)
            .retry_classifier(ExpiredSignature);
        Self { client: Client::from_conf(config.build()) }
    }
}

/// Leaves out the headers `user-agent`, `amz-sdk-invocation-id` and `amz-sdk-request`, by which the SDK tells AWS about itself and
/// its attempts. DynamoDB does not look at them, and they cost a twentieth of the instructions of a warm request.
#[derive(Debug)]
struct PlainHeaders;

impl Intercept for PlainHeaders {
    fn name(&self) -> &'static str {
        "plain headers"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        const CAUSE: &str = "nobody reads its header";
        let state = config.interceptor_state();
        state.store_put(disable_interceptor::<UserAgentInterceptor>(CAUSE));
        state.store_put(disable_interceptor::<InvocationIdInterceptor>(CAUSE));
        state.store_put(disable_interceptor::<RequestInfoInterceptor>(CAUSE));
        Ok(())
    }
}

/// Retries a request whose signature had expired when it arrived, as it happens around a pause of the sandbox. The SDK's
/// own `ServiceClockSkewClassifier` does so only when the `Date` of the response is more than 4 minutes off.
#[derive(Debug)]
struct ExpiredSignature;

impl ClassifyRetry for ExpiredSignature {
    fn name(&self) -> &'static str {
        "expired signature"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        // The error is of another type for each operation. Its source is not, for a code that no operation models.
        let error = context.output_or_error().and_then(Result::err);
        let source = error.and_then(OrchestratorError::as_operation_error).and_then(|error| error.source());
        let is_expired = source.and_then(|source| source.downcast_ref::<ErrorMetadata>()).is_some_and(|error| {
            error.code() == Some("InvalidSignatureException")
                && error.message().is_some_and(|message| message.starts_with("Signature expired"))
        });
        if is_expired { RetryAction::retryable_error(ErrorKind::ServerError) } else { RetryAction::NoActionIndicated }
    }
}

/// Sends an operation that reads, as one round trip, and records what it cost.
pub(super) fn read<T, E: ProvideErrorMetadata>(
    operation: impl Future<Output = Result<T, SdkError<E>>> + Send,
    capacity: fn(&T) -> Option<&ConsumedCapacity>,
) -> impl Future<Output = Result<T, Error>> + Send {
    let sent = send(operation, "read_units", capacity);
    async move { sent.await.map_err(|error| failed(&error)) }
}

/// Sends an operation that writes, as one round trip, and records what it cost. DynamoDB charges for a refused write too,
/// but does not say so.
pub(super) fn write<T, E>(
    operation: impl Future<Output = Result<T, SdkError<E>>> + Send,
    capacity: fn(&T) -> Option<&ConsumedCapacity>,
) -> impl Future<Output = Result<T, SdkError<E>>> + Send {
    send(operation, "write_units", capacity)
}

fn send<T, E>(
    operation: impl Future<Output = Result<T, SdkError<E>>> + Send,
    units: &'static str,
    capacity: fn(&T) -> Option<&ConsumedCapacity>,
) -> impl Future<Output = Result<T, SdkError<E>>> + Send {
    let span = round_trip(Backend::DynamoDb);
    // A future of the SDK has about 6 kB, which every future around it would copy.
    let operation = Box::pin(operation.instrument(span.clone()));
    async move {
        // The SDK computes for 0.2 ms before it sends. Concurrent commands to the cache are sent first, and answered meanwhile.
        next_turn().await;
        let outcome = operation.await;
        let charged = outcome.as_ref().ok().and_then(capacity).and_then(ConsumedCapacity::capacity_units);
        if let Some(charged) = charged {
            span.record(units, charged);
        }
        outcome
    }
}

/// Yields once to every task that is ready. Futures that yield here resume in order, because changes of a stream are written in
/// order; Tokio's `yield_now` resumes the last one first.
async fn next_turn() {
    let mut has_waited = false;
    poll_fn(|context| {
        if mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Why an operation was not carried out.
pub(super) fn failed<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Error {
    Error::Db(sdk_cause(error))
}

/// Whether a conditional write has done something; it has nothing to do when its condition does not hold.
pub(super) fn is_done<T, E: ProvideErrorMetadata>(
    outcome: Result<T, SdkError<E>>,
    is_condition: fn(&E) -> bool,
) -> Result<bool, Error> {
    match outcome {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(is_condition) => Ok(false),
        Err(error) => Err(failed(&error)),
    }
}

/// The item that a conditional write met, if it asked for it.
///
/// # Errors
/// [`Error::Db`] when the write failed for another reason.
pub(super) fn met(error: &SdkError<PutItemError>) -> Result<Option<Item>, Error> {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(refusal)) => Ok(refusal.item().cloned()),
        _ => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
    use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
    use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
    use futures_util::{StreamExt, stream};
    use jiff::SignedDuration;
    use jiff::fmt::rfc2822;
    use serde_json::json;

    use super::super::item::s;
    use super::super::scripted::{Ending, Scripted};
    use super::*;
    use crate::clock::wall_timestamp;

    const FOUND: Ending = Ending::Response(200, r#"{"Item":{"run":{"S":"r"}}}"#);
    const EXPIRED: Ending = Ending::Response(
        400,
        r#"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired: 20261122T000000Z is now earlier than 20261122T001000Z (20261122T001500Z - 5 min.)"}"#,
    );

    fn get(dynamodb: &Scripted) -> Result<GetItemOutput, Error> {
        let get = Database::new(dynamodb.config()).client.get_item().table_name("runs").key("run", s("r"));
        dynamodb.run(read(get.return_consumed_capacity(Total).send(), GetItemOutput::consumed_capacity))
    }

    #[tokio::test]
    async fn what_runs_beside_an_operation_begins_before_it() {
        let has_begun = AtomicBool::new(false);
        let operation = async { Ok::<_, SdkError<PutItemError>>(has_begun.load(Relaxed)) };
        let (was_first, ()) = tokio::join!(read(operation, |_| None), async { has_begun.store(true, Relaxed) });
        assert!(was_first.unwrap());
    }

    #[tokio::test]
    async fn those_who_wait_go_on_in_their_order() {
        let (next, order) = (AtomicUsize::new(0), [const { AtomicUsize::new(9) }; 3]);
        let waits = order.iter().map(async |place| {
            next_turn().await;
            place.store(next.fetch_add(1, Relaxed), Relaxed);
        });
        stream::iter(waits).buffered(3).collect::<Vec<_>>().await;
        assert_eq!(order.map(AtomicUsize::into_inner), [0, 1, 2]);
    }

    #[test]
    fn a_request_has_the_headers_that_dynamodb_reads() {
        let dynamodb = Scripted::new(&[Ending::Lost, FOUND]);
        assert!(get(&dynamodb).is_ok());
        let needed =
            ["authorization", "content-length", "content-type", "x-amz-date", "x-amz-target"].map(str::to_owned);
        assert!(dynamodb.seen().iter().all(|request| request.headers == needed.clone().into()));
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        let refusal = |kind| Ending::Response(400, kind);
        for ending in [
            Ending::Response(500, r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"m"}"#),
            Ending::Response(503, "<html>"),
            refusal(r#"{"__type":"com.amazon.coral.availability#ThrottlingException","Message":"Rate exceeded"}"#),
            refusal(r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}"#),
            refusal(r#"{"__type":"com.amazonaws.dynamodb.v20120810#RequestLimitExceeded","message":"m"}"#),
            EXPIRED,
            Ending::Lost,
            Ending::Silence,
        ] {
            let dynamodb = Scripted::new(&[ending, FOUND]);
            assert!(get(&dynamodb).unwrap().item.is_some(), "{ending:?}");
            assert_eq!(dynamodb.seen().len(), 2, "{ending:?}");
            assert!(dynamodb.elapsed() <= ATTEMPT + BACKOFF, "{ending:?}: {:?}", dynamodb.elapsed());
        }
    }

    #[test]
    fn what_does_not_pass_is_tried_twice() {
        for ending in [Ending::Response(503, "<html>"), EXPIRED, Ending::Lost] {
            let dynamodb = Scripted::new(&[ending]);
            assert!(matches!(get(&dynamodb), Err(Error::Db(_))), "{ending:?}");
            assert_eq!(dynamodb.seen().len(), 2, "{ending:?}");
        }
    }

    #[test]
    fn what_will_not_pass_is_tried_once_and_told_by_its_name() {
        for (body, sentence) in [
            (
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no table"}"#,
                "dynamodb: ResourceNotFoundException: no table",
            ),
            (
                r#"{"__type":"com.amazon.coral.validate#ValidationException","Message":"no key"}"#,
                "dynamodb: ValidationException: no key",
            ),
            (
                r#"{"__type":"InvalidSignatureException","message":"The signature does not match"}"#,
                "dynamodb: InvalidSignatureException: The signature does not match",
            ),
            ("<html>", "dynamodb: an answer that cannot be read"),
        ] {
            let dynamodb = Scripted::new(&[Ending::Response(400, body)]);
            assert_eq!(get(&dynamodb).unwrap_err().to_string(), sentence);
            assert_eq!(dynamodb.seen().len(), 1, "{body}");
        }
    }

    #[test]
    fn a_call_has_its_time_whatever_happens() {
        let dynamodb = Scripted::new(&[Ending::Silence]);
        assert_eq!(get(&dynamodb).unwrap_err().to_string(), "dynamodb: no answer in time");
        assert_eq!((dynamodb.seen().len(), dynamodb.elapsed()), (2, CALL));
    }

    #[test]
    fn an_expired_signature_is_made_anew() {
        // Less than the skew that the SDK itself takes for the reason.
        let date = wall_timestamp() + SignedDuration::from_mins(2);
        let dynamodb = Scripted::new(&[EXPIRED, FOUND])
            .dated(rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap());
        assert!(get(&dynamodb).is_ok());
        let seen = dynamodb.seen();
        assert!(seen[0].signed_at < seen[1].signed_at, "{seen:?}");
    }

    #[test]
    fn a_condition_brings_the_item_that_is_in_the_way_and_no_cause_has_it() {
        let dynamodb = Scripted::new(&[Ending::condition(&json!({ "user_name": { "S": "zhang" } }))]);
        let put = Database::new(dynamodb.config()).client.put_item().table_name("users").item("phone", s("p"));
        let error = dynamodb.run(write(put.send(), PutItemOutput::consumed_capacity)).unwrap_err();
        assert_eq!(met(&error).unwrap().unwrap()["user_name"], s("zhang"));
        assert!(!failed(&error).to_string().contains("zhang"));
        assert_eq!(dynamodb.seen().len(), 1);
    }
}
