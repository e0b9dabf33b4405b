//! Event source mappings of the template: which function is given the changes of which table, and how.
//!
//! Source: AWS CloudFormation User Guide, `AWS::Lambda::EventSourceMapping`; AWS Lambda Developer Guide, "Process DynamoDB
//! records with Lambda". What AWS would refuse is refused here.

use std::time::Duration;

use serde_json::Value;

use super::reader::Reader;
use super::spec::{MappingSpec, TemplateError};

impl Reader<'_> {
    /// An `AWS::Lambda::EventSourceMapping`.
    pub(super) fn mapping(&self, id: &str) -> Result<MappingSpec, TemplateError> {
        let source = self.required_text("EventSourceArn")?;
        let table = source.split_once(":table/").and_then(|(_, table)| table.split_once("/stream/"));
        let Some((table, _)) = table else {
            return Err(
                self.error("EventSourceArn", "should be the ARN of a table's stream; no other source is played")
            );
        };
        let function = self.required_text("FunctionName")?;
        // An ARN or a name; an alias may follow either.
        let function = function.split_once(":function:").map_or(function.as_str(), |(_, name)| name);
        let function = function.split(':').next().unwrap_or_default();
        match self.text_or(&Value::Null, "StartingPosition", "")?.as_str() {
            "TRIM_HORIZON" | "LATEST" => {}
            _ => return Err(self.error("StartingPosition", "should be TRIM_HORIZON or LATEST")),
        }
        let reports = match self.property("FunctionResponseTypes")? {
            Value::Null => false,
            Value::Array(types) if types.iter().all(|one| one == "ReportBatchItemFailures") => !types.is_empty(),
            _ => return Err(self.error("FunctionResponseTypes", "should be ReportBatchItemFailures")),
        };
        let number = |key: &str, default, range| self.number_in(&self.property(key)?, key, default, range);
        let queue = self.property("DestinationConfig")?["OnFailure"]["Destination"].clone();
        Ok(MappingSpec {
            id: id.to_owned(),
            table: table.to_owned(),
            function: function.to_owned(),
            is_enabled: self.property("Enabled")? != false,
            batch_size: usize::try_from(number("BatchSize", 100, 1..=10_000)?).unwrap_or(usize::MAX),
            bisects: self.property("BisectBatchOnFunctionError")? == true,
            reports_failures: reports,
            max_retries: self
                .endless("MaximumRetryAttempts", 0..=10_000)?
                .map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
            max_age: self.endless("MaximumRecordAgeInSeconds", 60..=604_800)?.map(Duration::from_secs),
            failed_records: self.queue(&queue, "DestinationConfig.OnFailure.Destination")?,
        })
    }

    /// A number; `None` for -1 and for none, which both mean that there is no end.
    fn endless(&self, key: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, TemplateError> {
        let value = self.property(key)?;
        let is_endless = value.is_null() || value.as_i64() == Some(-1) || value == "-1";
        if is_endless { Ok(None) } else { self.number_in(&value, key, 0, range).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde_json::json;

    use super::super::spec::{MappingSpec, Template, TemplateError};

    const TEMPLATE: &str = r"
Globals: { Function: { AutoPublishAlias: live } }
Resources:
  Users:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: b-users
      KeySchema: [{ AttributeName: phone, KeyType: HASH }]
      StreamSpecification: { StreamViewType: NEW_AND_OLD_IMAGES }
  Audit: { Type: AWS::Serverless::Function, Properties: { FunctionName: b-audit, CodeUri: ../target/lambda/audit/ } }
  Failed: { Type: AWS::SQS::Queue, Properties: { QueueName: b-failed } }
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Audit.Alias
      EventSourceArn: !GetAtt Users.StreamArn
      StartingPosition: TRIM_HORIZON
      BatchSize: 10
      BisectBatchOnFunctionError: true
      FunctionResponseTypes: [ReportBatchItemFailures]
      MaximumRetryAttempts: 3
      MaximumRecordAgeInSeconds: 60
      DestinationConfig: { OnFailure: { Destination: !GetAtt Failed.Arn } }
";

    fn parse(text: &str) -> Result<Template, TemplateError> {
        Template::parse(text, &BTreeMap::new())
    }

    #[test]
    fn a_mapping_is_read_and_its_table_has_a_stream() {
        let template = parse(TEMPLATE).unwrap();
        let expected = MappingSpec {
            id: "Mapping".to_owned(),
            table: "b-users".to_owned(),
            function: "b-audit".to_owned(),
            is_enabled: true,
            batch_size: 10,
            bisects: true,
            reports_failures: true,
            max_retries: Some(3),
            max_age: Some(Duration::from_mins(1)),
            failed_records: Some("b-failed".to_owned()),
        };
        assert_eq!(template.mappings, [expected]);
        let stream = json!({ "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" });
        assert_eq!(template.tables[0].create["StreamSpecification"], stream);
    }

    #[test]
    fn what_is_left_out_has_no_end() {
        let text = TEMPLATE.split("      BatchSize: 10").next().unwrap();
        let mapping = parse(text).unwrap().mappings.remove(0);
        assert_eq!((mapping.batch_size, mapping.bisects, mapping.reports_failures), (100, false, false));
        assert_eq!((mapping.max_retries, mapping.max_age, mapping.failed_records), (None, None, None));
        let mapping = parse(&TEMPLATE.replace("Attempts: 3", "Attempts: -1")).unwrap().mappings.remove(0);
        assert_eq!(mapping.max_retries, None);
    }

    #[test]
    fn what_cannot_be_deployed_is_refused_with_its_place() {
        for (from, to, error) in [
            ("!GetAtt Users.StreamArn", "!GetAtt Failed.Arn", "Mapping.Properties.EventSourceArn: should be"),
            ("TRIM_HORIZON", "NOW", "Mapping.Properties.StartingPosition: should be"),
            ("[ReportBatchItemFailures]", "[Everything]", "Mapping.Properties.FunctionResponseTypes: should be"),
            ("BatchSize: 10", "BatchSize: 0", "Mapping.Properties.BatchSize: should be"),
            ("Seconds: 60", "Seconds: 59", "Mapping.Properties.MaximumRecordAgeInSeconds: should be"),
            ("FunctionName: !Ref Audit.Alias", "FunctionName: b-other", "no function is named b-other"),
            ("StreamSpecification: { StreamViewType: NEW_AND_OLD_IMAGES }", "", "no table with a stream is named"),
        ] {
            let refusal = parse(&TEMPLATE.replace(from, to)).unwrap_err().to_string();
            assert!(refusal.contains(error), "{refusal}");
        }
    }
}
