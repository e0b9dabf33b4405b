//! Values of headers as text.

use std::borrow::Cow;

use ::http::{HeaderMap, HeaderName};

/// Each line of a header. Events are JSON, so a value that is no UTF-8 does not come.
pub(super) fn lines(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).into_iter().filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
}

/// The value of a header. One that came more than once is joined by commas, as HTTP APIs do it.
pub(crate) fn joined(headers: &HeaderMap, name: HeaderName) -> Option<Cow<'_, str>> {
    let mut lines = lines(headers, name);
    let mut value = Cow::Borrowed(lines.next()?);
    for line in lines {
        let value = value.to_mut();
        value.push(',');
        value.push_str(line);
    }
    Some(value)
}
