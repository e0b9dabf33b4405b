//! What functions call: a real Redis or Valkey, an embedded DynamoDB, an SMS provider, and doubles of AWS APIs.

mod aws;
mod cache;
mod dynamodb;
mod elasticache;
mod fault_proxy;
mod invoke;
mod secrets;
mod secrets_manager;
mod sms;

pub(crate) use self::aws::Aws;
pub(crate) use self::cache::{Cache, CacheAddress};
pub(crate) use self::dynamodb::{DynamoDb, number_of};
pub(crate) use self::fault_proxy::FaultProxy;
pub(crate) use self::secrets::Secrets;
pub(crate) use self::sms::{Inbox, Message, digits};
