//! A change of one row, as the stream of its table tells it.

use serde_json::{Map, Value};

/// Attributes by their names, in the JSON of DynamoDB: `{"phone": {"S": "…"}, "version": {"N": "3"}}`.
pub type Row = Map<String, Value>;

/// One record of a stream. It may come more than once, always with the same id.
pub struct RowChange {
    /// Globally unique.
    pub record_id: String,
    /// Digits; a later change of the same row has a larger number.
    pub sequence: String,
    /// About when it was made, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// When it came here, in the same unit. An event of a stream has no time of its own.
    pub delivered_at_ms: i64,
    /// The row before; `None` for a row that is new.
    pub old: Option<Row>,
    /// The row after; `None` for a row that is gone.
    pub new: Option<Row>,
}

/// A text of a row.
#[must_use]
pub fn text<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name)?.get("S")?.as_str()
}

/// A whole number of a row.
#[must_use]
pub fn number(row: &Row, name: &str) -> Option<i64> {
    row.get(name)?.get("N")?.as_str()?.parse().ok()
}

/// A map of texts of a row, as plain JSON.
#[must_use]
pub fn map(row: &Row, name: &str) -> Option<Value> {
    let members = row.get(name)?.get("M")?.as_object()?;
    let plain = members.iter().filter_map(|(name, value)| Some((name.clone(), value.get("S")?.clone())));
    Some(Value::Object(plain.collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_attribute_is_read_by_its_type() {
        let by = json!({ "M": { "role": { "S": "a" } } });
        let row = json!({ "phone": { "S": "+86" }, "version": { "N": "-3" }, "changed_by": by });
        let row = row.as_object().unwrap();
        assert_eq!((text(row, "phone"), number(row, "version")), (Some("+86"), Some(-3)));
        assert_eq!(map(row, "changed_by"), Some(json!({ "role": "a" })));
        for name in ["phone", "version", "changed_by", "absent"] {
            assert!(name == "phone" || text(row, name).is_none(), "{name}");
            assert!(name == "version" || number(row, name).is_none(), "{name}");
            assert!(name == "changed_by" || map(row, name).is_none(), "{name}");
        }
    }
}
