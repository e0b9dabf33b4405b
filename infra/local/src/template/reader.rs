//! One resource as a specification: properties are merged with `Globals` and resolved.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::resolve::{Resolver, entries};
use super::spec::{CorsSpec, FunctionSpec, RouteKey, SecretSpec, SecretValue, TableSpec, TemplateError};

/// Reads the properties of one resource.
pub(super) struct Reader<'a> {
    pub(super) resolver: &'a Resolver<'a>,
    pub(super) properties: &'a Value,
    /// The resource's place in the template.
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
            alias: Some(self.text_or(globals, "AutoPublishAlias", "")?).filter(|alias| !alias.is_empty()),
            handler: self.text_or(globals, "Handler", "bootstrap")?,
            memory_mb: self.number_or(globals, "MemorySize", 128)?,
            timeout: Duration::from_secs(self.number_or(globals, "Timeout", 3)?),
            max_retries: u32::try_from(self.event_limit(globals, "MaximumRetryAttempts", 2, 0..=2)?).unwrap_or(2),
            // Source: "How Lambda handles errors and retries with asynchronous invocation".
            max_event_age: Duration::from_secs(self.event_limit(
                globals,
                "MaximumEventAgeInSeconds",
                21_600,
                60..=21_600,
            )?),
            failed_events: self.failed_events(globals)?,
            concurrency: match self.number_or(globals, "ReservedConcurrentExecutions", 0)? {
                0 => None,
                limit => Some(usize::try_from(limit).unwrap_or(usize::MAX)),
            },
            environment,
            routes: self.routes()?,
            waits_for_debugger: false,
        })
    }

    /// A setting of `EventInvokeConfig`: the function's own, else that of `Globals`.
    fn event_setting(&self, globals: &Value, key: &str) -> Result<Value, TemplateError> {
        let own = &self.properties["EventInvokeConfig"][key];
        let value = if own.is_null() { &globals["EventInvokeConfig"][key] } else { own };
        self.resolver.value(value, &self.of(&format!("Properties.EventInvokeConfig.{key}")))
    }

    fn event_limit(
        &self,
        globals: &Value,
        key: &str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<u64, TemplateError> {
        let value = self.event_setting(globals, key)?;
        self.number_in(&value, &format!("EventInvokeConfig.{key}"), default, range)
    }

    /// The on-failure destination, or the function's dead-letter queue, which is the older way.
    fn failed_events(&self, globals: &Value) -> Result<Option<String>, TemplateError> {
        let destinations = self.event_setting(globals, "DestinationConfig")?;
        let (target, key) = if destinations["OnFailure"].is_null() {
            (self.with_globals(globals, "DeadLetterQueue")?["TargetArn"].clone(), "DeadLetterQueue.TargetArn")
        } else {
            let key = "EventInvokeConfig.DestinationConfig.OnFailure.Destination";
            match &destinations["OnFailure"]["Destination"] {
                Value::Null => return Err(self.error(key, "should be the ARN of a queue; name one")),
                target => (target.clone(), key),
            }
        };
        self.queue(&target, key)
    }

    /// The name of a queue or another destination, from its ARN.
    pub(super) fn queue(&self, arn: &Value, key: &str) -> Result<Option<String>, TemplateError> {
        match arn.as_str().map(|arn| arn.rsplit_once(':')) {
            None if arn.is_null() => Ok(None),
            Some(Some((_, name))) => Ok(Some(name.to_owned())),
            _ => Err(self.error(key, "should be the ARN of a queue")),
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
        let stream = self.property("StreamSpecification")?;
        if !stream.is_null() {
            // CloudFormation's property has the view alone.
            let stream = json!({ "StreamEnabled": true, "StreamViewType": stream["StreamViewType"] });
            create.insert("StreamSpecification".to_owned(), stream);
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

    /// `CorsConfiguration`, in its long form.
    pub(super) fn cors(&self) -> Result<Option<CorsSpec>, TemplateError> {
        let cors = self.property("CorsConfiguration")?;
        if cors.is_null() {
            return Ok(None);
        }
        let list = |key: &str| {
            let items = cors[key].as_array().into_iter().flatten().filter_map(Value::as_str);
            items.map(str::to_owned).collect()
        };
        Ok(Some(CorsSpec {
            origins: list("AllowOrigins"),
            methods: list("AllowMethods"),
            headers: list("AllowHeaders"),
            exposed: list("ExposeHeaders"),
            max_age_secs: cors["MaxAge"].as_u64(),
            credentials: cors["AllowCredentials"] == true,
        }))
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

    /// A number, or the default for none.
    pub(super) fn number_in(
        &self,
        value: &Value,
        key: &str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<u64, TemplateError> {
        // A parameter is text even when its type is Number.
        match value.as_u64().or_else(|| value.as_str()?.parse().ok()) {
            None if value.is_null() => Ok(default),
            Some(number) if range.contains(&number) => Ok(number),
            _ => Err(self.error(key, &format!("should be a whole number from {} to {}", range.start(), range.end()))),
        }
    }

    pub(super) fn of(&self, rest: &str) -> String {
        format!("{}.{rest}", self.place)
    }

    pub(super) fn error(&self, key: &str, problem: &str) -> TemplateError {
        TemplateError::new(self.of(&format!("Properties.{key}")), problem)
    }
}
