//! Verification codes: how they are made, sent, limited and judged.

mod code;
mod limits;
mod sending;
pub mod sms;

pub(crate) use self::code::code_of_seed;
pub use self::code::{Codes, Proof, Recipient};
pub use self::sending::{Sender, Sent};
