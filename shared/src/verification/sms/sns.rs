//! Amazon SNS, which sends text messages to phones.

use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::config::timeout::TimeoutConfig;
use aws_sdk_sns::types::MessageAttributeValue;

use tracing::Instrument;

use crate::aws::{BACKGROUND_CALL, CONNECT, Clients, sdk_cause};
use crate::error::{Cause, Error, StartError};
use crate::telemetry::{Backend, round_trip};

/// A client for text messages.
pub struct Sns {
    client: Client,
}

impl Sns {
    /// A client; nothing is opened yet.
    ///
    /// # Errors
    /// As [`Clients::http`].
    pub fn new(clients: &Clients) -> Result<Self, StartError> {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(BACKGROUND_CALL).build();
        // Lambda tries again, and remembers what was done; the client would not.
        let config = clients.sdk_config("AWS_ENDPOINT_URL_SNS")?;
        let config = config.timeout_config(timeouts).retry_config(RetryConfig::disabled()).build();
        Ok(Self { client: Client::new(&config) })
    }

    /// Hands a message to SNS, for delivery before any advertisement. `sender` stands as its sender in the countries
    /// that show one, if it is a name that SNS takes.
    ///
    /// # Errors
    /// [`Error::Http`] with SNS's own reason when it refuses, or when it does not answer.
    pub async fn publish(&self, e164: &str, text: &str, sender: &str) -> Result<(), Error> {
        let attributes = [
            ("AWS.SNS.SMS.SMSType", Some("Transactional")),
            ("AWS.SNS.SMS.SenderID", Some(sender).filter(|sender| is_sender_id(sender))),
        ];
        let mut publish = self.client.publish().phone_number(e164).message(text);
        for (name, value) in attributes.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            publish = publish.message_attributes(name, value.map_err(|cause| Error::Internal(Cause::of(&cause)))?);
        }
        let sent = Box::pin(publish.send()).instrument(round_trip(Backend::Http)).await;
        sent.map(drop).map_err(|error| Error::Http(sdk_cause(&error)))
    }
}

/// Up to 11 letters and digits, a letter among them (SNS Developer Guide, "Publishing SMS messages to a mobile phone").
fn is_sender_id(name: &str) -> bool {
    name.len() <= 11 && name.bytes().all(|b| b.is_ascii_alphanumeric()) && name.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_has_letters_and_digits() {
        for name in ["badge", "B", "24badge", "elevenchars"] {
            assert!(is_sender_id(name), "{name}");
        }
        for name in ["", "2024", "twelve chars", "twelvechars1", "bad-ge", "徽章"] {
            assert!(!is_sender_id(name), "{name}");
        }
    }
}
