//! Verification codes: how they are made, sent, limited and judged.

mod code;
mod device;
mod limits;
mod notices;
pub(crate) mod receipt;
mod sending;
pub mod sms;
mod tries;

pub(crate) use self::code::code_of_seed;
pub use self::code::{Codes, Recipient};
#[cfg(feature = "fuzz")]
pub(crate) use self::device::{sign, verify};
pub(crate) use self::limits::{may_try, user_limit};
pub use self::notices::Notices;
pub use self::sending::{Sender, Sent};
pub use self::tries::{Attempt, OneStepTry, Standing, verdict};
