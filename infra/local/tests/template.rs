//! Properties of `infra/template.yaml` that no emulator applies, so that no other test checks them.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Map, Value, json};
use support::root;
use support::tree::{functions_of, of_type, read, texts, yaml};

#[path = "template/alarms.rs"]
mod alarms;
#[path = "template/cache.rs"]
mod cache;
#[path = "template/settings.rs"]
mod settings;

/// Rights to everything, each for a reason that stands beside it in the template.
const EVERYTHING: [&str; 2] = ["secretsmanager:BatchGetSecretValue", "sns:Publish"];

fn template() -> Value {
    yaml("infra/template.yaml")
}

fn reference(name: &str) -> Value {
    json!({ "Ref": name })
}

/// Every statement of every policy in the template: whose, and the statement.
fn statements(template: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (id, policy) in of_type(template, "AWS::IAM::ManagedPolicy") {
        let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
        found.extend(statements.iter().map(|one| (id.clone(), one.clone())));
    }
    for (name, function) in functions_of(template) {
        for policy in function["Policies"].as_array().into_iter().flatten() {
            let statements = policy["Statement"].as_array().into_iter().flatten();
            found.extend(statements.map(|one| (name.to_owned(), one.clone())));
        }
    }
    assert!(!found.is_empty());
    found
}

/// One text, or a list of them, as text.
fn flat(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(|item| texts(item).concat()).collect(),
        other => vec![texts(other).concat()],
    }
}

#[test]
fn every_call_of_a_function_is_to_its_alias() {
    let template = template();
    let globals = &template["Globals"]["Function"];
    assert_eq!(globals["AutoPublishAlias"], "live");
    assert_eq!(globals["AutoPublishAliasAllProperties"], true);
    for (who, statement) in statements(&template) {
        if flat(&statement["Action"]).contains(&"lambda:InvokeFunction".to_owned()) {
            for target in flat(&statement["Resource"]) {
                assert!(target.ends_with(":live"), "{who} may call {target}, which is no alias");
            }
        }
    }
    assert!(read("shared/src/aws/tasks.rs").contains("\"%3Alive\""), "functions call another alias");
    assert!(read("infra/deploy/job.sh").contains("\"badge-$STAGE-$NAME:live\""), "jobs by hand call another alias");
}

#[test]
fn functions_are_given_the_variables_that_they_read() {
    let template = template();
    let given = template["Globals"]["Function"]["Environment"]["Variables"].as_object().unwrap();
    let given: BTreeSet<_> = given.keys().map(String::as_str).collect();
    let source = read("shared/src/config/settings.rs") + &read("shared/src/config/cache.rs");
    let calls = ["given(\"", "needed(\""].into_iter().flat_map(|call| source.split(call).skip(1));
    let wanted = calls.filter_map(|argument| argument.split('"').next());
    // Lambda itself gives one, and one only makes versions differ.
    let given: BTreeSet<_> = given.difference(&BTreeSet::from(["SETTINGS_HASH"])).copied().collect();
    let wanted: BTreeSet<_> = wanted.filter(|name| *name != "LAMBDA_TASK_ROOT").collect();
    let of_some = BTreeSet::from(["CACHE_USER"]);
    assert_eq!(given, wanted.difference(&of_some).copied().collect());
    let calls_the_cache = |function: &Value| function["Policies"].to_string().contains("elasticache:Connect");
    for (name, function) in functions_of(&template) {
        let own: Vec<_> = function["Environment"]["Variables"].as_object().into_iter().flat_map(Map::keys).collect();
        assert_eq!(own, if calls_the_cache(function) { vec!["CACHE_USER"] } else { Vec::new() }, "{name}");
    }
}

#[test]
fn a_function_in_the_network_is_in_both_zones_and_reaches_out() {
    let template = template();
    for (name, function) in functions_of(&template) {
        let network = &function["VpcConfig"];
        if !network.is_null() {
            assert_eq!(network["SubnetIds"], json!([reference("SubnetA"), reference("SubnetB")]), "{name}");
            assert_eq!(network["SecurityGroupIds"], json!([reference("FunctionGroup")]), "{name}");
            assert_eq!(network["Ipv6AllowedForDualStack"], true, "{name} reaches no other service of AWS");
        }
    }
}

#[test]
fn the_network_has_two_zones_one_way_out_and_none_in() {
    let template = template();
    for kind in ["AWS::EC2::NatGateway", "AWS::EC2::InternetGateway", "AWS::EC2::EIP"] {
        assert_eq!(of_type(&template, kind).count(), 0, "{kind}");
    }
    let zones: BTreeSet<_> =
        of_type(&template, "AWS::EC2::Subnet").map(|(_, one)| one["AvailabilityZone"].to_string()).collect();
    assert_eq!(zones.len(), 2);
    let routes: Vec<_> = of_type(&template, "AWS::EC2::Route").collect();
    let [(_, route)] = routes[..] else { panic!("{routes:?}") };
    assert_eq!(route["DestinationIpv6CidrBlock"], "::/0");
    assert_eq!(route["EgressOnlyInternetGatewayId"], reference("EgressOnlyGateway"));
    let (_, endpoint) = of_type(&template, "AWS::EC2::VPCEndpoint").next().unwrap();
    assert_eq!(endpoint["VpcEndpointType"], "Gateway");
    assert_eq!(endpoint["ServiceName"], json!({ "Sub": "com.amazonaws.${AWS::Region}.dynamodb" }));
    assert_eq!(endpoint["RouteTableIds"], json!([route["RouteTableId"]]));
    let reached = &endpoint["PolicyDocument"]["Statement"][0]["Resource"];
    assert!(texts(reached).concat().ends_with(":table/badge-${Stage}-*"), "tables of others are reached: {reached}");
    for (id, group) in of_type(&template, "AWS::EC2::SecurityGroup") {
        for rule in group["SecurityGroupIngress"].as_array().into_iter().flatten() {
            assert_eq!(rule["SourceSecurityGroupId"], reference("FunctionGroup"), "{id}");
        }
        // Without a rule EC2 adds one that lets everything out.
        assert!(group["SecurityGroupEgress"].as_array().is_some_and(|rules| !rules.is_empty()), "{id}");
    }
}

#[test]
fn users_are_retained_and_runs_expire() {
    let template = template();
    let users = &template["Resources"]["UsersTable"];
    let if_protected = json!({ "If": ["IsProtected", true, false] });
    assert_eq!(template["Conditions"]["IsProtected"], json!({ "Equals": [reference("Protected"), "true"] }));
    assert_eq!(users["Properties"]["DeletionProtectionEnabled"], if_protected);
    assert_eq!(users["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], if_protected);
    let audit = &template["Resources"]["AuditTable"]["Properties"];
    assert_eq!(audit["DeletionProtectionEnabled"], if_protected);
    assert_eq!(audit["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    for resource in [
        "UsersTable",
        "AuditTable",
        "FailedEventsQueue",
        "FailedChangesQueue",
        "JwtSecret",
        "VeriCodeSecret",
        "SmsSecret",
    ] {
        // What a first deployment has made before it failed goes again, or its name would stop the next one.
        assert_eq!(template["Resources"][resource]["DeletionPolicy"], "RetainExceptOnCreate", "{resource}");
        assert_eq!(template["Resources"][resource]["UpdateReplacePolicy"], "Retain", "{resource}");
    }
    assert_eq!(template["Resources"]["FailedEventsQueue"]["Properties"]["SqsManagedSseEnabled"], true);
    let ttl = &template["Resources"]["RunsTable"]["Properties"]["TimeToLiveSpecification"];
    assert_eq!(ttl["Enabled"], true);
    let attribute = format!(" {}: Option<", ttl["AttributeName"].as_str().unwrap());
    assert!(read("shared/src/db/runs.rs").contains(&attribute), "runs are written without {attribute}");
    assert_eq!(audit["TimeToLiveSpecification"], *ttl);
    let attribute = format!(" {}: i64,", ttl["AttributeName"].as_str().unwrap());
    assert!(read("shared/src/db/audit.rs").contains(&attribute), "events are written without {attribute}");
    for (id, table) in of_type(&template, "AWS::DynamoDB::Table") {
        assert_eq!(table["BillingMode"], "PAY_PER_REQUEST", "{id}");
    }
}

#[test]
fn the_audit_has_one_writer_that_does_nothing_else() {
    let template = template();
    let audit = json!({ "GetAtt": "AuditTable.Arn" });
    let names_it =
        |one: &Value| one["Resource"] == audit || one["Resource"].as_array().is_some_and(|all| all.contains(&audit));
    for (who, statement) in statements(&template) {
        let actions = flat(&statement["Action"]);
        if who == "audit" && actions.iter().any(|action| action.starts_with("dynamodb:") && !action.contains("Stream"))
        {
            let reads_the_stream = actions.contains(&"dynamodb:GetRecords".to_owned());
            assert!(
                reads_the_stream || (actions == ["dynamodb:PutItem"] && statement["Resource"] == audit),
                "{actions:?}"
            );
        } else if names_it(&statement) {
            assert!(
                actions.iter().all(|action| ["dynamodb:Query", "dynamodb:DescribeTable"].contains(&action.as_str())),
                "{who}: {actions:?}"
            );
        }
    }
    let stream = &template["Resources"]["UsersTable"]["Properties"]["StreamSpecification"];
    assert_eq!(stream["StreamViewType"], "NEW_AND_OLD_IMAGES");
}

#[test]
fn nothing_is_reserved_so_that_a_new_account_can_be_deployed_to() {
    let template = template();
    let globals = ("Globals", &template["Globals"]["Function"]);
    let if_set = json!({ "If": ["ReservesSends", reference("SendConcurrency"), reference("AWS::NoValue")] });
    for (name, function) in functions_of(&template).chain([globals]) {
        assert!(function["ProvisionedConcurrencyConfig"].is_null(), "{name}");
        let expected = if name == "send_sms" { &if_set } else { &Value::Null };
        assert_eq!(&function["ReservedConcurrentExecutions"], expected, "{name}");
    }
    assert_eq!(template["Parameters"]["SendConcurrency"]["Default"], 0);
}

#[test]
fn a_midnight_is_that_of_the_stage() {
    let template = template();
    let mut midnights = 0;
    for (name, function) in functions_of(&template) {
        for schedule in function["Events"].as_object().into_iter().flat_map(|events| events.values()) {
            let properties = &schedule["Properties"];
            if properties["ScheduleExpression"].as_str().is_some_and(|expression| expression.starts_with("cron")) {
                assert_eq!(properties["ScheduleExpressionTimezone"], reference("TimeZone"), "{name}");
                midnights += 1;
            }
        }
    }
    assert!(midnights > 0);
}

#[test]
fn the_front_throttles_and_logs_no_person() {
    let template = template();
    let api = &template["Resources"]["Api"]["Properties"];
    let default = |of: &Value| template["Parameters"][of["Ref"].as_str().unwrap()]["Default"].as_u64().unwrap();
    let limit = |of: &Value| (default(&of["ThrottlingRateLimit"]), default(&of["ThrottlingBurstLimit"]));
    let routes: BTreeSet<String> = functions_of(&template)
        .flat_map(|(_, function)| function["Events"].as_object().unwrap_or(&Map::new()).clone())
        .filter_map(|(_, event)| {
            let text = |key| event["Properties"][key].as_str();
            Some(format!("{} {}", text("Method")?, text("Path")?))
        })
        .collect();
    let own = api["RouteSettings"].as_object().unwrap();
    for (route, settings) in own {
        // API Gateway refuses settings of a route that is not there.
        assert!(routes.contains(route), "{route}");
        assert!(limit(settings) < limit(&api["DefaultRouteSettings"]), "{route}");
    }
    assert!(own.keys().any(|route| route.ends_with("/veri_code")), "what costs money has no limit of its own");

    assert_eq!(api["AccessLogSettings"]["DestinationArn"], json!({ "GetAtt": "AccessLog.Arn" }));
    let format: Value = serde_json::from_str(api["AccessLogSettings"]["Format"].as_str().unwrap()).unwrap();
    for (key, value) in format.as_object().unwrap() {
        let variable = value.as_str().unwrap();
        assert!(variable.starts_with("$context."), "{key}");
        for word in ["sourceIp", "userAgent", "path", "identity"] {
            assert!(!variable.contains(word), "{key} identifies the caller");
        }
    }

    let [condition, cors, otherwise] = api["CorsConfiguration"]["If"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!((condition, otherwise), (&json!("HasCors"), &reference("AWS::NoValue")));
    assert_eq!(cors["AllowOrigins"], json!({ "Split": [",", reference("CorsOrigins")] }));
    assert!(cors["AllowCredentials"].is_null(), "pages of other sites have a token or a bare session");
}

#[test]
fn a_name_of_its_own_closes_the_front_s_own_name() {
    let template = template();
    let resources = &template["Resources"];
    let api = &resources["Api"]["Properties"];
    assert_eq!(api["DisableExecuteApiEndpoint"], json!({ "If": ["HasDomain", true, false] }));
    assert_eq!(resources["DomainMapping"]["Properties"]["Stage"], reference("Api.Stage"));
    let tls = &resources["Domain"]["Properties"]["DomainNameConfigurations"][0];
    assert_eq!((&tls["SecurityPolicy"], &tls["EndpointType"]), (&json!("TLS_1_2"), &json!("REGIONAL")));
    for made in ["Domain", "DomainMapping"] {
        assert_eq!(resources[made]["Condition"], "HasDomain", "{made}");
    }
}

#[test]
fn every_line_has_an_end_and_no_function_makes_a_log_of_its_own() {
    let template = template();
    let groups: BTreeSet<_> = of_type(&template, "AWS::Logs::LogGroup")
        .map(|(id, group)| {
            assert_eq!(group["RetentionInDays"], reference("LogDays"), "{id}");
            id.as_str()
        })
        .collect();
    assert_eq!(groups, BTreeSet::from(["AccessLog", "FlowLogGroup", "FunctionLog"]));
    for id in ["FlowLogGroup", "FlowLogRole", "FlowLog"] {
        assert_eq!(template["Resources"][id]["Condition"], "LogsFlows", "{id}");
    }
    assert_eq!(template["Resources"]["FlowLog"]["Properties"]["TrafficType"], "REJECT");
    let globals = &template["Globals"]["Function"];
    assert_eq!(globals["LoggingConfig"]["LogGroup"], reference("FunctionLog"));
    let policy = &template["Resources"]["LogPolicy"]["Properties"]["PolicyDocument"]["Statement"];
    assert_eq!(*policy, json!([{ "Effect": "Deny", "Action": "logs:CreateLogGroup", "Resource": "*" }]));
    for (name, function) in functions_of(&template) {
        assert!(function["LoggingConfig"].is_null(), "{name}");
        assert!(function["Policies"].as_array().unwrap().contains(&reference("LogPolicy")), "{name}");
    }
}

#[test]
fn rights_are_exact() {
    for (who, statement) in statements(&template()) {
        let actions = flat(&statement["Action"]);
        assert!(!actions.is_empty() && !actions.iter().any(|action| action.contains('*')), "{who}: {actions:?}");
        if statement["Effect"] == "Allow" && flat(&statement["Resource"]).iter().any(|resource| resource == "*") {
            assert!(actions.iter().all(|action| EVERYTHING.contains(&action.as_str())), "{who}: {actions:?}");
        }
    }
}

#[test]
fn what_differs_between_stages_is_written_in_conf_alone() {
    let output =
        Command::new("python3").args(["infra/deploy/parameters.py", "prod"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let given = String::from_utf8(output.stdout).unwrap();
    let given: BTreeMap<_, _> = given.lines().map(|line| line.split_once('=').unwrap()).collect();
    let template = template();
    let declared: BTreeSet<_> = template["Parameters"].as_object().unwrap().keys().map(String::as_str).collect();
    let script = read("infra/deploy/parameters.py");
    let known: BTreeSet<_> = declared.iter().copied().filter(|name| script.contains(&format!("\"{name}\""))).collect();
    assert_eq!(known, declared, "a parameter without a setting");
    assert!(given.keys().all(|name| declared.contains(name)), "{given:?}");
    assert_eq!((given["Protected"], given["WatchAll"]), ("true", "true"));
    // 1000 a day at 0.045 a message; a snapshot within 26 hours.
    assert_eq!((given["SmsPerDay"], given["SnapshotDays"]), ("22222", "2"));
    assert_eq!(given["TimeZone"], "Asia/Shanghai");
}
