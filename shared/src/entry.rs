//! From cold start to reply. `main` of every function is one call into this room, and says by its name who may
//! come in: [`open`], [`guarded`], [`leaving`], [`unrouted`], [`task`], [`job`].

mod job;
mod response;
mod sandbox;

use std::future::Future;

pub use ::http::Method;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::value::RawValue;

#[cfg(feature = "fuzz")]
pub(crate) use self::job::Event;
pub use self::job::{Report, job};
use self::response::Response;
use self::sandbox::{Sandbox, caught, run};
use crate::check::Rules;
use crate::clock;
use crate::ctx::{Ctx, Need};
use crate::envelope::{self, Reply};
pub use crate::error::Fatal;
use crate::error::{Cause, Error};
use crate::request::{self, BODY_LIMIT_BYTES, Front, Language, Request};
pub use crate::runs::Tick;
use crate::session::{self, Accepts, Caller};
use crate::tasks::{Spawned, Task};
use crate::telemetry::{self, Line};

/// Serves an endpoint that anyone may call.
///
/// # Errors
/// What stopped the start.
pub fn open<H, F>(method: &Method, needs: &[Need], handler: H) -> Result<(), Fatal>
where
    H: Fn(Ctx, Request) -> F,
    F: Future<Output = Reply>,
{
    serve(needs, async |ctx: Ctx, request: Request| match admit(&ctx, &request, method) {
        Ok(()) => handler(ctx, request).await.into(),
        Err(error) => Err(error).into(),
    })
}

/// Serves an endpoint for those who are signed in, by session or by token.
///
/// # Errors
/// What stopped the start.
pub fn guarded<H, F>(method: &Method, needs: &[Need], handler: H) -> Result<(), Fatal>
where
    H: Fn(Ctx, Request, Caller) -> F,
    F: Future<Output = Reply>,
{
    serve_callers(method, needs, Accepts::SessionOrToken, handler)
}

/// Serves an endpoint at which a session ends: it is taken from the cache by the round trip that finds it, so the handler
/// has only to say goodbye. A token does not open it.
///
/// # Errors
/// What stopped the start.
pub fn leaving<H, F>(method: &Method, needs: &[Need], handler: H) -> Result<(), Fatal>
where
    H: Fn(Ctx, Request, Caller) -> F,
    F: Future<Output = Reply>,
{
    serve_callers(method, needs, Accepts::EndingSession, handler)
}

/// Answers what no other function takes. API Gateway sends it by the path's `ANY` route when only the method is wrong,
/// else by `$default` or `{proxy+}`.
///
/// # Errors
/// What stopped the start.
pub fn unrouted() -> Result<(), Fatal> {
    serve(&[], async |ctx: Ctx, request: Request| {
        let path = request.path.clone();
        let error = if request.route.is_some() && is_of_this_stage(&ctx, &request) {
            Error::WrongMethod { method: request.method.clone(), path }
        } else {
            Error::NoRoute { path }
        };
        Err(error).into()
    })
}

/// Serves a background task. It may be delivered twice, so doing it twice must equal doing it once; the handler
/// gets the id that all deliveries of one task share.
///
/// # Errors
/// What stopped the start.
pub fn task<T, H, F>(needs: &[Need], handler: H) -> Result<(), Fatal>
where
    T: Task,
    H: Fn(Ctx, String, T) -> F,
    F: Future<Output = Result<(), Error>>,
{
    run(needs, None, &async |sandbox: &Sandbox, event: LambdaEvent<Box<RawValue>>| {
        let start = sandbox.begin();
        let outcome = match serde_json::from_str::<Spawned<T>>(event.payload.get()) {
            Ok(spawned) => {
                let late_ms = clock::wall_millis().saturating_sub(spawned.spawned_at_ms);
                let now = Timestamp::from_millisecond(spawned.time_epoch_ms.saturating_add_unsigned(late_ms));
                let ctx = Ctx::new(sandbox.kept.clone(), now.unwrap_or_default());
                caught(handler(ctx, spawned.task_id, spawned.task)).await.and_then(|done| done)
            }
            Err(cause) => Err(Error::Internal(Cause::new(&format!("not a task of mine: {:?}", cause.classify())))),
        };
        let code = outcome.as_ref().err().map_or(0, envelope::code);
        let line = Line { request_id: &event.context.request_id, code, ..Line::default() };
        sandbox.log(&start, line, outcome.as_ref().err());
        outcome.map_err(|error| Diagnostic { error_type: format!("{code}"), error_message: error.to_string() })
    })
}

fn serve_callers<H, F>(method: &Method, needs: &[Need], accepts: Accepts, handler: H) -> Result<(), Fatal>
where
    H: Fn(Ctx, Request, Caller) -> F,
    F: Future<Output = Reply>,
{
    serve(needs, async |ctx: Ctx, request: Request| {
        let caller = match admit(&ctx, &request, method) {
            Ok(()) => session::identify(&ctx, &request, accepts).await,
            Err(error) => Err(error),
        };
        match caller {
            Ok(caller) => {
                let renewed = caller.session.as_ref().map(|sid| sid.cookie(&ctx.config().session));
                let mut answer: Answer = handler(ctx, request, caller).await.into();
                answer.cookie = answer.cookie.or(renewed);
                answer
            }
            Err(error) => Err(error).into(),
        }
    })
}

/// What is refused before any login check. That nobody comes by another method is also held where the front knows no
/// routes: a link must not sign anybody out.
fn admit(ctx: &Ctx, request: &Request, method: &Method) -> Result<(), Error> {
    if !is_of_this_stage(ctx, request) {
        return Err(Error::NoRoute { path: request.path.clone() });
    }
    if request.method != method.as_str() {
        return Err(Error::WrongMethod { method: request.method.clone(), path: request.path.clone() });
    }
    if request.body_len() > BODY_LIMIT_BYTES {
        return Err(Error::BodyTooLarge);
    }
    Ok(())
}

/// Routes begin with a variable for the stage's name, because a template cannot put a parameter into a path.
fn is_of_this_stage(ctx: &Ctx, request: &Request) -> bool {
    request.stage_in_path.as_ref().is_none_or(|stage| *stage == ctx.config().stage)
}

/// A reply and the cookie that goes with it, also when it is an error.
struct Answer {
    reply: Reply,
    cookie: Option<String>,
}

impl From<Reply> for Answer {
    fn from(mut reply: Reply) -> Self {
        let cookie = reply.as_mut().ok().and_then(envelope::Success::take_cookie);
        Self { reply, cookie }
    }
}

/// A request of a stage that there is not, so that it is refused before the handler sees it.
const REHEARSAL: &str = include_str!("entry/rehearsal.json");

fn serve<H>(needs: &[Need], handler: H) -> Result<(), Fatal>
where
    H: AsyncFn(Ctx, Request) -> Answer,
{
    run(needs, Some(REHEARSAL), &async |sandbox: &Sandbox, event: LambdaEvent<Box<RawValue>>| {
        let start = sandbox.begin();
        let id = event.context.request_id;
        let event = request::Event::read(event.payload.get());
        let front = event.as_ref().map_or(Front::default(), request::Event::front);
        Ok(match event.and_then(|event| take(sandbox, event)) {
            Ok((ctx, request)) => {
                let (method, path, language) = (request.method.clone(), logged_path(&request), request.language);
                let noted = request.noted.clone();
                let answer = caught(handler(ctx, request)).await.unwrap_or_else(|error| Err(error).into());
                let sealed = envelope::seal(&answer.reply, language);
                let noted = noted.get();
                let line = Line {
                    request_id: &id,
                    method: &method,
                    path: &path,
                    code: sealed.code,
                    params: noted.map_or(&[], |noted| &noted.names),
                    phone: noted.and_then(|noted| noted.phone.as_deref()),
                    ..Line::default()
                };
                sandbox.log(&start, line, answer.reply.as_ref().err());
                Response::new(front, sealed, &id, answer.cookie)
            }
            Err(error) => {
                let reply = Err(error);
                let sealed = envelope::seal(&reply, Language::Chinese);
                let line = Line { request_id: &id, code: sealed.code, ..Line::default() };
                sandbox.log(&start, line, reply.as_ref().err());
                Response::new(front, sealed, &id, None)
            }
        })
    })
}

fn take(sandbox: &Sandbox, event: request::Event) -> Result<(Ctx, Request), Error> {
    let mut request = Request::from_event(event)?;
    let now = match request.time_epoch_ms {
        Some(millis) => Timestamp::from_millisecond(millis).map_err(|cause| Error::BadEvent(Cause::of(&cause)))?,
        None => clock::wall_timestamp(),
    };
    let ctx = Ctx::new(sandbox.kept.clone(), now);
    request.set_rules(Rules { today: ctx.now().today(), phone: ctx.config().phone.clone() });
    Ok((ctx, request))
}

/// The path of the route, which is ours but for the stage in it; a path that has no route is somebody's free text.
pub(crate) fn logged_path(request: &Request) -> String {
    let path = match &request.route {
        Some(path) => &path.replace("{stage}", request.stage_in_path.as_deref().unwrap_or("{stage}")),
        None => &request.path,
    };
    telemetry::scrub(path, 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_writes_in_the_place_of_the_stage_is_scrubbed() {
        for (stage, logged) in [("local", "/local/user/veri_code"), ("13800138000", "/…/user/veri_code")] {
            let event = serde_json::json!({
                "rawPath": "/", "pathParameters": { "stage": stage },
                "requestContext": {
                    "routeKey": "POST /{stage}/user/veri_code", "http": { "method": "POST" }, "timeEpoch": 0
                }
            });
            let request = Request::from_event(serde_json::from_value(event).unwrap()).unwrap();
            assert_eq!(logged_path(&request), logged);
        }
    }

    #[test]
    fn a_rehearsal_is_a_request_to_a_stage_that_no_settings_can_name() {
        let request = Request::from_event(request::Event::read(REHEARSAL).unwrap()).unwrap();
        assert_eq!((request.stage_in_path.as_deref(), request.body_len()), (Some("-"), 2));
        // So the two doors of `admit` see it differ from every stage.
        assert!(!crate::config::is_stage_name("-"));
    }
}
