//! What the emulator reads of the template, as types.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::reader::Reader;
use super::resolve::{Resolver, entries};
use super::timetable::Timetable;
use super::yaml;

/// The parts of the template that the emulator uses.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) functions: Vec<FunctionSpec>,
    pub(crate) schedules: Vec<ScheduleSpec>,
    pub(crate) mappings: Vec<MappingSpec>,
    pub(crate) tables: Vec<TableSpec>,
    pub(crate) secrets: Vec<SecretSpec>,
    /// Names of serverless caches, also of those that a condition excludes: the local one has their place.
    pub(crate) caches: Vec<String>,
    /// `CorsConfiguration` of the HTTP API.
    pub(crate) cors: Option<CorsSpec>,
}

/// `CorsConfiguration` of an `AWS::Serverless::HttpApi`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CorsSpec {
    pub(crate) origins: Vec<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) exposed: Vec<String>,
    pub(crate) max_age_secs: Option<u64>,
    pub(crate) credentials: bool,
}

/// One `AWS::Serverless::Function`, merged with `Globals`.
#[derive(Debug)]
pub(crate) struct FunctionSpec {
    pub(crate) name: String,
    /// File name of the built binary: the last part of `CodeUri`.
    pub(crate) binary: String,
    pub(crate) handler: String,
    pub(crate) memory_mb: u64,
    pub(crate) timeout: Duration,
    /// `AutoPublishAlias`.
    pub(crate) alias: Option<String>,
    /// Lambda's retries of a failed asynchronous event.
    pub(crate) max_retries: u32,
    /// After this time Lambda no longer tries an asynchronous event.
    pub(crate) max_event_age: Duration,
    /// Destination of failed asynchronous events. Without one Lambda discards them.
    pub(crate) failed_events: Option<String>,
    /// `ReservedConcurrentExecutions`: this function's own limit on sandboxes.
    pub(crate) concurrency: Option<usize>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) routes: Vec<RouteKey>,
    /// Whether its first event waits for a debugger. An option of the emulator, not of the template.
    pub(crate) waits_for_debugger: bool,
}

/// A route as API Gateway names it: `POST /path`, `ANY /path` or `$default`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouteKey {
    Default,
    Path { method: String, path: String },
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("$default"),
            Self::Path { method, path } => write!(f, "{method} {path}"),
        }
    }
}

/// One schedule of `EventBridge` Scheduler.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScheduleSpec {
    pub(crate) name: String,
    pub(crate) group: String,
    /// Name of the function that it invokes.
    pub(crate) function: String,
    /// As written, for display.
    pub(crate) expression: String,
    pub(crate) zone: String,
    pub(crate) timetable: Timetable,
    /// The payload, with the placeholders of [`attribute`](super::attribute).
    pub(crate) input: String,
    pub(crate) is_enabled: bool,
    /// The Scheduler's retries of an event that Lambda did not accept.
    pub(crate) max_retries: u32,
    /// After this time there is no further retry.
    pub(crate) max_event_age: Duration,
    /// Queue of the events that Lambda never accepted. Without one the Scheduler discards them.
    pub(crate) failed_events: Option<String>,
}

/// One `AWS::Lambda::EventSourceMapping` of a stream of DynamoDB.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MappingSpec {
    /// Its logical id.
    pub(crate) id: String,
    /// Name of the table.
    pub(crate) table: String,
    /// Name of the function.
    pub(crate) function: String,
    pub(crate) is_enabled: bool,
    /// Records that a batch has at most.
    pub(crate) batch_size: usize,
    /// Whether a batch that fails is split.
    pub(crate) bisects: bool,
    /// Whether the function's response names the records that failed.
    pub(crate) reports_failures: bool,
    /// Retries of a batch; without end for `None`.
    pub(crate) max_retries: Option<u32>,
    /// After this time there is no further retry; without end for `None`.
    pub(crate) max_age: Option<Duration>,
    /// Queue of the records that were given up. Without one Lambda discards them.
    pub(crate) failed_records: Option<String>,
}

/// One `AWS::DynamoDB::Table`.
#[derive(Debug)]
pub(crate) struct TableSpec {
    pub(crate) name: String,
    /// The request that makes it, in the wire format of `CreateTable`.
    pub(crate) create: Value,
    /// The time-to-live attribute, in seconds since the epoch.
    pub(crate) ttl_attribute: Option<String>,
}

/// One `AWS::SecretsManager::Secret`.
#[derive(Debug)]
pub(crate) struct SecretSpec {
    pub(crate) name: String,
    /// `SecretString` or `GenerateSecretString`, resolved.
    pub(crate) value: SecretValue,
}

/// Where a secret's value comes from.
#[derive(Debug)]
pub(crate) enum SecretValue {
    Given(String),
    /// The properties of `GenerateSecretString`.
    Generated(Value),
}

/// A template that cannot be used: the place in it, and what is wrong there.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub(crate) struct TemplateError {
    pub(crate) place: String,
    pub(crate) problem: String,
}

impl TemplateError {
    pub(crate) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

impl Template {
    /// Reads the text of a template with the parameters' values.
    pub(crate) fn parse(text: &str, parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let document = yaml::parse(text)?;
        let resolver = Resolver::new(&document, parameters)?;
        let mut template = Self {
            functions: Vec::new(),
            schedules: Vec::new(),
            mappings: Vec::new(),
            tables: Vec::new(),
            secrets: Vec::new(),
            caches: Vec::new(),
            cors: None,
        };
        for (id, resource) in entries(&document["Resources"]) {
            let place = format!("Resources.{id}");
            let reader = Reader { resolver: &resolver, properties: &resource["Properties"], place: place.clone() };
            if resource["Type"] == "AWS::ElastiCache::ServerlessCache" {
                template.caches.push(reader.required_text("ServerlessCacheName")?);
            }
            if let Some(condition) = resource["Condition"].as_str()
                && !resolver.condition(condition, &place)?
            {
                continue;
            }
            match resource["Type"].as_str() {
                Some("AWS::Serverless::Function") => {
                    let function = reader.function(&document["Globals"]["Function"])?;
                    template.schedules.extend(reader.schedule_events(id, &function.name)?);
                    template.functions.push(function);
                }
                Some("AWS::Serverless::HttpApi") => template.cors = reader.cors()?,
                Some("AWS::Scheduler::Schedule") => template.schedules.push(reader.schedule(id)?),
                Some("AWS::Lambda::EventSourceMapping") => template.mappings.push(reader.mapping(id)?),
                Some("AWS::DynamoDB::Table") => template.tables.push(reader.table(id)?),
                Some("AWS::SecretsManager::Secret") => template.secrets.push(reader.secret(id)?),
                _ => {}
            }
        }
        template.check_schedules()?;
        template.check_mappings()?;
        Ok(template)
    }

    /// What a mapping names is in the template, and its table has a stream.
    fn check_mappings(&self) -> Result<(), TemplateError> {
        for mapping in &self.mappings {
            if !self.functions.iter().any(|function| function.name == mapping.function) {
                return Err(TemplateError::new("Resources", format!("no function is named {}", mapping.function)));
            }
            let table = self.tables.iter().find(|table| table.name == mapping.table);
            if table.is_none_or(|table| table.create["StreamSpecification"].is_null()) {
                return Err(TemplateError::new(
                    "Resources",
                    format!("no table with a stream is named {}", mapping.table),
                ));
            }
        }
        Ok(())
    }

    /// Names of schedules are unique, and their functions are in the template.
    fn check_schedules(&self) -> Result<(), TemplateError> {
        let mut names = BTreeSet::new();
        for schedule in &self.schedules {
            if !names.insert(&schedule.name) {
                return Err(TemplateError::new("Resources", format!("two schedules are named {}", schedule.name)));
            }
            if !self.functions.iter().any(|function| function.name == schedule.function) {
                return Err(TemplateError::new("Resources", format!("no function is named {}", schedule.function)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde_json::json;

    use super::{RouteKey, SecretValue, Template, TemplateError};

    const TEMPLATE: &str = r#"
Parameters: { Stage: { Type: String } }
Globals:
  Function:
    Timeout: 5
    Environment: { Variables: { STAGE: !Ref Stage, TABLE: !Ref Users, OWN: global } }
Resources:
  Users:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub b-${Stage}-users
      DeletionProtectionEnabled: true
      KeySchema: [{ AttributeName: phone, KeyType: HASH }]
      TimeToLiveSpecification: { AttributeName: end, Enabled: true }
  Key: { Type: AWS::SecretsManager::Secret, Properties: { Name: b/key, SecretString: given } }
  Login:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub b-${Stage}-login
      CodeUri: ../target/lambda/login/
      MemorySize: 256
      Environment: { Variables: { OWN: local } }
      EventInvokeConfig:
        MaximumRetryAttempts: 1
        MaximumEventAgeInSeconds: 300
        DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt Failed.Arn } }
      Events:
        A: { Type: HttpApi, Properties: { Method: post, Path: "/{stage}/login" } }
        B: { Type: HttpApi, Properties: { ApiId: !Ref Api } }
        C: { Type: Schedule, Properties: { Schedule: rate(1 hour) } }
  Api: { Type: AWS::Serverless::HttpApi }
  Failed: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub "b-${Stage}-failed" } }
"#;

    fn parse(text: &str) -> Result<Template, TemplateError> {
        Template::parse(text, &BTreeMap::from([("Stage".to_owned(), "test".to_owned())]))
    }

    #[test]
    fn a_function_is_merged_with_the_globals() {
        let template = parse(TEMPLATE).unwrap();
        let login = &template.functions[0];
        assert_eq!((login.name.as_str(), login.binary.as_str()), ("b-test-login", "login"));
        assert_eq!((login.memory_mb, login.timeout, login.max_retries), (256, Duration::from_secs(5), 1));
        assert_eq!(
            (login.max_event_age, login.failed_events.as_deref()),
            (Duration::from_mins(5), Some("b-test-failed"))
        );
        assert_eq!(login.environment["TABLE"], "b-test-users");
        assert_eq!(login.environment["OWN"], "local");
        let post = RouteKey::Path { method: "POST".to_owned(), path: "/{stage}/login".to_owned() };
        assert_eq!(login.routes, [post, RouteKey::Default]);
    }

    #[test]
    fn a_table_becomes_a_create_table_request() {
        let template = parse(TEMPLATE).unwrap();
        let users = &template.tables[0];
        assert_eq!(
            users.create,
            json!({"TableName": "b-test-users", "KeySchema": [{"AttributeName": "phone", "KeyType": "HASH"}]})
        );
        assert_eq!(users.ttl_attribute.as_deref(), Some("end"));
        assert!(matches!(&template.secrets[0].value, SecretValue::Given(text) if text == "given"));
    }

    #[test]
    fn cors_is_that_of_the_api() {
        assert_eq!(parse(TEMPLATE).unwrap().cors, None);
        let api = r#"Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration:
        AllowOrigins: !Split [",", "https://a.example,https://b.example"]
        AllowMethods: [GET]
        MaxAge: 600
"#;
        let cors = parse(&TEMPLATE.replace("Api: { Type: AWS::Serverless::HttpApi }\n", api)).unwrap().cors.unwrap();
        assert_eq!(cors.origins, ["https://a.example", "https://b.example"]);
        assert_eq!((cors.methods.join(","), cors.max_age_secs, cors.credentials), ("GET".to_owned(), Some(600), false));
    }

    #[test]
    fn errors_name_the_place() {
        let broken = TEMPLATE.replace("      CodeUri: ../target/lambda/login/\n", "");
        assert_eq!(parse(&broken).unwrap_err().to_string(), "Resources.Login.Properties.CodeUri: is missing");
        let broken = TEMPLATE.replace("MemorySize: 256", "MemorySize: much");
        assert!(parse(&broken).unwrap_err().to_string().starts_with("Resources.Login.Properties.MemorySize:"));
        for (from, to, key) in [
            ("MaximumRetryAttempts: 1", "MaximumRetryAttempts: 3", "MaximumRetryAttempts: should be"),
            ("AgeInSeconds: 300", "AgeInSeconds: 59", "MaximumEventAgeInSeconds: should be"),
            (", Destination: !GetAtt Failed.Arn", "", "DestinationConfig.OnFailure.Destination: should be the ARN"),
        ] {
            let error = parse(&TEMPLATE.replace(from, to)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("Resources.Login.Properties.EventInvokeConfig.{key}")), "{error}");
        }
        let error = Template::parse(TEMPLATE, &BTreeMap::new()).unwrap_err();
        assert_eq!(error.to_string(), "Parameters.Stage: has no default and got no value");
    }
}
