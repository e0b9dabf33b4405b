//! Registering: a phone that proved itself with a code becomes a user.

use std::sync::Arc;

use serde::Serialize;

use crate::aws::{Clients, SecretKeys};
use crate::cache::Cache;
use crate::config::Config;
use crate::db::{Database, Inserted, Users};
use crate::error::{Error, StartError};
use crate::models::call::Call;
use crate::models::changed_by::ChangedBy;
use crate::models::params::{Fields, Params, Required};
use crate::models::phone::Phone;
use crate::models::profile::Profile;
use crate::models::role::Role;
use crate::models::user::{User, UserId};
use crate::models::veri_code::VeriCode;
use crate::verification::{Codes, receipt};

/// Somebody who wants to become a user.
pub struct Applicant {
    pub(crate) profile: Profile,
    pub(crate) phone: Phone,
    pub(crate) veri_code: VeriCode,
}

impl Params for Applicant {
    fn required() -> Required {
        Required::Together(Profile::required().chain(["phone", "veri_code"]).collect())
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let mut profile = Profile::default();
        let has_required = profile.read(fields, true);
        let phone = fields.read("phone");
        let veri_code = fields.read("veri_code");
        let has_optional = profile.read(fields, false);
        (has_required && has_optional).then_some(())?;
        Some(Self { profile, phone: phone?, veri_code: veri_code? })
    }
}

impl Applicant {
    /// All that the request says, for its receipt.
    fn parts(&self) -> Vec<String> {
        let profile = self.profile.iter().map(|(_, value)| value.map(ToString::to_string).unwrap_or_default());
        profile.chain([self.phone.e164().to_owned(), self.veri_code.digits().to_owned()]).collect()
    }
}

/// How long the same request gets the same success: 24 hours.
const RECEIPT_TTL_MS: i64 = 24 * 3600 * 1000;

/// What a new user receives.
#[derive(Serialize)]
pub struct Registered {
    user_id: UserId,
    /// The token of the device, which is known from now on. None in a repetition without a live code.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
}

impl Registered {
    /// For the cookie of the device.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }
}

/// What a registration needs.
pub struct Register {
    users: Users,
    codes: Codes,
    config: Arc<Config>,
}

impl Register {
    /// Opens all of it, side by side.
    ///
    /// # Errors
    /// What stops the cold start.
    pub async fn connect(clients: &Clients) -> Result<Self, StartError> {
        let config = &clients.config;
        let (cache, keys, database) = tokio::try_join!(
            Cache::connect(clients),
            SecretKeys::connect(clients, &config.secrets.veri_code),
            Database::connect(clients)
        )?;
        let codes = Codes::new(cache, keys, Arc::clone(config));
        Ok(Self { users: Users::new(&database, config)?, codes, config: Arc::clone(config) })
    }

    /// Makes a user of an applicant whose code is right.
    ///
    /// The same request sent again, because its reply was lost or a write failed on our side, gives the same success: the
    /// user's row has a receipt, a MAC over all that the request said, which only the very same request gives again. It is
    /// looked for where the code will be refused, before that counts as a wrong try. While a receipt stands there is
    /// something to guess, so another request counts then also without a live code.
    ///
    /// # Errors
    /// [`Error::VeriCodeWrong`], [`Error::TooManyRequests`], [`Error::PhoneTaken`], [`Error::AccountDisabled`], or a
    /// backend.
    pub async fn register(&self, call: &Call, applicant: Applicant) -> Result<Registered, Error> {
        let (attempt, standing) = tokio::join!(
            self.codes.look(call, &applicant.phone, &applicant.veri_code),
            self.codes.of_applicant(call, &applicant.phone)
        );
        let (attempt, mut standing) = (attempt?, standing?);
        let parts = applicant.parts();
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        let receipts = self.codes.receipts(call, &parts).await?;
        let will_be_wrong = !self.codes.is_promising(&attempt, standing) && !attempt.is_refused(standing);
        if will_be_wrong && let Some(user) = self.recent(call, &applicant.phone).await? {
            if is_receipt(&receipts, &user.receipt) {
                if user.is_disabled {
                    return Err(Error::AccountDisabled);
                }
                return Ok(Registered { user_id: user.id, device: None });
            }
            standing = standing.counting_always();
        }
        let code = self.codes.claim(call, &attempt, standing).await?;
        let millis = call.now.millis();
        let user = User {
            id: UserId::new(millis, self.config.user_shards)?,
            phone: applicant.phone,
            role: Role::User,
            profile: applicant.profile,
            legacy_id: None,
            create_time: call.now.timestamp().as_millisecond(),
            update_time: None,
            is_delete: false,
            receipt: receipts.first().map(|receipt| format!("{receipt}{code}")).unwrap_or_default(),
            delete_time: None,
            deleted_by_admin: false,
            is_disabled: false,
            epoch: 0,
            version: 1,
            changed_by: Some(ChangedBy::applicant(call)),
        };
        let (inserted, ()) = tokio::join!(self.users.insert(&user), self.codes.record_use(&attempt, standing));
        let (user_id, epoch) = match inserted? {
            Inserted::New => (user.id, user.epoch),
            Inserted::Exists { is_disabled: true, .. } => return Err(Error::AccountDisabled),
            Inserted::Exists { id, receipt, epoch, .. } if is_receipt(&receipts, &receipt) => (id, epoch),
            Inserted::Exists { .. } => return Err(Error::PhoneTaken),
        };
        // From the time in the id on, so that a repetition gets the same token.
        let device = self.codes.device_token(call, &user.phone, user_id, epoch, user_id.millis()).await?;
        Ok(Registered { user_id, device: Some(device) })
    }

    /// The user that blocks a registration of the phone, if it registered so lately that its receipt stands.
    async fn recent(&self, call: &Call, phone: &Phone) -> Result<Option<User>, Error> {
        let user = self.users.by_phone(phone).await?;
        let now = call.now.timestamp().as_millisecond();
        Ok(user.filter(|user| now.saturating_sub(user.create_time) < RECEIPT_TTL_MS))
    }
}

/// Whether a row has one of the receipts.
fn is_receipt(receipts: &[String], of_row: &str) -> bool {
    receipt::request(of_row).is_some_and(|receipt| receipts.iter().any(|one| one == receipt))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::models::params::{self, Rules};
    use crate::models::profile::FIELDS;

    #[test]
    fn all_bad_parameters_are_named_at_once() {
        let given = json!({ "user_name": " ", "gender": 9, "birth_day": "x", "phone": "x", "veri_code": "12345",
            "city": ["x"] });
        let rules = Rules::sample();
        let mut fields = Fields::new(given.as_object().unwrap(), &rules);
        let Err(Error::Invalid(invalid)) = params::read::<Applicant>(&mut fields) else { panic!("accepted") };
        let names: Vec<_> = invalid.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["user_name", "gender", "birth_day", "phone", "veri_code", "city"]);
    }

    #[test]
    fn each_thing_that_a_request_says_is_a_part_of_its_receipt() {
        let given = json!({ "user_name": "a", "gender": 1, "birth_day": "1990-01-02", "phone": "13800138000",
            "veri_code": "012345", "city": "310100" });
        let rules = Rules::sample();
        let applicant = params::read::<Applicant>(&mut Fields::new(given.as_object().unwrap(), &rules)).unwrap();
        let said = FIELDS.iter().map(|field| match &given[field.name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        });
        let expected: Vec<_> = said.chain(["+8613800138000", "012345"].map(str::to_owned)).collect();
        assert_eq!(applicant.parts(), expected);
    }
}
