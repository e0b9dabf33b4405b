//! Endpoints: functions that answer HTTP requests, whichever front takes them.

use std::future::{Future, ready};
use std::process::ExitCode;
use std::sync::Arc;

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use ::http::{HeaderName, HeaderValue, Method, Response};
use lambda_http::{Body, LambdaEvent, TransformResponse};
use lambda_runtime::Diagnostic;

use super::access::Access;
use super::adapter::{FrontResponse, dispatch};
use super::call_log::{CallLog, Caller, Start};
use super::front::FrontEvent;
use super::runtime::run;
use crate::aws::Clients;
use crate::config::Config;
use crate::error::{Error, StartError, catch_panic};
use crate::http::reply::SessionChange;
use crate::http::{
    BODY_LIMIT_BYTES, Reply, Request, Site, Success, device_cookie, expired_cookie, seal, session_cookie,
};
use crate::models::language::Language;
use crate::models::principal::{Credential, Principal};
use crate::models::session_id::SessionId;

/// A year, as browsers want it (RFC 6797, section 6.1.1).
const HTTPS_ALONE: HeaderValue = HeaderValue::from_static("max-age=31536000");

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Serves an endpoint. `access` says who may enter; the state that `connect` opens at the cold start lives as long as
/// the process.
pub fn http<S, A, C, H, F>(method: Method, access: A, connect: C, handler: H) -> ExitCode
where
    S: Send + Sync + 'static,
    A: Access<S>,
    C: AsyncFnOnce(&Clients) -> Result<S, StartError> + 'static,
    H: Fn(&'static S, Request<A::Principal>) -> F + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    run(async |clients: &Clients| {
        let (state, config) = (connect(clients).await?, Arc::clone(&clients.config));
        let endpoint = Endpoint { method, access, state, handler, config: Arc::clone(&config) };
        let endpoint: &'static _ = Box::leak(Box::new(endpoint));
        Ok(serve(config, move |request| endpoint.answer(request)))
    })
}

/// Answers what no other function takes. API Gateway sends it by the path's `ANY` route when only the method is wrong,
/// else by `$default` or `{proxy+}`.
#[must_use]
pub fn not_found() -> ExitCode {
    run(async |clients: &Clients| {
        Ok(serve(Arc::clone(&clients.config), |request: Request| {
            let is_known_path = request.has_route() && request.is_of_this_stage();
            let error = if is_known_path { wrong_method(&request) } else { no_route(&request) };
            ready(Answer::from(error))
        }))
    })
}

/// A reply, and the cookies that go with it: that of the session also when it is an error.
struct Answer {
    reply: Reply,
    cookie: Option<String>,
    device: Option<String>,
    /// Who got it.
    caller: Option<Caller>,
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        Self { reply: Err(error), cookie: None, device: None, caller: None }
    }
}

struct Endpoint<S, A, H> {
    method: Method,
    access: A,
    state: S,
    handler: H,
    config: Arc<Config>,
}

impl<S, A, H, F> Endpoint<S, A, H>
where
    S: Send + Sync + 'static,
    A: Access<S>,
    H: Fn(&'static S, Request<A::Principal>) -> F + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    async fn answer(&'static self, request: Request) -> Answer {
        match self.admit(&request).await {
            Ok(principal) => self.handle(request.with_principal(principal)).await,
            Err(error) => error.into(),
        }
    }

    /// What is refused before any login check, and then that. A method is refused also where the front knows no routes:
    /// a link must not sign anybody out.
    async fn admit(&self, request: &Request) -> Result<A::Principal, Error> {
        if !request.is_of_this_stage() {
            return Err(no_route(request));
        }
        if request.method != self.method {
            return Err(wrong_method(request));
        }
        // Behind these two, so that a deployment can ask a new version directly.
        if request.is_past_own_front() {
            return Err(Error::PastOwnFront);
        }
        if request.body_len() > BODY_LIMIT_BYTES {
            return Err(Error::BodyTooLarge);
        }
        self.access.admit(&self.state, request).await
    }

    async fn handle(&'static self, request: Request<A::Principal>) -> Answer {
        let (settings, has_cookies) = (&self.config.session, !request.is_of_other_site());
        let principal = A::principal(&request.principal);
        let mut caller = principal.map(Caller::from);
        let mut cookie = principal.and_then(cookie_of).map(|session| session_cookie(session, settings));
        let reply = (self.handler)(&self.state, request).await;
        match reply.as_ref().ok().and_then(Success::session_change) {
            Some(SessionChange::Opened(principal)) => {
                caller = Some(principal.into());
                cookie = cookie_of(principal).map(|session| session_cookie(session, settings));
            }
            Some(SessionChange::Ended) => cookie = Some(expired_cookie(settings)),
            None => {}
        }
        let device = reply.as_ref().ok().and_then(Success::device).map(|token| device_cookie(token, settings));
        Answer { reply, cookie: cookie.filter(|_| has_cookies), device: device.filter(|_| has_cookies), caller }
    }
}

/// The session whose cookie the browser gets.
fn cookie_of(principal: &Principal) -> Option<&SessionId> {
    match &principal.credential {
        Credential::VeriCode { id } | Credential::Session { id, renews_cookie: true } => Some(id),
        Credential::Session { .. } | Credential::Token { .. } => None,
    }
}

fn no_route(request: &Request) -> Error {
    Error::NoRoute { path: request.path.clone() }
}

fn wrong_method(request: &Request) -> Error {
    Error::WrongMethod { method: request.method.to_string(), path: request.path.clone() }
}

/// Answers events by `answer`, and writes a line for each.
fn serve<F>(
    config: Arc<Config>,
    answer: impl Fn(Request) -> F,
) -> impl FnMut(Start, LambdaEvent<FrontEvent>) -> TransformResponse<'static, FrontResponse, Diagnostic>
where
    F: Future<Output = Answer> + Send + 'static,
{
    move |start, event| {
        let answer = |request: Request| {
            let (request_id, method) = (request.call.request_id.clone(), request.method.clone());
            let (path, language, logged) = (request.logged_path(), request.language(), request.logged_params());
            // Before anything else happens, whatever the route and the method.
            let answering = (request.site() != Site::Foreign).then(|| answer(request));
            let is_local = config.is_local();
            async move {
                let answer = match answering {
                    Some(answering) => catch_panic(answering).await.unwrap_or_else(Answer::from),
                    None => Error::CrossSite.into(),
                };
                let logged = logged.get();
                let log = CallLog {
                    request_id: &request_id,
                    method: Some(method.as_str()),
                    path: Some(&path),
                    params: logged.map_or(&[], |logged| &logged.names),
                    phone: logged.and_then(|logged| logged.phone.as_deref()),
                    ..CallLog::default()
                };
                Ok(finish(start, log, &answer, language, is_local))
            }
        };
        dispatch(event, &config, answer, |request_id, cause| {
            let log = CallLog { request_id, ..CallLog::default() };
            finish(start, log, &Error::BadEvent(cause).into(), Language::Chinese, config.is_local())
        })
    }
}

fn finish(start: Start, log: CallLog<'_>, answer: &Answer, language: Language, is_local: bool) -> FrontResponse {
    let mut response = Response::new(Body::Text(seal(&answer.reply, language)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !is_local {
        headers.insert(STRICT_TRANSPORT_SECURITY, HTTPS_ALONE);
    }
    // A load balancer that takes one header of each name takes the first.
    let (cookie, device) = (answer.cookie.as_deref(), answer.device.as_deref());
    for (name, value) in [(REQUEST_ID, Some(log.request_id)), (SET_COOKIE, cookie), (SET_COOKIE, device)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.append(name, value);
        }
    }
    CallLog { error: answer.reply.as_ref().err(), caller: answer.caller.as_ref(), ..log }.write(start);
    FrontResponse(response)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use lambda_http::Context;
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Deployed;
    use crate::http::reply;
    use crate::lambda::access::Anyone;
    use crate::models::role::Role;
    use crate::models::user::UserId;

    fn config() -> Arc<Config> {
        let settings = include_str!("../../../conf/local.toml");
        Arc::new(Config::parse("local".to_owned(), settings, Deployed::default()).unwrap())
    }

    /// The events of a request to a function URL, a REST API and a load balancer.
    fn events(method: &str, path: &str, body: &str) -> [Value; 3] {
        let of = |context: Value| {
            let mut event = json!({ "httpMethod": method, "path": path, "body": body, "isBase64Encoded": false });
            event["requestContext"] = context;
            event
        };
        [
            of(json!({ "http": { "method": method } })),
            of(json!({ "identity": {}, "httpMethod": method })),
            of(json!({ "elb": {} })),
        ]
    }

    async fn call<F>(event: &Value, answer: impl Fn(Request) -> F) -> Value
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let payload = serde_json::from_str(&event.to_string()).unwrap();
        let mut context = Context::default();
        context.request_id = "id-1".to_owned();
        let start = Start { at: Instant::now(), is_cold: true };
        let response = serve(config(), answer)(start, LambdaEvent::new(payload, context)).await.unwrap();
        serde_json::to_value(response).unwrap()
    }

    fn code(response: &Value) -> u64 {
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        body["code"].as_u64().unwrap()
    }

    #[tokio::test]
    async fn each_front_gets_its_own_shape() {
        let done = |cookie: Option<&str>| {
            let cookie = cookie.map(str::to_owned);
            move |_| ready(Answer { reply: reply::done(), cookie: cookie.clone(), device: None, caller: None })
        };
        let one = json!({
            "content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff",
            "x-request-id": "id-1",
        });
        let all: Value = one.as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
        let (mut one_more, mut all_more) = (one.clone(), all.clone());
        one_more["set-cookie"] = "a=b".into();
        all_more["set-cookie"] = json!(["a=b"]);
        let [format_2, format_1, load_balancer] = events("POST", "/local/a", "");
        for (event, cookie, headers, lists, of_the_front) in [
            (&format_2, None, &one, &json!({}), json!({ "cookies": [] })),
            (&format_2, Some("a=b"), &one, &json!({}), json!({ "cookies": ["a=b"] })),
            (&format_1, None, &json!({}), &all, json!({})),
            (&format_1, Some("a=b"), &json!({}), &all_more, json!({})),
            // The one or the other, as the target group is set.
            (&load_balancer, None, &one, &all, json!({ "statusDescription": "200 OK" })),
            (&load_balancer, Some("a=b"), &one_more, &all_more, json!({ "statusDescription": "200 OK" })),
        ] {
            let mut expected = json!({
                "statusCode": 200, "headers": headers, "multiValueHeaders": lists, "isBase64Encoded": false,
                "body": r#"{"code":0,"msg":"ok","data":""}"#,
            });
            expected.as_object_mut().unwrap().extend(of_the_front.as_object().unwrap().clone());
            assert_eq!(call(event, done(cookie)).await, expected, "{event}");
        }
    }

    #[test]
    fn every_stage_but_the_local_one_asks_for_https() {
        for (is_local, expected) in [(true, None), (false, Some("max-age=31536000"))] {
            let start = Start { at: Instant::now(), is_cold: false };
            let answer = Answer::from(Error::NotLoggedIn);
            let FrontResponse(response) = finish(start, CallLog::default(), &answer, Language::Chinese, is_local);
            let found = response.headers().get(STRICT_TRANSPORT_SECURITY).map(|value| value.to_str().unwrap());
            assert_eq!(found, expected);
        }
    }

    #[tokio::test]
    async fn a_panic_and_an_event_that_cannot_be_read_are_answered_in_the_shape_of_their_front() {
        for (mut event, member) in
            events("POST", "/local/a", "{").into_iter().zip(["cookies", "multiValueHeaders", "statusDescription"])
        {
            let panic = call(&event, |_| async { panic!("as a test") }).await;
            assert_eq!((code(&panic), panic[member].is_null()), (50000, false), "{event}");
            event["isBase64Encoded"] = true.into();
            let refused = call(&event, |_| async { panic!("nobody calls it") }).await;
            assert_eq!((code(&refused), refused[member].is_null()), (51400, false), "{event}");
        }
    }

    fn endpoint<A, H>(access: A, handler: H) -> &'static Endpoint<(), A, H> {
        Box::leak(Box::new(Endpoint { method: Method::POST, access, state: (), handler, config: config() }))
    }

    #[tokio::test]
    async fn what_is_refused_before_any_login_check() {
        let endpoint = endpoint(Anyone, |(): &'static (), _| async { reply::done() });
        let large = "a".repeat(BODY_LIMIT_BYTES + 1);
        for (method, path, body, expected) in [
            ("POST", "/local/a", &large[1..], 0),
            ("GET", "/local/a", "", 51405),
            ("GET", "/prod/a", "", 51404),
            ("POST", "/", "", 51404),
            ("POST", "/local/a", &large, 51413),
        ] {
            for event in events(method, path, body) {
                let response = call(&event, |request| endpoint.answer(request)).await;
                assert_eq!(code(&response), expected, "{method} {path}");
            }
        }
    }

    /// Everybody is signed in, for longer than since the last cookie.
    struct Somebody;

    fn principal(credential: Credential) -> Principal {
        Principal {
            user_id: UserId::new(1, 1).unwrap(),
            role: Role::User,
            epoch: 0,
            credential,
            phone: None,
            left: None,
            network: None,
        }
    }

    const ID: &str = "3f_0123456789-0123456789-0123456789-012345678";

    impl Access<()> for Somebody {
        type Principal = Principal;

        async fn admit(&self, (): &(), _: &Request) -> Result<Principal, Error> {
            let id = SessionId::parse(ID).unwrap();
            Ok(principal(Credential::Session { id, renews_cookie: true }))
        }

        fn principal(principal: &Principal) -> Option<&Principal> {
            Some(principal)
        }
    }

    #[tokio::test]
    async fn a_session_is_renewed_unless_the_handler_chose_a_cookie() {
        type Handler = fn(&'static (), Request<Principal>) -> std::future::Ready<Reply>;
        let other = format!("a0{}", &ID[2..]);
        let handlers: [(Handler, String); 4] = [
            (|(), _| ready(reply::done()), format!("__sid__={ID}; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax")),
            (|(), _| ready(Err(Error::Forbidden)), format!("__sid__={ID};")),
            (
                |(), _| {
                    let id = SessionId::parse(&format!("a0{}", &ID[2..])).unwrap();
                    ready(reply::done().map(|success| success.with_session(principal(Credential::VeriCode { id }))))
                },
                format!("__sid__={other};"),
            ),
            (|(), _| ready(reply::done().map(Success::without_session)), "__sid__=; Path=/; Max-Age=0;".to_owned()),
        ];
        let [event, ..] = events("POST", "/local/a", "");
        for (handler, cookie) in handlers {
            let endpoint = endpoint(Somebody, handler);
            let response = call(&event, |request| endpoint.answer(request)).await;
            assert!(response["cookies"][0].as_str().unwrap().starts_with(&cookie), "{response}");
        }
    }
}
