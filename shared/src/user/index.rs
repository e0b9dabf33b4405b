//! The list of users, page by page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Role, User, UserId};
use crate::check::{self, Checked, Field, Fields, Required, Rules};
use crate::clock;
use crate::ctx::Ctx;
use crate::error::{Error, Reason};
use crate::session::Caller;

/// How many users a page has and where it starts.
pub struct PageOf {
    pub(crate) limit: Option<Limit>,
    pub(crate) cursor: Option<Cursor>,
}

impl Checked for PageOf {
    const REQUIRED: Required = Required::Together(&[]);

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let limit = fields.read_optional("limit");
        let cursor = fields.read_optional("cursor");
        Some(Self { limit: limit?, cursor: cursor? })
    }
}

const LIMIT_MAX: u32 = 100;
const LIMIT_DEFAULT: u32 = 20;

pub(crate) struct Limit(pub(crate) u32);

impl Field for Limit {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        let text = check::text_or_integer(value).ok_or(Reason::NotInRange(LIMIT_MAX))?;
        let digits_only = text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
        let limit = text.parse().ok().filter(|limit| digits_only && (1..=LIMIT_MAX).contains(limit));
        limit.map(Self).ok_or(Reason::NotInRange(LIMIT_MAX))
    }
}

/// The last user of a page; the next page has those who registered before.
pub(crate) struct Cursor(pub(crate) UserId);

impl Cursor {
    pub(crate) fn write(last: UserId) -> String {
        URL_SAFE_NO_PAD.encode(last.0.as_bytes())
    }
}

impl Field for Cursor {
    fn parse(value: &Value, _: &Rules) -> Result<Self, Reason> {
        let bytes = value.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(Reason::NotACursor)?;
        Uuid::from_slice(&bytes).map(|id| Self(UserId(id))).map_err(|_| Reason::NotACursor)
    }
}

/// A user as a list shows it. The columns and their order are kept from the old service.
#[derive(Serialize)]
pub struct Row {
    id: UserId,
    create_time: String,
    update_time: Option<String>,
    user_name: String,
    gender: u8,
    birth_day: Option<String>,
    province: String,
    city: String,
    phone: String,
    is_delete: u8,
}

/// One page of users that are not deleted, newest first, and the cursor of the next page.
///
/// # Errors
/// [`Error::Db`].
pub async fn page(ctx: &Ctx, of: PageOf, caller: &Caller) -> Result<(Vec<Row>, Option<String>), Error> {
    let limit = of.limit.map_or(LIMIT_DEFAULT, |limit| limit.0) as usize;
    let before = of.cursor.map(|cursor| cursor.0);
    // One more than asked for tells whether there is a next page.
    let mut users = ctx.store()?.newest_users(ctx.config().user_shards, before, limit + 1).await?;
    let has_more = users.len() > limit;
    users.truncate(limit);
    let next = users.last().filter(|_| has_more).map(|last| Cursor::write(last.id));
    let rows = users.into_iter().map(|user| row(ctx, user, caller.role)).collect();
    Ok((rows, next))
}

fn row(ctx: &Ctx, user: User, viewer: Role) -> Row {
    let zone = &ctx.config().zone;
    let sees_all = viewer == Role::Admin;
    Row {
        id: user.id,
        create_time: clock::display(user.create_time, zone),
        update_time: user.update_time.map(|millis| clock::display(millis, zone)),
        user_name: user.user_name,
        gender: user.gender,
        birth_day: sees_all.then_some(user.birth_day),
        province: user.province,
        city: user.city,
        phone: if sees_all { user.phone.e164().to_owned() } else { user.phone.masked() },
        is_delete: u8::from(user.is_delete),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back(millis in 0_u64..1 << 47) {
            let id = UserId::new(millis, 16).unwrap();
            let cursor = Cursor::parse(&json!(Cursor::write(id)), &Rules::sample()).unwrap();
            prop_assert_eq!(cursor.0, id);
        }

        #[test]
        fn a_limit_is_1_to_100(text in any::<String>()) {
            let limit = Limit::parse(&json!(text), &Rules::sample()).map(|limit| limit.0);
            let expected = text.parse::<u32>().ok().filter(|n| (1..=100).contains(n) && !text.starts_with('+'));
            prop_assert_eq!(limit.ok(), expected);
        }
    }
}
