//! CloudFormation's intrinsic functions, evaluated against parameters and the template's own resources.
//!
//! Source: AWS CloudFormation User Guide, "Intrinsic function reference" and "Pseudo parameters reference".
//! An unknown expression is an error that names its place.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::spec::TemplateError;
use crate::account;

/// Resources may refer to each other; a longer chain is a cycle.
const MAX_DEPTH: usize = 16;

/// Evaluates expressions of one template.
pub(super) struct Resolver<'a> {
    document: &'a Value,
    parameters: BTreeMap<String, String>,
}

impl<'a> Resolver<'a> {
    /// Takes the supplied parameters, the template's defaults for the rest.
    pub(super) fn new(document: &'a Value, supplied: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let mut parameters = BTreeMap::new();
        for (name, declaration) in entries(&document["Parameters"]) {
            let value = match (supplied.get(name), &declaration["Default"]) {
                (Some(value), _) => value.clone(),
                (None, Value::Null) => {
                    return Err(TemplateError::new(format!("Parameters.{name}"), "has no default and got no value"));
                }
                (None, default) => as_text(default, &format!("Parameters.{name}.Default"))?,
            };
            parameters.insert(name.clone(), value);
        }
        Ok(Self { document, parameters })
    }

    /// The value with every expression replaced; `null` where it was `AWS::NoValue`.
    pub(super) fn value(&self, value: &Value, place: &str) -> Result<Value, TemplateError> {
        self.resolve(value, place, 0)
    }

    /// The value as text; numbers and booleans are written out, as CloudFormation does.
    pub(super) fn text(&self, value: &Value, place: &str) -> Result<String, TemplateError> {
        as_text(&self.value(value, place)?, place)
    }

    /// Whether the condition with this name holds.
    pub(super) fn condition(&self, name: &str, place: &str) -> Result<bool, TemplateError> {
        self.named_condition(name, place, 0)
    }

    fn resolve(&self, value: &Value, place: &str, depth: usize) -> Result<Value, TemplateError> {
        if depth > MAX_DEPTH {
            return Err(TemplateError::new(place, "refers to itself"));
        }
        match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.resolve(item, &format!("{place}[{index}]"), depth))
                .filter(|item| !matches!(item, Ok(Value::Null)))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Value::Object(object) => match single_intrinsic(object) {
                Some((name, argument)) => self.intrinsic(name, argument, place, depth + 1),
                None => object
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), self.resolve(item, &format!("{place}.{key}"), depth)?)))
                    .filter(|entry| !matches!(entry, Ok((_, Value::Null))))
                    .collect::<Result<_, _>>()
                    .map(Value::Object),
            },
            other => Ok(other.clone()),
        }
    }

    fn intrinsic(&self, name: &str, argument: &Value, place: &str, depth: usize) -> Result<Value, TemplateError> {
        match (name, argument) {
            ("Ref", Value::String(target)) => self.reference(target, place, depth),
            ("Fn::GetAtt", Value::String(path)) => match path.split_once('.') {
                Some((target, attribute)) => self.attribute(target, attribute, place, depth),
                None => Err(TemplateError::new(place, format!("!GetAtt {path} names no attribute"))),
            },
            ("Fn::GetAtt", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(target), Value::String(attribute)] => self.attribute(target, attribute, place, depth),
                _ => Err(TemplateError::new(place, "!GetAtt takes a resource and an attribute")),
            },
            ("Fn::Sub", Value::String(pattern)) => self.substitute(pattern, &Map::new(), place, depth),
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(pattern), Value::Object(names)] => self.substitute(pattern, names, place, depth),
                _ => Err(TemplateError::new(place, "!Sub takes a text, or a text and a map")),
            },
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(separator), items] => {
                    let items = self.resolve(items, place, depth)?;
                    let texts = items.as_array().into_iter().flatten().map(|item| as_text(item, place));
                    Ok(Value::String(texts.collect::<Result<Vec<_>, _>>()?.join(separator)))
                }
                _ => Err(TemplateError::new(place, "!Join takes a separator and a list")),
            },
            ("Fn::Split", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(separator), text] => {
                    let text = as_text(&self.resolve(text, place, depth)?, place)?;
                    Ok(text.split(separator.as_str()).map(Value::from).collect())
                }
                _ => Err(TemplateError::new(place, "!Split takes a separator and a text")),
            },
            ("Fn::If", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(name), then, otherwise] => {
                    let branch = if self.named_condition(name, place, depth)? { then } else { otherwise };
                    self.resolve(branch, place, depth)
                }
                _ => Err(TemplateError::new(place, "!If takes a condition and two values")),
            },
            _ => Err(TemplateError::new(place, format!("the local emulator cannot evaluate {name} here"))),
        }
    }

    /// `Ref`: a parameter, a pseudo parameter, or what CloudFormation returns for that type of resource.
    fn reference(&self, target: &str, place: &str, depth: usize) -> Result<Value, TemplateError> {
        let text = match target {
            "AWS::NoValue" => return Ok(Value::Null),
            "AWS::Region" => account::REGION.to_owned(),
            "AWS::AccountId" => account::ACCOUNT.to_owned(),
            "AWS::Partition" => account::PARTITION.to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => self.stack_name(),
            "AWS::StackId" => account::arn("cloudformation", &format!("stack/{}/0", self.stack_name())),
            _ => match self.parameters.get(target) {
                Some(value) => value.clone(),
                None => match target.strip_suffix(".Alias") {
                    Some(function) => self.alias(function, place, depth)?,
                    None => self.resource_reference(target, place, depth)?,
                },
            },
        };
        Ok(Value::String(text))
    }

    /// SAM's `!Ref Function.Alias`: the ARN of the alias that `AutoPublishAlias` names.
    fn alias(&self, target: &str, place: &str, depth: usize) -> Result<String, TemplateError> {
        let own = &self.resource(target, place)?["Properties"]["AutoPublishAlias"];
        let alias = if own.is_null() { &self.document["Globals"]["Function"]["AutoPublishAlias"] } else { own };
        let alias = as_text(&self.resolve(alias, place, depth + 1)?, place)?;
        Ok(format!("{}:{alias}", account::function_arn(&self.physical_name(target, "FunctionName", place, depth)?)))
    }

    fn stack_name(&self) -> String {
        self.parameters.get("Stage").map_or_else(|| "stage".to_owned(), Clone::clone)
    }

    fn resource(&self, target: &str, place: &str) -> Result<&'a Value, TemplateError> {
        match &self.document["Resources"][target] {
            Value::Null => Err(TemplateError::new(place, format!("no parameter or resource is named {target}"))),
            resource => Ok(resource),
        }
    }

    fn resource_reference(&self, target: &str, place: &str, depth: usize) -> Result<String, TemplateError> {
        let name = |property: &str| self.physical_name(target, property, place, depth);
        match self.resource(target, place)?["Type"].as_str() {
            Some("AWS::DynamoDB::Table") => name("TableName"),
            Some("AWS::Serverless::Function" | "AWS::Lambda::Function") => name("FunctionName"),
            Some("AWS::SecretsManager::Secret") => Ok(account::secret_arn(&name("Name")?)),
            Some("AWS::SQS::Queue") => Ok(account::queue_url(&name("QueueName")?)),
            _ => Ok(target.to_owned()),
        }
    }

    /// A resource's own name, else the logical one after the stack's, as CloudFormation makes names.
    fn physical_name(&self, target: &str, property: &str, place: &str, depth: usize) -> Result<String, TemplateError> {
        match &self.resource(target, place)?["Properties"][property] {
            Value::Null => Ok(format!("{}-{target}", self.stack_name())),
            name => {
                let place = format!("Resources.{target}.Properties.{property}");
                as_text(&self.resolve(name, &place, depth + 1)?, &place)
            }
        }
    }

    fn attribute(&self, target: &str, attribute: &str, place: &str, depth: usize) -> Result<Value, TemplateError> {
        let name = |property: &str| self.physical_name(target, property, place, depth);
        let kind = self.resource(target, place)?["Type"].as_str();
        let text = match (kind, attribute) {
            (Some("AWS::DynamoDB::Table"), "Arn") => account::arn("dynamodb", &format!("table/{}", name("TableName")?)),
            (Some("AWS::DynamoDB::Table"), "StreamArn") => {
                account::arn("dynamodb", &format!("table/{}/stream/local", name("TableName")?))
            }
            (Some("AWS::Serverless::Function" | "AWS::Lambda::Function"), "Arn") => {
                account::function_arn(&name("FunctionName")?)
            }
            (Some("AWS::SecretsManager::Secret"), "Id") => account::secret_arn(&name("Name")?),
            (Some("AWS::SQS::Queue"), "Arn") => account::arn("sqs", &name("QueueName")?),
            _ => {
                let problem = format!("the local emulator does not know the attribute {target}.{attribute}");
                return Err(TemplateError::new(place, problem));
            }
        };
        Ok(Value::String(text))
    }

    /// `Fn::Sub`: `${Name}`, `${Resource.Attribute}`; `${!Literal}` stays as `${Literal}`.
    fn substitute(
        &self,
        pattern: &str,
        names: &Map<String, Value>,
        place: &str,
        depth: usize,
    ) -> Result<Value, TemplateError> {
        let mut text = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("${") {
            text.push_str(before);
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| TemplateError::new(place, format!("`${{` without `}}`: {pattern}")))?;
            if let Some(literal) = name.strip_prefix('!') {
                text.push_str("${");
                text.push_str(literal);
                text.push('}');
            } else {
                let value = match (names.get(name), name.split_once('.')) {
                    (Some(value), _) => self.resolve(value, place, depth)?,
                    (None, Some((target, attribute))) => self.attribute(target, attribute, place, depth)?,
                    (None, None) => self.reference(name, place, depth)?,
                };
                text.push_str(&as_text(&value, place)?);
            }
            rest = after;
        }
        text.push_str(rest);
        Ok(Value::String(text))
    }

    fn named_condition(&self, name: &str, place: &str, depth: usize) -> Result<bool, TemplateError> {
        match &self.document["Conditions"][name] {
            Value::Null => Err(TemplateError::new(place, format!("no condition is named {name}"))),
            expression => self.holds(expression, &format!("Conditions.{name}"), depth + 1),
        }
    }

    fn holds(&self, expression: &Value, place: &str, depth: usize) -> Result<bool, TemplateError> {
        if depth > MAX_DEPTH {
            return Err(TemplateError::new(place, "refers to itself"));
        }
        let Some((name, argument)) = expression.as_object().and_then(single_intrinsic) else {
            return Err(TemplateError::new(place, "is not a condition"));
        };
        let parts = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (name, parts) {
            ("Condition", _) => self.named_condition(&as_text(argument, place)?, place, depth),
            ("Fn::Equals", [left, right]) => {
                Ok(self.resolve(left, place, depth)? == self.resolve(right, place, depth)?)
            }
            ("Fn::Not", [inner]) => Ok(!self.holds(inner, place, depth + 1)?),
            ("Fn::And", [_, ..]) => {
                parts.iter().try_fold(true, |all, part| Ok(all & self.holds(part, place, depth + 1)?))
            }
            ("Fn::Or", [_, ..]) => {
                parts.iter().try_fold(false, |any, part| Ok(any | self.holds(part, place, depth + 1)?))
            }
            _ => Err(TemplateError::new(place, format!("the local emulator cannot evaluate {name} here"))),
        }
    }
}

/// The entries of an object, none for anything else.
pub(super) fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn single_intrinsic(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = object.iter();
    match (entries.next(), entries.next()) {
        (Some((name, argument)), None) if name == "Ref" || name == "Condition" || name.starts_with("Fn::") => {
            Some((name, argument))
        }
        _ => None,
    }
}

fn as_text(value: &Value, place: &str) -> Result<String, TemplateError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        _ => Err(TemplateError::new(place, "should be a text")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::Resolver;

    fn document() -> Value {
        json!({
            "Parameters": {"Stage": {"Type": "String"}, "Size": {"Type": "Number", "Default": 3}},
            "Conditions": {
                "IsTest": {"Fn::Equals": [{"Ref": "Stage"}, "test"]},
                "IsOther": {"Fn::Not": [{"Condition": "IsTest"}]},
            },
            "Resources": {
                "Users": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": {"Fn::Sub": "b-${Stage}-u"}}},
                "Key": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "b/key"}},
                "Loop": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": {"Ref": "Loop"}}},
            },
        })
    }

    fn text(expression: &Value) -> Result<String, String> {
        let document = document();
        let supplied = BTreeMap::from([("Stage".to_owned(), "test".to_owned())]);
        let resolver = Resolver::new(&document, &supplied).map_err(|error| error.to_string())?;
        resolver.text(expression, "here").map_err(|error| error.to_string())
    }

    #[test]
    fn references_are_parameters_then_resources() {
        assert_eq!(text(&json!({"Ref": "Stage"})).unwrap(), "test");
        assert_eq!(text(&json!({"Ref": "Size"})).unwrap(), "3");
        assert_eq!(text(&json!({"Ref": "Users"})).unwrap(), "b-test-u");
        assert!(text(&json!({"Ref": "Key"})).unwrap().starts_with("arn:aws:secretsmanager:"));
    }

    #[test]
    fn sub_takes_names_attributes_and_literals() {
        let all = json!({"Fn::Sub": ["${a}/${Users.Arn}/${AWS::Region}/${!kept}", {"a": {"Ref": "Size"}}]});
        assert_eq!(text(&all).unwrap(), "3/arn:aws:dynamodb:us-east-1:000000000000:table/b-test-u/us-east-1/${kept}");
    }

    #[test]
    fn only_the_branch_that_holds_is_evaluated() {
        assert_eq!(text(&json!({"Fn::If": ["IsTest", "yes", {"Ref": "Nothing"}]})).unwrap(), "yes");
        assert_eq!(text(&json!({"Fn::If": ["IsOther", {"Ref": "Nothing"}, "no"]})).unwrap(), "no");
    }

    #[test]
    fn errors_name_the_place() {
        assert_eq!(text(&json!({"Ref": "Nothing"})).unwrap_err(), "here: no parameter or resource is named Nothing");
        assert!(text(&json!({"Ref": "Loop"})).unwrap_err().contains("refers to itself"));
        assert!(text(&json!({"Fn::Base64": "x"})).unwrap_err().contains("cannot evaluate Fn::Base64"));
    }
}
