//! `GET api`: `docs/openapi.yaml` as JSON, with everything in the order in which it is written. `?lang=zh` answers
//! `docs/openapi.zh.yaml`, the overlay that translates it.

use std::fs;

use axum::extract::State;
use http::StatusCode;
use saphyr::{LoadableYamlNode, ScalarOwned, YamlOwned};
use serde::{Serialize, Serializer};

use super::request::{ApiError, App, Query};
use crate::server::{self, Reply};

pub(super) async fn answer(State(app): App, query: Query) -> Result<Reply, ApiError> {
    let name = match query.get("lang").as_deref() {
        None | Some("en") => "docs/openapi.yaml",
        Some("zh") => "docs/openapi.zh.yaml",
        Some(_) => return Err(ApiError::bad("lang is en or zh")),
    };
    let text = fs::read_to_string(app.options.root.join(name));
    let text = text.map_err(|_| ApiError::Unknown(format!("there is no {name}")))?;
    let documents = YamlOwned::load_from_str(&text).map_err(|error| ApiError::Bad(format!("{name}: {error}")))?;
    let document = documents.first().ok_or_else(|| ApiError::Unknown(format!("{name} is empty")))?;
    Ok(server::json_of(StatusCode::OK, &Json(document)))
}

/// Written as JSON; what JSON has no word for is null.
struct Json<'a>(&'a YamlOwned);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            YamlOwned::Value(ScalarOwned::Boolean(value)) => to.serialize_bool(*value),
            YamlOwned::Value(ScalarOwned::Integer(value)) => to.serialize_i64(*value),
            YamlOwned::Value(ScalarOwned::FloatingPoint(value)) => to.serialize_f64(value.into_inner()),
            YamlOwned::Value(ScalarOwned::String(text)) | YamlOwned::Representation(text, ..) => to.serialize_str(text),
            YamlOwned::Sequence(items) => to.collect_seq(items.iter().map(Json)),
            YamlOwned::Mapping(entries) => to.collect_map(entries.iter().map(|(key, value)| (name(key), Json(value)))),
            YamlOwned::Tagged(_, inner) => Json(inner).serialize(to),
            YamlOwned::Value(ScalarOwned::Null) | YamlOwned::Alias(_) | YamlOwned::BadValue => to.serialize_unit(),
        }
    }
}

/// A key as JSON has it: `"200"` for a number too.
fn name(key: &YamlOwned) -> String {
    match key {
        YamlOwned::Value(ScalarOwned::Integer(number)) => number.to_string(),
        YamlOwned::Value(ScalarOwned::String(text)) => text.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use saphyr::{LoadableYamlNode, YamlOwned};

    use super::Json;

    #[test]
    fn yaml_keeps_its_order_and_what_is_named_once_is_there_twice() {
        let text = "z: &headers { b: 1, a: ~ }\na: *headers\n200: [yes, true, 0.5, \"x\"]\n";
        let documents = YamlOwned::load_from_str(text).unwrap();
        let json = serde_json::to_string(&Json(&documents[0])).unwrap();
        assert_eq!(json, r#"{"z":{"b":1,"a":null},"a":{"b":1,"a":null},"200":["yes",true,0.5,"x"]}"#);
    }
}
