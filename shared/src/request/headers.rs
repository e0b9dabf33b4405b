//! Headers of an event. Their names come in any case, and their values once or as a list.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Those that somebody here asks for. One that came more than once is joined by commas, as HTTP APIs do it.
#[derive(Default)]
pub(crate) struct Headers {
    pub(super) accept_language: Option<String>,
    pub(super) authorization: Option<String>,
    pub(super) cookies: Vec<String>,
    pub(super) forwarded_for: Option<String>,
    pub(super) idempotency_key: Option<String>,
}

/// A value that came once, or a list of them.
#[derive(Default)]
pub(super) struct Lines(pub(super) Vec<String>);

enum Name {
    AcceptLanguage,
    Authorization,
    Cookie,
    ForwardedFor,
    IdempotencyKey,
    Other,
}

impl Name {
    fn of(text: &str) -> Self {
        let is = |name: &str| text.eq_ignore_ascii_case(name);
        match text.len() {
            6 if is("cookie") => Self::Cookie,
            13 if is("authorization") => Self::Authorization,
            15 if is("accept-language") => Self::AcceptLanguage,
            15 if is("idempotency-key") => Self::IdempotencyKey,
            15 if is("x-forwarded-for") => Self::ForwardedFor,
            _ => Self::Other,
        }
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of headers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Headers::default();
                while let Some(name) = map.next_key()? {
                    let place = match name {
                        Name::AcceptLanguage => &mut headers.accept_language,
                        Name::Authorization => &mut headers.authorization,
                        Name::ForwardedFor => &mut headers.forwarded_for,
                        Name::IdempotencyKey => &mut headers.idempotency_key,
                        Name::Cookie => {
                            headers.cookies.extend(map.next_value::<Lines>()?.0);
                            continue;
                        }
                        Name::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    for line in map.next_value::<Lines>()?.0 {
                        match place {
                            None => *place = Some(line),
                            Some(before) => {
                                before.push(',');
                                before.push_str(&line);
                            }
                        }
                    }
                }
                Ok(headers)
            }
        }
        deserializer.deserialize_map(All)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl Visitor<'_> for One {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header's name")
            }

            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                Ok(Name::of(text))
            }
        }
        deserializer.deserialize_str(One)
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Lines;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Lines, E> {
                Ok(Lines(vec![text.to_owned()]))
            }

            fn visit_unit<E>(self) -> Result<Lines, E> {
                Ok(Lines::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Lines, A::Error> {
                let mut lines = Lines::default();
                while let Some(line) = list.next_element()? {
                    lines.0.push(line);
                }
                Ok(lines)
            }
        }
        deserializer.deserialize_any(Any)
    }
}
