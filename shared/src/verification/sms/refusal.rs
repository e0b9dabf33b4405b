//! Why a provider does not take a message, in words that say who has to do something.

use crate::error::{Cause, Error};

/// The kinds of a provider's refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A limit of the provider: of its own rate, or of messages to one number.
    Limit,
    /// The number cannot be, is not served, or is on a list of the provider.
    Number,
    /// Signature, template or its parameters are not what the provider has approved.
    Unapproved,
    /// The key, its rights, or the balance of the account.
    Account,
    /// Anything else.
    Other,
}

impl Refusal {
    /// The error, with the provider's code. Its message is left out: it can name the number.
    pub(super) fn error(self, code: &str) -> Error {
        let is_code = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let code: String = code.chars().filter(is_code).take(64).collect();
        let why = match self {
            Self::Limit => "a limit of the SMS provider was reached",
            Self::Number => "the SMS provider does not serve this number",
            Self::Unapproved => "the SMS provider has not approved this signature or template",
            Self::Account => "the SMS provider refuses our key or account",
            Self::Other => "the SMS provider refused",
        };
        Error::Http(Cause::new(&format!("{why} ({code})")))
    }
}

/// Of a response that is not what the provider is documented to give.
pub(super) fn unreadable(status: u16) -> Error {
    Error::Http(Cause::new(&format!("the SMS provider gave status {status} and no result")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_code_and_nothing_that_could_be_a_phone_or_a_line() {
        let error = Refusal::Limit.error("isv.LIMIT\n+86 138-x");
        assert_eq!(error.to_string(), Refusal::Limit.error("isv.LIMIT86138-x").to_string());
        assert!(error.to_string().contains("a limit of the SMS provider was reached (isv.LIMIT"), "{error}");
    }
}
