//! Panics as errors, so that one request's does not end the sandbox.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};

use futures_util::FutureExt;

use super::{Cause, Error};

thread_local! {
    /// Where the last panic was; the hook knows it, the catcher does not.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has panics remembered instead of printed. Their messages are left out: they can quote anything.
pub fn remember_panics() {
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
        LAST_PANIC.with_borrow_mut(|last| *last = at);
    }));
}

/// The output of `future`, or where it panicked.
///
/// # Errors
/// [`Error::Panic`].
pub async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, Error> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| Error::Panic(place_of(&panic)))
}

/// What `call` returns, or where it panicked.
pub(crate) fn catch_unwind<T>(call: impl FnOnce() -> T) -> Result<T, Cause> {
    panic::catch_unwind(AssertUnwindSafe(call)).map_err(|panic| place_of(&panic))
}

fn place_of(_: &(dyn Any + Send)) -> Cause {
    Cause::new(LAST_PANIC.with_borrow_mut(Option::take).as_deref().unwrap_or("an unknown place"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_that_says_nothing_of_its_message() {
        let outcome = catch_panic::<()>(async { panic!("with a secret in it") }).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Panic(_)) && !error.to_string().contains("secret"));
        let cause = catch_unwind::<()>(|| panic!("with a secret in it")).unwrap_err();
        assert!(!cause.to_string().contains("secret"));
    }
}
