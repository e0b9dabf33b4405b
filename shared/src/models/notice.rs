//! Notices: messages that tell the owner of a phone about a change of the account.

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::language::Language;
use super::message_kind::MessageKind;
use super::phone::Phone;

/// A notice that was not sent yet. It is stored in the row that it is about, by the same write. The function that reads the table's
/// stream sends it, and removes it from the row.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about.
    pub kind: MessageKind,
    /// The recipient, in E.164: the phone of the row, or after a change of phone the old one.
    pub phone: String,
    /// The language of the request.
    pub language: Language,
}

impl Notice {
    /// A notice to `phone`, in the language of the caller.
    #[must_use]
    pub fn new(call: &Call, kind: MessageKind, phone: &Phone) -> Self {
        Self { kind, phone: phone.e164().to_owned(), language: call.language }
    }
}
