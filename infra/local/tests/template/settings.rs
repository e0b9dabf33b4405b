//! Settings of `[deploy]` that are off at first: what they add to the template, and that nothing of it is there without them.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use support::root;
use support::tree::{functions_of, of_type, read, texts, yaml};

use super::{reference, template};

#[test]
fn what_is_off_at_first_is_not_there() {
    let template = template();
    for (condition, ids) in [
        ("HasFront", &["FrontSecret"][..]),
        ("BacksUp", &["BackupRole", "UsersBackup", "AuditBackup"][..]),
        ("HasBudget", &["Budget"][..]),
    ] {
        for id in ids {
            assert_eq!(template["Resources"][id]["Condition"], condition, "{id}");
        }
    }
    for (parameter, default) in
        [("Tracing", "Disabled"), ("FrontName", ""), ("BackupBucket", ""), ("BackupAccount", "")]
    {
        assert_eq!(template["Parameters"][parameter]["Default"], default, "{parameter}");
    }
    // SAM reads the parameter itself: a condition would give every role the right to send traces.
    assert_eq!(template["Globals"]["Function"]["Tracing"], reference("Tracing"));
}

#[test]
fn functions_know_the_front_by_a_key_that_only_they_and_it_have() {
    let template = template();
    let keys = &template["Globals"]["Function"]["Environment"]["Variables"]["FRONT_KEYS"]["If"];
    assert_eq!((&keys[0], &keys[2]), (&json!("HasFront"), &json!("")));
    assert_eq!(keys[1], json!({ "Sub": "{{resolve:secretsmanager:${FrontSecret}:SecretString:${FrontKey}}}" }));
    assert_eq!(template["Parameters"]["FrontKey"]["Default"], "k1");
    assert!(functions_of(&template).count() <= 60, "CloudFormation resolves 60 references in a template");
    let secret = &template["Resources"]["FrontSecret"]["Properties"]["GenerateSecretString"];
    assert_eq!((&secret["GenerateStringKey"], &secret["ExcludePunctuation"]), (&json!("k1"), &json!(true)));

    let front = yaml("infra/front.yaml");
    let distribution = &front["Resources"]["Distribution"]["Properties"]["DistributionConfig"];
    let origin = &distribution["Origins"][0];
    let source = read("shared/src/lambda/own_front.rs");
    assert_eq!(
        origin["OriginCustomHeaders"],
        json!([{ "HeaderName": "x-front-key", "HeaderValue": reference("Key") }])
    );
    assert!(source.contains("\"x-front-key\"") && source.contains("\"x-front-address\""));
    assert_eq!(front["Parameters"]["Key"]["NoEcho"], true);
    assert_eq!(origin["CustomOriginConfig"]["OriginProtocolPolicy"], "https-only");
    // The address is that of the connection, and it replaces what a client writes.
    let code = front["Resources"]["ClientAddress"]["Properties"]["FunctionCode"].as_str().unwrap();
    assert!(code.contains("request.headers['x-front-address'] = { value: event.viewer.ip };"), "{code}");
    for response in distribution["CustomErrorResponses"].as_array().unwrap() {
        assert_eq!(response["ErrorCachingMinTTL"], 0, "a failure is kept for others: {response}");
    }
    let behavior = &distribution["DefaultCacheBehavior"];
    assert_eq!(behavior["FunctionAssociations"][0]["EventType"], "viewer-request");
    let headers = &front["Resources"]["ToOrigin"]["Properties"]["OriginRequestPolicyConfig"]["HeadersConfig"];
    assert_eq!(*headers, json!({ "HeaderBehavior": "allExcept", "Headers": ["host"] }));
}

#[test]
fn the_front_counts_by_the_address_of_the_connection() {
    let front = yaml("infra/front.yaml");
    let (_, acl) = of_type(&front, "AWS::WAFv2::WebACL").next().unwrap();
    assert_eq!(acl["Scope"], "CLOUDFRONT");
    let by_rate = acl["Rules"].as_array().unwrap().iter().filter_map(|rule| {
        let rate = rule["Statement"].get("RateBasedStatement")?;
        assert_eq!(rule["Action"], json!({ "Block": {} }));
        assert_eq!(rate["AggregateKeyType"], "IP", "a header is what a client writes");
        Some(rate)
    });
    let by_rate: Vec<_> = by_rate.collect();
    let [codes, all] = by_rate[..] else { panic!("{by_rate:?}") };
    assert_eq!((&codes["Limit"], &all["Limit"]), (&reference("CodesPerAddress"), &reference("RequestsPerAddress")));
    let path = &codes["ScopeDownStatement"]["ByteMatchStatement"];
    let routes = texts(&template()["Resources"]["VeriCodeFunction"]["Properties"]["Events"]).concat();
    assert!(routes.contains(path["SearchString"].as_str().unwrap()), "{path}: {routes}");
}

#[test]
fn exports_go_to_another_account_which_lets_them_in_and_nothing_out() {
    let template = template();
    let resources = &template["Resources"];
    for (id, table) in [("UsersBackup", "UsersTable"), ("AuditBackup", "AuditTable")] {
        let target = &resources[id]["Properties"]["Target"];
        assert!(texts(&target["Arn"]).concat().ends_with(":aws-sdk:dynamodb:exportTableToPointInTime"), "{id}");
        // The parameters of the call, by DynamoDB's API Reference.
        let input: Value = serde_json::from_str(target["Input"]["Sub"].as_str().unwrap()).unwrap();
        let names: BTreeSet<_> = input.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["S3Bucket", "S3BucketOwner", "S3Prefix", "TableArn"]), "{id}");
        assert_eq!(input["TableArn"], format!("${{{table}.Arn}}"), "{id}");
        assert_eq!(target["RoleArn"], json!({ "GetAtt": "BackupRole.Arn" }), "{id}");
        assert_eq!(target["DeadLetterConfig"]["Arn"], json!({ "GetAtt": "FailedEventsQueue.Arn" }), "{id}");
    }
    let bucket = yaml("infra/deploy/backup.yaml");
    let lock = &bucket["Resources"]["Exports"]["Properties"]["ObjectLockConfiguration"]["Rule"]["DefaultRetention"];
    assert_eq!(lock["Mode"], "COMPLIANCE");
    let rights = &resources["BackupRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][1]["Action"];
    let allowed = &bucket["Resources"]["ExportsPolicy"]["Properties"]["PolicyDocument"]["Statement"][0];
    assert_eq!((&allowed["Effect"], &allowed["Action"]), (&json!("Allow"), rights));
    assert_eq!(*rights, json!(["s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl"]));
}

/// What `parameters.py` makes of `conf/test.toml` with these lines under `[deploy]`, or why it refuses them.
fn parameters(deploy: &str, origins: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let settings = read("conf/test.toml").replace("own_origins = []", &format!("own_origins = [{origins}]"));
    let settings = settings.split("[deploy]").next().unwrap();
    fs::create_dir(folder.path().join("conf")).unwrap();
    fs::write(folder.path().join("conf/test.toml"), format!("{settings}[deploy]\n{deploy}\n")).unwrap();
    let script = root().join("infra/deploy/parameters.py");
    let output = Command::new("python3").arg(script).arg("test").current_dir(folder.path()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[test]
fn settings_that_need_others_say_so() {
    let domain = "domain = \"origin.example.com\"\ncertificate = \"arn:aws:acm:x:1:certificate/y\"\n";
    let front = format!("{domain}front = \"api.example.com\"");
    let backup = "backup_bucket = \"b-1\"\nbackup_account = \"123456789012\"";
    for (deploy, origins, says) in [
        ("front = \"api.example.com\"", "", "needs a domain"),
        (&*front, "", "own_origins"),
        ("backup_bucket = \"b-1\"", "", "backup_account"),
        (backup, "", "protected"),
        ("traceing = true", "", "traceing"),
    ] {
        let refusal = parameters(deploy, origins).unwrap_err();
        assert!(refusal.contains(says), "{deploy}: {refusal}");
    }
    let all = format!("{front}\nfront_key = \"k2\"\nprotected = true\ntracing = true\n{backup}");
    let given = parameters(&all, "\"https://api.example.com\"").unwrap();
    for line in ["Tracing=Active", "FrontKey=k2", "BackupBucket=b-1", "BackupAccount=123456789012"] {
        assert!(given.lines().any(|one| one == line), "{line}: {given}");
    }
}
