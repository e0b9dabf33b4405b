//! A user as replies show it.

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::clock;
use crate::models::profile::Seen;
use crate::models::role::Role;
use crate::models::user::{User, UserId, UserState};

/// A user of a list. The columns and their order are those of the old service; the profile's columns follow from its table.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    id: UserId,
    create_time: String,
    update_time: Option<String>,
    #[serde(flatten)]
    profile: Seen<'a>,
    phone: String,
    is_delete: u8,
}

impl<'a> Row<'a> {
    /// The user as somebody with the role `viewer` sees it.
    pub(super) fn of(user: &'a User, viewer: Role, zone: &TimeZone) -> Self {
        let time = |millis| clock::display(millis, zone);
        Self {
            id: user.id,
            create_time: time(user.create_time),
            update_time: user.update_time.map(time),
            profile: user.profile.seen_by(viewer),
            phone: if viewer == Role::Admin { user.phone.e164().to_owned() } else { user.phone.hidden() },
            is_delete: u8::from(user.is_delete),
        }
    }
}

/// A user as it sees itself.
pub struct OwnUser {
    user: User,
    zone: TimeZone,
}

impl OwnUser {
    pub(super) fn new(user: User, zone: &TimeZone) -> Self {
        Self { user, zone: zone.clone() }
    }
}

impl Serialize for OwnUser {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            row: Row<'a>,
            role: Role,
            #[serde(skip_serializing_if = "Option::is_none")]
            legacy_id: Option<u64>,
        }
        let Self { user, zone } = self;
        let row = Row::of(user, Role::Admin, zone);
        Whole { row, role: user.role, legacy_id: user.legacy_id }.serialize(to)
    }
}

/// A user as an admin sees it who looks at it alone.
pub struct WholeUser {
    user: User,
    zone: TimeZone,
}

impl WholeUser {
    pub(super) fn new(user: User, zone: &TimeZone) -> Self {
        Self { user, zone: zone.clone() }
    }
}

impl Serialize for WholeUser {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            row: Row<'a>,
            role: Role,
            state: UserState,
            is_disabled: u8,
            delete_time: Option<String>,
            deleted_by_admin: u8,
            #[serde(skip_serializing_if = "Option::is_none")]
            legacy_id: Option<u64>,
        }
        let Self { user, zone } = self;
        let whole = Whole {
            row: Row::of(user, Role::Admin, zone),
            role: user.role,
            state: user.state(),
            is_disabled: u8::from(user.is_disabled),
            delete_time: user.delete_time.map(|millis| clock::display(millis, zone)),
            deleted_by_admin: u8::from(user.deleted_by_admin),
            legacy_id: user.legacy_id,
        };
        whole.serialize(to)
    }
}
