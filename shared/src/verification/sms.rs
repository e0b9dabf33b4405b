//! Text messages: the task that sends one, what it says, and the provider that takes it.

mod http;
mod message;
mod provider;
mod sns;

pub use self::message::{Message, SendSms};
pub use self::provider::Provider;
