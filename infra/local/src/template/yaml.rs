//! CloudFormation YAML as JSON: the short tags (`!Ref`, `!Sub`) become the long form (`Fn::Sub`).

use saphyr::{LoadableYamlNode, ScalarOwned, YamlOwned};
use serde_json::{Map, Value};

use super::spec::TemplateError;

/// Reads the first document of `text`.
pub(super) fn parse(text: &str) -> Result<Value, TemplateError> {
    let documents = YamlOwned::load_from_str(text).map_err(|error| TemplateError {
        place: format!("line {}", error.marker().line()),
        problem: error.info().to_owned(),
    })?;
    let document = documents.into_iter().next().ok_or_else(|| TemplateError::new("line 1", "the file is empty"))?;
    to_json(document, "template")
}

fn to_json(node: YamlOwned, place: &str) -> Result<Value, TemplateError> {
    match node {
        YamlOwned::Value(scalar) => Ok(scalar_to_json(scalar)),
        YamlOwned::Sequence(items) => {
            items.into_iter().map(|item| to_json(item, place)).collect::<Result<_, _>>().map(Value::Array)
        }
        YamlOwned::Mapping(entries) => {
            let mut object = Map::with_capacity(entries.len());
            for (key, value) in entries {
                let key = match key {
                    YamlOwned::Value(ScalarOwned::String(text)) => text,
                    YamlOwned::Value(ScalarOwned::Integer(number)) => number.to_string(),
                    _ => return Err(TemplateError::new(place, "a key is not text")),
                };
                let value = to_json(value, &format!("{place}.{key}"))?;
                object.insert(key, value);
            }
            Ok(Value::Object(object))
        }
        YamlOwned::Tagged(tag, inner) if tag.handle == "!" => {
            let name = match tag.suffix.as_str() {
                "Ref" | "Condition" => tag.suffix,
                other => format!("Fn::{other}"),
            };
            let mut object = Map::new();
            object.insert(name, to_json(*inner, place)?);
            Ok(Value::Object(object))
        }
        YamlOwned::Tagged(_, inner) => to_json(*inner, place),
        YamlOwned::Representation(text, ..) => Ok(Value::String(text)),
        YamlOwned::Alias(_) | YamlOwned::BadValue => Err(TemplateError::new(place, "not a value that can be read")),
    }
}

fn scalar_to_json(scalar: ScalarOwned) -> Value {
    match scalar {
        ScalarOwned::Null => Value::Null,
        ScalarOwned::Boolean(value) => Value::Bool(value),
        ScalarOwned::Integer(value) => value.into(),
        ScalarOwned::FloatingPoint(value) => value.into_inner().into(),
        ScalarOwned::String(value) => Value::String(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse;

    #[test]
    fn short_tags_become_the_long_form() {
        let document = parse("a: !Ref X\nb: !Sub [\"x${y}\", {y: 1}]\nc: [!GetAtt A.Arn, true, ~, 5]\n").unwrap();
        assert_eq!(
            document,
            json!({
                "a": {"Ref": "X"},
                "b": {"Fn::Sub": ["x${y}", {"y": 1}]},
                "c": [{"Fn::GetAtt": "A.Arn"}, true, null, 5],
            })
        );
    }

    #[test]
    fn broken_yaml_names_its_line() {
        let error = parse("a: 1\nb: [\n").unwrap_err();
        assert!(error.place.starts_with("line "), "{error}");
    }
}
