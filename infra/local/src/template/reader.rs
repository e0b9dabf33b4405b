//! One resource of the template as a specification: properties read, merged with `Globals` and resolved.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::resolve::{Resolver, entries};
use super::{FunctionSpec, RouteKey, SecretSpec, SecretValue, TableSpec, TemplateError};

/// Reads the properties of one resource.
pub(super) struct Reader<'a> {
    pub(super) resolver: &'a Resolver<'a>,
    pub(super) properties: &'a Value,
    /// Where the resource stands in the template.
    pub(super) place: String,
}

impl Reader<'_> {
    pub(super) fn function(&self, globals: &Value) -> Result<FunctionSpec, TemplateError> {
        let code = self.required_text("CodeUri")?;
        let binary = code.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        if binary.is_empty() {
            return Err(self.error("CodeUri", "names no folder"));
        }
        let mut environment = BTreeMap::new();
        for (source, place) in [(globals, "Globals.Function".to_owned()), (self.properties, self.of("Properties"))] {
            for (name, value) in entries(&source["Environment"]["Variables"]) {
                let place = format!("{place}.Environment.Variables.{name}");
                environment.insert(name.clone(), self.resolver.text(value, &place)?);
            }
        }
        Ok(FunctionSpec {
            name: self.required_text("FunctionName")?,
            binary,
            handler: self.text_or(globals, "Handler", "bootstrap")?,
            memory_mb: self.number_or(globals, "MemorySize", 128)?,
            timeout: Duration::from_secs(self.number_or(globals, "Timeout", 3)?),
            max_retries: self.max_retries(globals)?,
            concurrency: match self.number_or(globals, "ReservedConcurrentExecutions", 0)? {
                0 => None,
                limit => Some(usize::try_from(limit).unwrap_or(usize::MAX)),
            },
            environment,
            routes: self.routes()?,
        })
    }

    fn max_retries(&self, globals: &Value) -> Result<u32, TemplateError> {
        let own = &self.properties["EventInvokeConfig"]["MaximumRetryAttempts"];
        let config = if own.is_null() { &globals["EventInvokeConfig"]["MaximumRetryAttempts"] } else { own };
        match self.resolver.value(config, &self.place)? {
            Value::Null => Ok(2),
            value => match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
                Some(count @ 0..=2) => Ok(count),
                _ => Err(self.error("EventInvokeConfig.MaximumRetryAttempts", "should be 0, 1 or 2")),
            },
        }
    }

    fn routes(&self) -> Result<Vec<RouteKey>, TemplateError> {
        let mut routes = Vec::new();
        for (name, event) in entries(&self.properties["Events"]) {
            if event["Type"] != "HttpApi" {
                continue;
            }
            let place = self.of(&format!("Properties.Events.{name}"));
            let property = |key: &str| match &event["Properties"][key] {
                Value::Null => Ok(None),
                value => self.resolver.text(value, &format!("{place}.Properties.{key}")).map(Some),
            };
            routes.push(match (property("Method")?, property("Path")?) {
                (None, None) => RouteKey::Default,
                (Some(method), Some(path)) if path.starts_with('/') => {
                    let method = method.to_ascii_uppercase();
                    // SAM's spelling of "any method".
                    RouteKey::Path { method: if method == "*" { "ANY".to_owned() } else { method }, path }
                }
                (_, Some(path)) if path == "$default" => RouteKey::Default,
                _ => {
                    return Err(TemplateError::new(place, "needs both Method and a Path from /, or neither"));
                }
            });
        }
        Ok(routes)
    }

    pub(super) fn table(&self, id: &str) -> Result<TableSpec, TemplateError> {
        let name = self.text_or(&Value::Null, "TableName", id)?;
        let mut create = Map::new();
        create.insert("TableName".to_owned(), Value::String(name.clone()));
        for key in [
            "AttributeDefinitions",
            "KeySchema",
            "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes",
            "BillingMode",
            "ProvisionedThroughput",
        ] {
            let value = self.property(key)?;
            if !value.is_null() {
                create.insert(key.to_owned(), value);
            }
        }
        let ttl = self.property("TimeToLiveSpecification")?;
        let ttl_attribute = match (&ttl["Enabled"], &ttl["AttributeName"]) {
            (Value::Bool(true), Value::String(attribute)) => Some(attribute.clone()),
            _ => None,
        };
        Ok(TableSpec { name, create: Value::Object(create), ttl_attribute })
    }

    pub(super) fn secret(&self, id: &str) -> Result<SecretSpec, TemplateError> {
        let value = match (self.property("SecretString")?, self.property("GenerateSecretString")?) {
            (Value::String(text), _) => SecretValue::Given(text),
            (_, Value::Null) => SecretValue::Generated(Value::Object(Map::new())),
            (_, generate) => SecretValue::Generated(generate),
        };
        Ok(SecretSpec { name: self.text_or(&Value::Null, "Name", id)?, value })
    }

    pub(super) fn property(&self, key: &str) -> Result<Value, TemplateError> {
        self.resolver.value(&self.properties[key], &self.of(&format!("Properties.{key}")))
    }

    fn with_globals(&self, globals: &Value, key: &str) -> Result<Value, TemplateError> {
        match self.property(key)? {
            Value::Null => self.resolver.value(&globals[key], &format!("Globals.Function.{key}")),
            value => Ok(value),
        }
    }

    pub(super) fn required_text(&self, key: &str) -> Result<String, TemplateError> {
        match self.property(key)? {
            Value::String(text) => Ok(text),
            Value::Null => Err(self.error(key, "is missing")),
            _ => Err(self.error(key, "should be a text")),
        }
    }

    pub(super) fn text_or(&self, globals: &Value, key: &str, default: &str) -> Result<String, TemplateError> {
        match self.with_globals(globals, key)? {
            Value::String(text) => Ok(text),
            Value::Null => Ok(default.to_owned()),
            _ => Err(self.error(key, "should be a text")),
        }
    }

    fn number_or(&self, globals: &Value, key: &str, default: u64) -> Result<u64, TemplateError> {
        match self.with_globals(globals, key)? {
            Value::Null => Ok(default),
            // A parameter is text even when its type is Number.
            Value::String(text) => text.parse().map_err(|_| self.error(key, "should be a whole number")),
            value => value.as_u64().ok_or_else(|| self.error(key, "should be a whole number")),
        }
    }

    pub(super) fn of(&self, rest: &str) -> String {
        format!("{}.{rest}", self.place)
    }

    pub(super) fn error(&self, key: &str, problem: &str) -> TemplateError {
        TemplateError::new(self.of(&format!("Properties.{key}")), problem)
    }
}
