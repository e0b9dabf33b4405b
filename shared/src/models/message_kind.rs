//! Kinds of text messages.

use serde::{Deserialize, Serialize};

/// What a message is about.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// A verification code.
    #[default]
    Code,
    /// To the old phone: the account has moved to another one.
    PhoneChanged,
    /// The account is deleted, and can be restored for some days.
    AccountDeleted,
}

impl MessageKind {
    /// The places of its text, beside that of the signature; in the order of a template that numbers them.
    #[must_use]
    pub fn places(self) -> &'static [&'static str] {
        match self {
            Self::Code => &["code", "minutes"],
            Self::PhoneChanged => &[],
            Self::AccountDeleted => &["days"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_places_in_the_order_of_templates() {
        for (kind, places) in [
            (MessageKind::Code, &["code", "minutes"][..]),
            (MessageKind::PhoneChanged, &[]),
            (MessageKind::AccountDeleted, &["days"]),
        ] {
            assert_eq!(kind.places(), places, "{kind:?}");
        }
    }
}
