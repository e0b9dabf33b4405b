//! The members of a JSON object, each read on its own: what stands behind an unknown key is nobody's business.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The members of a body. Of duplicate keys the last counts.
#[derive(Default)]
pub(super) struct Members {
    /// Those that can be read.
    pub(super) values: Map<String, Value>,
    /// Names of those whose value is JSON, and more than a reader can hold: half of a surrogate pair, a number beyond a
    /// double, a nesting without end.
    pub(super) unreadable: BTreeSet<String>,
}

impl Members {
    /// Reads a body; `None` when it is not a JSON object. A byte order mark before it is skipped (RFC 8259, section 8.1).
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        // All of it first: a name that is read as bytes could have any.
        let json: &RawValue = serde_json::from_slice(body).ok()?;
        serde_json::from_str(json.get()).ok()
    }

    fn add(&mut self, name: String, value: &RawValue) {
        if let Ok(value) = serde_json::from_str(value.get()) {
            self.unreadable.remove(&name);
            self.values.insert(name, value);
        } else {
            self.values.remove(&name);
            self.unreadable.insert(name);
        }
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some((Name(name), value)) = map.next_entry::<_, &RawValue>()? {
            if let Some(name) = name {
                members.add(name, value);
            }
        }
        Ok(members)
    }
}

/// The name of a member. One with half of a surrogate pair is no name that anybody knows.
struct Name(Option<String>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // As bytes, because only so a lone surrogate is no error.
        from.deserialize_bytes(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Name, E> {
        Ok(Name(String::from_utf8(name.to_owned()).ok()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &str) -> (Value, Vec<String>) {
        let members = Members::read(body.as_bytes()).unwrap();
        (members.values.into(), members.unreadable.into_iter().collect())
    }

    #[test]
    fn members_are_read_each_on_its_own() {
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        for odd in ["1e400", "-1e999", r#""\ud83d""#, r#"["\udc00"]"#, &deep] {
            let body = format!(r#"{{"a": 1, "odd": {odd}, "b": {{"c": [null]}}}}"#);
            assert_eq!(read(&body), (json!({ "a": 1, "b": { "c": [null] } }), vec!["odd".to_owned()]), "{odd:.20}");
        }
    }

    #[test]
    fn the_last_of_duplicate_keys_counts_whatever_it_is() {
        assert_eq!(read(r#"{"a": 1, "a": 2}"#), (json!({ "a": 2 }), vec![]));
        assert_eq!(read(r#"{"a": 1, "a": 1e400}"#), (json!({}), vec!["a".to_owned()]));
        assert_eq!(read(r#"{"a": 1e400, "a": "1", "\u0061": "2"}"#), (json!({ "a": "2" }), vec![]));
    }

    #[test]
    fn a_name_that_is_no_text_is_nobodys() {
        assert_eq!(read(r#"{"\ud800": 1, "a": 2, "é": 3}"#), (json!({ "a": 2, "é": 3 }), vec![]));
    }

    #[test]
    fn a_byte_order_mark_is_skipped_once() {
        assert_eq!(read("\u{feff}{\"a\": 1}"), (json!({ "a": 1 }), vec![]));
        assert!(Members::read("\u{feff}\u{feff}{}".as_bytes()).is_none());
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        let broken: [&[u8]; 15] = [
            b"",
            b"null",
            b"[]",
            b"\"x\"",
            b"{",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"{\"a\":NaN}",
            b"{\"a\":01}",
            b"{} {}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\n\"}",
            b"{\"a\nb\":1}",
            b"{\"a\xffb\":1}",
            b"{\"\xed\xa0\x80\":1}",
        ];
        for body in broken {
            assert!(Members::read(body).is_none(), "{}", String::from_utf8_lossy(body));
        }
    }
}
