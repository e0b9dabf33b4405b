//! Attributes and items, in the SDK's types.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Cause, Error};

/// Attributes by their names.
pub(super) type Item = HashMap<String, AttributeValue>;

/// A string.
pub(super) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number, which DynamoDB writes as a string, so that none is ever rounded.
#[expect(clippy::needless_pass_by_value, reason = "a number is passed by value")]
pub(super) fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Writes an item.
pub(super) fn to_item(value: impl Serialize) -> Result<Item, Error> {
    // The library's sentences quote values, here and below.
    serde_dynamo::to_item(value).map_err(|_| Error::Internal(Cause::new("an item that cannot be written")))
}

/// Reads an item.
///
/// # Errors
/// [`Error::Internal`] for one without what this service always writes.
pub(super) fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item).map_err(|_| incomplete())
}

pub(super) fn incomplete() -> Error {
    Error::Internal(Cause::new("an item without what this service always writes"))
}
