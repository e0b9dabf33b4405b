//! Schedules of the template: `ScheduleV2` events of functions, and `AWS::Scheduler::Schedule`.
//!
//! Source: AWS SAM Developer Guide, "`ScheduleV2`"; AWS CloudFormation User Guide, `AWS::Scheduler::Schedule`. What
//! AWS would refuse is refused here. `RetryPolicy` and `DeadLetterConfig` apply to events that Lambda does not accept;
//! failures of the function follow Lambda's own rules. A flexible time window is checked, and otherwise ignored.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::reader::Reader;
use super::resolve::entries;
use super::spec::{ScheduleSpec, TemplateError};
use super::timetable::{DEFAULT_ZONE, Timetable};

/// Placeholders in `Input` for values that are known when the schedule fires.
///
/// Source: `EventBridge` Scheduler User Guide, "Adding context attributes".
pub(crate) mod attribute {
    pub(crate) const SCHEDULE_ARN: &str = "<aws.scheduler.schedule-arn>";
    pub(crate) const SCHEDULED_TIME: &str = "<aws.scheduler.scheduled-time>";
    pub(crate) const EXECUTION_ID: &str = "<aws.scheduler.execution-id>";
    pub(crate) const ATTEMPT_NUMBER: &str = "<aws.scheduler.attempt-number>";
}

impl Reader<'_> {
    /// The schedules among the events of a function.
    pub(super) fn schedule_events(&self, id: &str, function: &str) -> Result<Vec<ScheduleSpec>, TemplateError> {
        let mut schedules = Vec::new();
        for (event_id, event) in entries(&self.properties["Events"]) {
            if event["Type"] != "ScheduleV2" {
                continue;
            }
            let place = self.of(&format!("Properties.Events.{event_id}"));
            let reader = Reader { resolver: self.resolver, properties: &event["Properties"], place };
            // The name that SAM gives: the function's logical id and the event's.
            schedules.push(reader.schedule_with(&format!("{id}{event_id}"), function, &event["Properties"], "")?);
        }
        Ok(schedules)
    }

    /// An `AWS::Scheduler::Schedule`.
    pub(super) fn schedule(&self, id: &str) -> Result<ScheduleSpec, TemplateError> {
        let target = &self.properties["Target"];
        let arn = self.resolver.value(&target["Arn"], &self.of("Properties.Target.Arn"))?;
        let function = arn.as_str().and_then(|arn| arn.split_once(":function:")).map(|(_, function)| function);
        // An alias may follow the name.
        let function = function.and_then(|function| function.split(':').next());
        let function = function.ok_or_else(|| self.error("Target.Arn", "should be the ARN of a function"))?;
        self.schedule_with(id, function, target, "Target.")
    }

    /// `target` has the properties of the target: a SAM event itself, or one property of a schedule.
    fn schedule_with(
        &self,
        default_name: &str,
        function: &str,
        target: &Value,
        path: &str,
    ) -> Result<ScheduleSpec, TemplateError> {
        let name = self.text_or(&Value::Null, "Name", default_name)?;
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(is_allowed) {
            return Err(self.error("Name", "should be 1 to 64 letters, digits, and any of -_."));
        }
        self.check_window()?;
        let (max_retries, max_event_age) = self.retry_policy(target, path)?;
        let expression = self.required_text("ScheduleExpression")?;
        let zone = self.text_or(&Value::Null, "ScheduleExpressionTimezone", DEFAULT_ZONE)?;
        let timetable =
            Timetable::new(&expression, &zone).map_err(|problem| self.error("ScheduleExpression", &problem))?;
        Ok(ScheduleSpec {
            name,
            group: self.text_or(&Value::Null, "GroupName", "default")?,
            function: function.to_owned(),
            expression,
            zone,
            timetable: timetable.between(self.date("StartDate")?, self.date("EndDate")?),
            input: self.input(target, path)?,
            is_enabled: match self.text_or(&Value::Null, "State", "ENABLED")?.as_str() {
                "ENABLED" => true,
                "DISABLED" => false,
                _ => return Err(self.error("State", "should be ENABLED or DISABLED")),
            },
            max_retries,
            max_event_age,
            failed_events: self.dead_letter_queue(target, path, default_name)?,
        })
    }

    fn date(&self, key: &str) -> Result<Option<Timestamp>, TemplateError> {
        match self.property(key)? {
            Value::Null => Ok(None),
            value => match value.as_str().and_then(|text| text.parse().ok()) {
                Some(date) => Ok(Some(date)),
                None => Err(self.error(key, "should be a time like 2026-11-22T00:00:00Z")),
            },
        }
    }

    /// Source: API Reference, `Target`: the input of a Lambda function is well-formed JSON.
    fn input(&self, target: &Value, path: &str) -> Result<String, TemplateError> {
        let key = format!("{path}Input");
        match self.resolver.value(&target["Input"], &self.of(&format!("Properties.{key}")))? {
            Value::Null => Ok("{}".to_owned()),
            Value::String(text) => {
                // A number is JSON inside and outside of quotes.
                let filled = [attribute::SCHEDULE_ARN, attribute::SCHEDULED_TIME, attribute::EXECUTION_ID]
                    .iter()
                    .fold(text.replace(attribute::ATTEMPT_NUMBER, "1"), |text, name| text.replace(name, ""));
                match serde_json::from_str::<Value>(&filled) {
                    Ok(_) => Ok(text),
                    Err(error) => Err(self.error(&key, &format!("should be JSON: {error}"))),
                }
            }
            _ => Err(self.error(&key, "should be a text that is JSON")),
        }
    }

    fn check_window(&self) -> Result<(), TemplateError> {
        let window = self.property("FlexibleTimeWindow")?;
        let minutes = &window["MaximumWindowInMinutes"];
        match window["Mode"].as_str() {
            None if window.is_null() => Ok(()),
            Some("OFF") if minutes.is_null() => Ok(()),
            Some("FLEXIBLE") if !minutes.is_null() => {
                self.number_in(minutes, "FlexibleTimeWindow.MaximumWindowInMinutes", 0, 1..=1440).map(drop)
            }
            _ => Err(self.error("FlexibleTimeWindow", "should be of Mode OFF, or FLEXIBLE with a number of minutes")),
        }
    }

    /// Source: API Reference, `RetryPolicy`: the defaults are the largest values.
    fn retry_policy(&self, target: &Value, path: &str) -> Result<(u32, Duration), TemplateError> {
        let key = format!("{path}RetryPolicy");
        let policy = self.resolver.value(&target["RetryPolicy"], &self.of(&format!("Properties.{key}")))?;
        let limit =
            |name: &str, default, range| self.number_in(&policy[name], &format!("{key}.{name}"), default, range);
        let retries = limit("MaximumRetryAttempts", 185, 0..=185)?;
        let age = limit("MaximumEventAgeInSeconds", 86_400, 60..=86_400)?;
        Ok((u32::try_from(retries).unwrap_or(185), Duration::from_secs(age)))
    }

    /// By its ARN, or, in a SAM event, one that SAM creates and names.
    fn dead_letter_queue(&self, target: &Value, path: &str, id: &str) -> Result<Option<String>, TemplateError> {
        let key = format!("{path}DeadLetterConfig");
        let config = self.resolver.value(&target["DeadLetterConfig"], &self.of(&format!("Properties.{key}")))?;
        if config["Type"] == "SQS" {
            return Ok(Some(config["QueueLogicalId"].as_str().map_or_else(|| format!("{id}Queue"), str::to_owned)));
        }
        self.queue(&config["Arn"], &format!("{key}.Arn"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use crate::template::{Template, TemplateError};

    const TEMPLATE: &str = r#"
Resources:
  Daily:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: b-daily
      CodeUri: ../target/lambda/daily/
      Events:
        Tick:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: cron(0 0 * * ? *)
            ScheduleExpressionTimezone: Asia/Shanghai
            FlexibleTimeWindow: { Mode: "OFF" }
            RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 3600 }
            DeadLetterConfig: { Type: SQS }
            Input: !Sub >-
              {"account":"${AWS::AccountId}","time":"<aws.scheduler.scheduled-time>","n":<aws.scheduler.attempt-number>}
  Hourly:
    Type: AWS::Scheduler::Schedule
    Properties:
      Name: b-hourly
      State: DISABLED
      ScheduleExpression: rate(1 hour)
      StartDate: 2026-11-22T00:00:00Z
      FlexibleTimeWindow: { Mode: FLEXIBLE, MaximumWindowInMinutes: 5 }
      Target:
        Arn: !Sub "${Daily.Arn}:live"
        RoleArn: !GetAtt Role.Arn
        RetryPolicy: { MaximumRetryAttempts: 0 }
        DeadLetterConfig: { Arn: "arn:aws:sqs:us-east-1:000000000000:q" }
"#;

    fn parse(text: &str) -> Result<Template, TemplateError> {
        Template::parse(text, &BTreeMap::new())
    }

    #[test]
    fn schedules_are_read_in_both_forms() {
        let schedules = parse(TEMPLATE).unwrap().schedules;
        let [tick, hourly] = &schedules[..] else { panic!("{schedules:?}") };
        assert_eq!((tick.name.as_str(), tick.function.as_str(), tick.is_enabled), ("DailyTick", "b-daily", true));
        assert_eq!((tick.max_retries, tick.max_event_age), (2, Duration::from_hours(1)));
        assert_eq!(
            (tick.failed_events.as_deref(), hourly.failed_events.as_deref()),
            (Some("DailyTickQueue"), Some("q"))
        );
        assert_eq!((hourly.max_retries, hourly.max_event_age), (0, Duration::from_hours(24)));
        assert_eq!((tick.expression.as_str(), tick.zone.as_str()), ("cron(0 0 * * ? *)", "Asia/Shanghai"));
        assert!(tick.input.starts_with(r#"{"account":"000000000000","time":"<aws.scheduler.scheduled-time>""#));
        assert_eq!((hourly.name.as_str(), hourly.function.as_str()), ("b-hourly", "b-daily"));
        assert_eq!((hourly.zone.as_str(), hourly.input.as_str(), hourly.is_enabled), ("UTC", "{}", false));
    }

    #[test]
    fn what_cannot_be_deployed_is_refused_with_its_place() {
        for (from, to, error) in [
            (
                "rate(1 hour)",
                "rate(1 fortnight)",
                "Hourly.Properties.ScheduleExpression: rate(1 fortnight): fortnight is",
            ),
            ("(0 0 * * ? *)", "(0 0 * *)", "Events.Tick.Properties.ScheduleExpression: cron(0 0 * *): cron(…) has six"),
            ("Asia/Shanghai", "Asia/Nowhere", "ScheduleExpression: Asia/Nowhere is not a time zone"),
            (
                "MaximumRetryAttempts: 2",
                "MaximumRetryAttempts: 186",
                "Tick.Properties.RetryPolicy.MaximumRetryAttempts:",
            ),
            (
                "MaximumRetryAttempts: 0",
                "MaximumRetryAttempts: x",
                "Properties.Target.RetryPolicy.MaximumRetryAttempts:",
            ),
            (
                "\"arn:aws:sqs:us-east-1:000000000000:q\"",
                "q",
                "Properties.Target.DeadLetterConfig.Arn: should be the ARN",
            ),
            ("State: DISABLED", "State: OFF", "Properties.State:"),
            ("Mode: FLEXIBLE", "Mode: SOMETIMES", "Properties.FlexibleTimeWindow:"),
            ("\"n\":", "n:", "Events.Tick.Properties.Input: should be JSON"),
            ("b-hourly", "b hourly", "Hourly.Properties.Name:"),
            ("b-hourly", "DailyTick", "Resources: two schedules are named DailyTick"),
            ("${Daily.Arn}:live", "arn:aws:sqs:::queue", "Properties.Target.Arn: should be the ARN of a function"),
            ("${Daily.Arn}:live", "arn:aws:lambda:::function:x", "Resources: no function is named x"),
            ("2026-11-22T00:00:00Z", "soon", "Properties.StartDate:"),
        ] {
            assert!(TEMPLATE.contains(from), "{from}");
            let message = parse(&TEMPLATE.replace(from, to)).unwrap_err().to_string();
            assert!(message.contains(error) && !message.contains('\n'), "{message}");
        }
    }
}
