//! How DynamoDB writes values, and what its operations take and give, as far as this service uses it. Names are those of
//! the Amazon DynamoDB API Reference.

use serde::{Deserialize, Serialize, Serializer};

/// A string.
#[derive(Serialize, Deserialize, Clone, Copy, Default)]
pub(super) struct S<T> {
    #[serde(rename = "S")]
    pub(super) text: T,
}

/// A number. DynamoDB writes it as a string, so that none is ever rounded.
#[derive(Serialize, Deserialize, Clone, Copy)]
pub(super) struct N {
    #[serde(rename = "N", with = "decimal")]
    pub(super) number: i64,
}

/// One of the two.
#[derive(Serialize, Clone, Copy)]
#[serde(untagged)]
pub(super) enum Value<'a> {
    S(S<&'a str>),
    N(N),
}

/// Attributes by their names: a key, or what the places of an expression stand for.
#[derive(Clone, Copy)]
pub(super) struct Named<'a>(pub(super) &'a [(&'a str, Value<'a>)]);

pub(super) fn s<T>(text: T) -> S<T> {
    S { text }
}

pub(super) fn n(number: impl Into<i64>) -> N {
    N { number: number.into() }
}

/// Milliseconds and seconds since 1970, and counts.
pub(super) fn natural(number: u64) -> N {
    n(i64::try_from(number).unwrap_or(i64::MAX))
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::S(s(text))
    }
}

impl From<N> for Value<'_> {
    fn from(number: N) -> Self {
        Self::N(number)
    }
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(number: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        String::deserialize(from)?.parse().map_err(|_| de::Error::custom("not a whole number"))
    }
}

/// What an operation does, and on what.
#[derive(Clone, Copy)]
pub(super) enum Operation {
    GetItem,
    PutItem,
    UpdateItem,
    DeleteItem,
    Query,
    Scan,
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GetItem => "GetItem",
            Self::PutItem => "PutItem",
            Self::UpdateItem => "UpdateItem",
            Self::DeleteItem => "DeleteItem",
            Self::Query => "Query",
            Self::Scan => "Scan",
        }
    }

    pub(super) fn is_read(self) -> bool {
        matches!(self, Self::GetItem | Self::Query | Self::Scan)
    }
}

/// The parameters of an operation. What is `None` is not sent.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Ask<'a, I = ()> {
    pub(super) table_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<I>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) consistent_read: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key_condition_expression: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter_expression: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) condition_expression: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) update_expression: Option<&'a str>,
    /// `#shard` is the attribute `shard`, whose name is a word of the language of expressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expression_attribute_names: Option<ShardName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expression_attribute_values: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exclusive_start_key: Option<&'a serde_json::value::RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scan_index_forward: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) select: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) return_values_on_condition_check_failure: Option<&'a str>,
    /// Asked of every operation: each tells the log what it cost.
    pub(super) return_consumed_capacity: &'static str,
}

/// `{"#shard": "shard"}`
#[derive(Serialize)]
pub(super) struct ShardName {
    #[serde(rename = "#shard")]
    shard: &'static str,
}

pub(super) const SHARD_NAME: Option<ShardName> = Some(ShardName { shard: "shard" });

/// For `return_values_on_condition_check_failure`: the item that is in the way.
pub(super) const ALL_OLD: Option<&str> = Some("ALL_OLD");

impl<'a, I> Ask<'a, I> {
    /// Nothing but the table.
    pub(super) const fn of(table_name: &'a str) -> Self {
        Self {
            table_name,
            index_name: None,
            key: None,
            item: None,
            consistent_read: None,
            key_condition_expression: None,
            filter_expression: None,
            condition_expression: None,
            update_expression: None,
            expression_attribute_names: None,
            expression_attribute_values: None,
            exclusive_start_key: None,
            scan_index_forward: None,
            limit: None,
            select: None,
            return_values_on_condition_check_failure: None,
            // The sum of table and indexes.
            return_consumed_capacity: "TOTAL",
        }
    }
}

/// What an operation gives, with items of the kind `I`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Found<I> {
    pub(super) item: Option<I>,
    #[serde(default = "Vec::new")]
    pub(super) items: Vec<I>,
    #[serde(default)]
    pub(super) count: u64,
    /// Where to go on, if there is more.
    pub(super) last_evaluated_key: Option<Box<serde_json::value::RawValue>>,
    pub(super) consumed_capacity: Option<Consumed>,
}

/// What was paid.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Consumed {
    pub(super) capacity_units: f64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_written_as_dynamodb_reads_them() {
        let key = [("phone", "+8613800138000".into())];
        let ask = Ask::<()> { key: Some(Named(&key)), consistent_read: Some(true), ..Ask::of("users") };
        let expected = json!({
            "TableName": "users",
            "Key": { "phone": { "S": "+8613800138000" } },
            "ConsistentRead": true,
            "ReturnConsumedCapacity": "TOTAL",
        });
        assert_eq!(serde_json::to_value(ask).unwrap(), expected);
        let values = [(":until", natural(u64::MAX).into()), (":shard", n(0).into())];
        let expected = json!({ ":until": { "N": "9223372036854775807" }, ":shard": { "N": "0" } });
        assert_eq!(serde_json::to_value(Named(&values)).unwrap(), expected);
    }

    #[test]
    fn a_number_that_is_none_is_refused() {
        for text in [r#"{"N":"1.5"}"#, r#"{"N":"x"}"#, r#"{"N":1}"#, r#"{"S":"1"}"#, "{}"] {
            assert!(serde_json::from_str::<N>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<N>(r#"{"N":"-7"}"#).unwrap().number, -7);
    }
}
