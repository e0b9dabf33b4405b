//! Delivery of a message, once, however often its task is delivered.

use std::sync::Arc;

use super::run_once::{Progress, RunOnce};
use crate::aws::{Clients, SecretKeys, Task};
use crate::config::Config;
use crate::db::Database;
use crate::error::{Error, StartError};
use crate::models::call::Call;
use crate::models::message_kind::MessageKind;
use crate::models::phone::Phone;
use crate::verification::code_of_seed;
use crate::verification::sms::{Provider, SendSms};

/// What a delivery needs.
pub struct SmsDelivery {
    runs: RunOnce,
    keys: SecretKeys,
    provider: Provider,
    config: Arc<Config>,
}

impl SmsDelivery {
    /// Opens all of it, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let config = Arc::clone(&clients.config);
        let (keys, provider, database) = tokio::try_join!(
            SecretKeys::connect(clients, &config.secrets.veri_code),
            Provider::connect(clients),
            Database::connect(clients)
        )?;
        Ok(Self { runs: RunOnce::new(&database, &config)?, keys, provider, config })
    }

    /// Sends the message once.
    ///
    /// # Errors
    /// [`Error::Http`] when the provider refuses or does not answer, [`Error::Db`] when it cannot be known whether the
    /// message was sent before. Lambda then delivers again.
    pub async fn deliver(&self, call: &Call, task_id: &str, message: SendSms) -> Result<(), Error> {
        if message.has_expired(&call.now) {
            return Ok(());
        }
        let run = format!("{}#{task_id}", SendSms::NAME);
        let work = async {
            let phone = Phone::stored(message.phone.clone());
            let code = match message.kind {
                MessageKind::Code => code_of_seed(&*self.keys.get(call.now.timestamp()).await?, &phone, &message.seed)?,
                MessageKind::PhoneChanged | MessageKind::AccountDeleted => String::new(),
            };
            let (sms, kind) = (&self.config.sms, message.kind);
            let message = message.message(&call.now, sms.text(kind, message.language), &sms.signature, &code);
            self.provider.send(&call.now, task_id, &phone, &message).await?;
            Ok(Progress::Done(()))
        };
        self.runs.once(&call.now, &run, work).await.map(drop)
    }
}
