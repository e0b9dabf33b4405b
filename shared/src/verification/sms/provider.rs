//! The provider that a stage has chosen.

use super::aliyun::Aliyun;
use super::http::HttpProvider;
use super::message::Message;
use super::sns::Sns;
use super::tencent::Tencent;
use crate::aws::Clients;
use crate::clock::Now;
use crate::config::SmsProvider;
use crate::error::{Error, StartError};
use crate::models::phone::Phone;

/// Takes text messages.
pub enum Provider {
    /// A JSON POST to `SMS_URL`.
    Http(Box<HttpProvider>),
    /// Amazon SNS.
    Sns(Sns),
    /// Alibaba Cloud.
    Aliyun(Box<Aliyun>),
    /// Tencent Cloud.
    Tencent(Box<Tencent>),
}

impl Provider {
    /// The provider of the stage's settings.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        match clients.config.sms.provider {
            SmsProvider::Http => HttpProvider::connect(clients).await.map(|provider| Self::Http(Box::new(provider))),
            SmsProvider::Sns => Sns::new(clients).map(Self::Sns),
            SmsProvider::Aliyun => Aliyun::connect(clients).await.map(|provider| Self::Aliyun(Box::new(provider))),
            SmsProvider::Tencent => Tencent::connect(clients).await.map(|provider| Self::Tencent(Box::new(provider))),
        }
    }

    /// Hands over a message. `id` is the same in every delivery of it.
    ///
    /// # Errors
    /// [`Error::Http`] when the provider refuses, or does not answer.
    pub async fn send(&self, now: &Now, id: &str, phone: &Phone, message: &Message<'_>) -> Result<(), Error> {
        match self {
            Self::Http(http) => http.send(now, id, phone, message).await,
            Self::Aliyun(aliyun) => aliyun.send(now, id, phone, message).await,
            Self::Tencent(tencent) => tencent.send(now, id, phone, message).await,
            Self::Sns(sns) => sns.publish(phone.e164(), &message.text(), message.signature()).await,
        }
    }
}
