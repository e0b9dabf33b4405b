//! Text messages: the task that sends one, what it says, and the provider that takes it.

mod aliyun;
mod http;
mod message;
mod provider;
mod refusal;
mod signing;
mod sns;
mod tencent;

pub use self::message::{Message, SendSms};
pub use self::provider::Provider;
