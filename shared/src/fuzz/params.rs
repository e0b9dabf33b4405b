//! The parameters of every route.

use crate::accounts::list::PageRequest;
use crate::accounts::login::Attempt;
use crate::accounts::register::Applicant;
use crate::error::Error;
use crate::http::Request;
use crate::verification::Recipient;

/// Reads a request as each of them.
pub(super) fn read_all(request: &Request) -> [Result<(), Error>; 4] {
    [
        request.params::<Recipient>().map(drop),
        request.params::<Applicant>().map(drop),
        request.params::<Attempt>().map(drop),
        request.query_params::<PageRequest>().map(drop),
    ]
}
