//! The parameters of every route.

use crate::accounts::admin::{UserChange, Wanted};
use crate::accounts::audit_log::AuditRequest;
use crate::accounts::deletion::Confirmation;
use crate::accounts::list::PageRequest;
use crate::accounts::login::Attempt;
use crate::accounts::own_sessions::Ended;
use crate::accounts::phone_change::NewPhone;
use crate::accounts::register::Applicant;
use crate::error::Error;
use crate::http::Request;
use crate::models::profile::ProfileChange;
use crate::verification::Recipient;

/// Reads a request as each of them.
pub(super) fn read_all(request: &Request) -> [Result<(), Error>; 11] {
    [
        request.params::<Recipient>().map(drop),
        request.params::<Applicant>().map(drop),
        request.params::<Attempt>().map(drop),
        request.query_params::<PageRequest>().map(drop),
        request.params::<ProfileChange>().map(drop),
        request.params::<Ended>().map(drop),
        request.query_params::<Wanted>().map(drop),
        request.params::<UserChange>().map(drop),
        request.query_params::<AuditRequest>().map(drop),
        request.params::<NewPhone>().map(drop),
        request.params::<Confirmation>().map(drop),
    ]
}
