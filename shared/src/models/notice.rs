//! Notices: what the owner of a phone must hear of, because it was done to the account.

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::language::Language;
use super::message_kind::MessageKind;
use super::phone::Phone;

/// A notice that is not sent yet. It is written with the row that it is about, so that one is not without the other; the table's
/// stream sends it, and takes it out of the row.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about.
    pub kind: MessageKind,
    /// E.164. That of the row, or the one that the user has left.
    pub phone: String,
    /// That of the request.
    pub language: Language,
}

impl Notice {
    /// A notice to `phone`, in the language of the caller.
    #[must_use]
    pub fn new(call: &Call, kind: MessageKind, phone: &Phone) -> Self {
        Self { kind, phone: phone.e164().to_owned(), language: call.language }
    }
}
