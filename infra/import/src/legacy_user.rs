//! A row of `t_user`, read by the rules of the service: `models/profile.rs` for the profile, `models/phone` for the phone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use shared::error::Error;
use shared::http::explain;
use shared::models::changed_by::ChangedBy;
use shared::models::language::Language;
use shared::models::params::{self, Fields, Params, Required, Rules};
use shared::models::phone::Phone;
use shared::models::profile::Profile;
use shared::models::role::Role;
use shared::models::user::{User, UserId};

use crate::table::{COLUMNS, Row};

/// What reading a row needs to know about the stage and the day.
pub(crate) struct Reader {
    pub(crate) rules: Rules,
    /// The time zone of the stage, in which `t_user` has its times.
    pub(crate) zone: TimeZone,
    pub(crate) now: Timestamp,
}

/// A good row.
pub(crate) struct LegacyUser {
    /// Its `id` in `t_user`.
    pub(crate) id: u64,
    pub(crate) phone: Phone,
    profile: Profile,
    create_time: Timestamp,
    update_time: Option<Timestamp>,
}

/// The profile and the phone, as `register` reads them.
struct Person {
    profile: Profile,
    phone: Phone,
}

impl Params for Person {
    fn required() -> Required {
        Required::Together(Profile::required().chain(["phone"]).collect())
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let mut profile = Profile::default();
        let has_required = profile.read(fields, true);
        let phone = fields.read("phone");
        let has_optional = profile.read(fields, false);
        (has_required && has_optional).then_some(())?;
        Some(Self { profile, phone: phone? })
    }
}

impl Reader {
    /// Reads a row. `None` is one of a user who was deleted.
    ///
    /// # Errors
    /// All that is wrong with it. No value is quoted: the report is no place for personal data.
    pub(crate) fn read(&self, row: Row) -> Result<Option<LegacyUser>, String> {
        let [id, create_time, update_time, .., is_delete] = &row;
        match is_delete.as_str() {
            "0" => {}
            "1" => return Ok(None),
            _ => return Err("is_delete must be 0 or 1".to_owned()),
        }
        let mut faults = Vec::new();
        let id = id.parse().ok().filter(|id| *id > 0);
        if id.is_none() {
            faults.push("id must be a whole number".to_owned());
        }
        let create_time = self.moment("create_time", create_time, &mut faults);
        let update_time =
            Some(update_time).filter(|text| !text.is_empty()).map(|text| self.moment("update_time", text, &mut faults));
        // Columns that are no parameters do not matter to it.
        let given: Map<_, _> =
            COLUMNS.into_iter().zip(row).map(|(name, text)| (name.to_owned(), Value::String(text))).collect();
        match params::read::<Person>(&mut Fields::new(&given, &self.rules)) {
            Ok(Person { profile, phone }) => {
                if let (Some(id), Some(create_time), true) = (id, create_time, faults.is_empty()) {
                    return Ok(Some(LegacyUser {
                        id,
                        phone,
                        profile,
                        create_time,
                        update_time: update_time.flatten(),
                    }));
                }
            }
            Err(Error::Missing(names)) => faults.extend(names.into_iter().map(|name| format!("{name} is empty"))),
            Err(Error::Invalid(fields)) => faults.extend(
                fields.into_iter().map(|(name, reason)| format!("{name} {}", explain(reason, Language::English))),
            ),
            Err(other) => faults.push(other.to_string()),
        }
        Err(faults.join("; "))
    }

    fn moment(&self, name: &str, text: &str, faults: &mut Vec<String>) -> Option<Timestamp> {
        // With or without a part of a second.
        let time: Option<DateTime> = text.get(10..11).filter(|between| *between == " ").and_then(|_| text.parse().ok());
        let at = time.and_then(|time| time.to_zoned(self.zone.clone()).ok()).map(|time| time.timestamp());
        let at = at.filter(|at| (Timestamp::UNIX_EPOCH..=self.now).contains(at));
        if at.is_none() {
            faults.push(format!("{name} must be a time of the past as YYYY-MM-DD HH:MM:SS"));
        }
        at
    }
}

impl LegacyUser {
    /// The user that it becomes. The id is a new one of the time when the user registered, so that lists keep their order.
    ///
    /// # Errors
    /// [`Error::Internal`] when the system has no randomness to give.
    pub(crate) fn into_user(self, shards: u8, request_id: &str) -> Result<User, Error> {
        let millis = self.create_time.as_millisecond();
        Ok(User {
            id: UserId::new(u64::try_from(millis).unwrap_or_default(), shards)?,
            phone: self.phone,
            role: Role::User,
            profile: self.profile,
            legacy_id: Some(self.id),
            create_time: millis,
            update_time: self.update_time.map(Timestamp::as_millisecond),
            is_delete: false,
            delete_time: None,
            deleted_by_admin: false,
            is_disabled: false,
            epoch: 0,
            receipt: String::new(),
            version: 1,
            changed_by: Some(ChangedBy {
                user_id: None,
                role: "operator".to_owned(),
                credential: "operator".to_owned(),
                request_id: request_id.to_owned(),
            }),
        })
    }
}
