//! States of a stack, releases, and the lock of a stage: what the verbs do about them.

use super::{AWS, ON_TEST, Setup};

impl Setup {
    /// What `deploy.sh` does around a deployment that makes `a` live in that version.
    fn deploy(&self, version: &str) {
        let script = format!(
            ". infra/deploy/lib.sh; set -e; need_account; need_bucket; take_lock deploy; live_versions >before; \
             releases adopt before; printf 'badge-test-a {version}\\nbadge-test-b 7\\n' >after; \
             id=$(releases record deploy after); make_live after; releases mark $id live"
        );
        let output = self.run(&script, &ON_TEST);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Versions of `a` and `b` that are live.
    fn live(&self) -> [String; 2] {
        ["badge-test-a.live", "badge-test-b.live"].map(|alias| self.alias(alias))
    }
}

/// A stand-in for `aws` of which `cloudformation` tells a state, and that writes down what is called.
const STACK: &str = r#"#!/bin/sh
echo "$1 $2" >>"$ALIASES/calls"
case "$1 $2" in
"sts get-caller-identity") echo 000000000000 ;;
"cloudformation describe-stacks") [ -s "$ALIASES/state" ] && cat "$ALIASES/state" ;;
"cloudformation describe-stack-resource") echo "$TABLE" ;;
"cloudformation describe-stack-events") cat "$ALIASES/events" ;;
"cloudformation wait" | "cloudformation delete-stack" | "dynamodb update-table" | "dynamodb wait") ;;
"dynamodb delete-table") echo 'ResourceNotFoundException: no such table' >&2; [ -n "${TABLE_IS_THERE-}" ] ;;
"dynamodb scan") echo "${ROWS:-0}" ;;
"sqs get-queue-url") echo 'NonExistentQueue' >&2; exit 1 ;;
"secretsmanager delete-secret") echo "${SECRET_ERROR:-ResourceNotFoundException}" >&2; exit 1 ;;
*) echo "not played: $*" >&2; exit 1 ;;
esac
"#;

const EVENTS: &str = r#"{"StackEvents": [
    {"StackId": "s", "PhysicalResourceId": "s", "LogicalResourceId": "badge-test", "ResourceStatus": "ROLLBACK_COMPLETE"},
    {"StackId": "s", "LogicalResourceId": "SubnetB", "ResourceType": "AWS::EC2::Subnet", "ResourceStatus": "CREATE_FAILED",
     "ResourceStatusReason": "Resource creation cancelled"},
    {"StackId": "s", "LogicalResourceId": "Cache", "ResourceType": "AWS::ElastiCache::ServerlessCache",
     "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "not in this zone"},
    {"StackId": "s", "PhysicalResourceId": "s", "LogicalResourceId": "badge-test", "ResourceStatus": "CREATE_IN_PROGRESS"},
    {"StackId": "s", "LogicalResourceId": "Old", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "of another day"}
]}"#;

/// What `prepare_stack` says and calls for a stack in that state, and whether it is content.
fn prepared(state: &str, variables: &[(&str, &str)]) -> (bool, String, String) {
    let setup = Setup::new(STACK);
    setup.set("state", state);
    setup.set("events", EVENTS);
    let script = ". infra/deploy/lib.sh; . infra/deploy/stack.sh; need_account; prepare_stack; echo \"retry=$RETRY\"";
    let mut all = vec![("STAGE", "test"), ("AWS_REGION", "us-east-1"), ("TABLE", "DELETE_COMPLETE")];
    all.extend(variables);
    let output = setup.run(script, &all);
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap(), setup.alias("calls"))
}

#[test]
fn what_is_left_of_a_first_deployment_that_failed_is_deleted() {
    for state in ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"] {
        let (is_ready, text, calls) = prepared(state, &[]);
        assert!(is_ready && calls.contains("cloudformation delete-stack"), "{state}: {text} {calls}");
        assert!(!calls.contains("dynamodb"), "{state}: a table that the rollback has deleted is looked for");
    }
    let (is_ready, text, calls) = prepared("ROLLBACK_FAILED", &[("TABLE", "DELETE_FAILED"), ("TABLE_IS_THERE", "1")]);
    assert!(is_ready && calls.contains("dynamodb delete-table"), "{text} {calls}");
    let (is_ready, text, calls) = prepared("ROLLBACK_FAILED", &[("TABLE", "DELETE_FAILED"), ("ROWS", "1")]);
    assert!(!is_ready && text.contains("has users"), "{text}");
    assert!(!calls.contains("dynamodb delete-table"), "{calls}");
}

#[test]
fn a_deployment_goes_on_after_one_that_failed_and_waits_for_one_under_way() {
    for (state, retry) in
        [("", ""), ("REVIEW_IN_PROGRESS", ""), ("CREATE_COMPLETE", ""), ("UPDATE_ROLLBACK_COMPLETE", "1")]
    {
        let (is_ready, text, calls) = prepared(state, &[]);
        assert!(is_ready && text.contains(&format!("retry={retry}\n")), "{state}: {text}");
        assert!(!calls.contains("delete"), "{state}: {calls}");
    }
    for (state, sentence) in [
        ("UPDATE_IN_PROGRESS", "is busy (UPDATE_IN_PROGRESS)"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("DELETE_FAILED", "type: make destroy STAGE=test"),
    ] {
        let (is_ready, text, calls) = prepared(state, &[]);
        assert!(!is_ready && text.contains(sentence), "{state}: {text}");
        assert!(!calls.contains("delete"), "{state}: {calls}");
    }
}

#[test]
fn the_events_that_failed_are_those_of_the_newest_operation() {
    let (_, text, _) = prepared("UPDATE_ROLLBACK_FAILED", &[]);
    assert!(text.contains("Cache (AWS::ElastiCache::ServerlessCache) CREATE_FAILED: not in this zone"), "{text}");
    assert!(!text.contains("SubnetB") && !text.contains("of another day"), "{text}");
}

#[test]
fn a_stage_of_which_pieces_are_missing_is_destroyed_all_the_same() {
    let setup = Setup::new(STACK);
    let output = setup.run("infra/deploy/destroy.sh", &ON_TEST);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && text.contains("The stage test is gone"), "{text}");
    let refused = [ON_TEST[0], ON_TEST[1], ("SECRET_ERROR", "AccessDeniedException: not yours")];
    let refusal = setup.refusal("destroy.sh", &refused);
    assert!(refusal.contains("badge/test/sms was not deleted: AccessDeniedException"), "{refusal}");
}

#[test]
fn a_rollback_sets_the_release_before_the_newest_however_often_it_is_typed() {
    let setup = Setup::new(AWS);
    setup.set("badge-test-a.live", "1");
    setup.set("badge-test-b.live", "7");
    setup.deploy("2");
    let rollback = |more: &[(&str, &str)]| setup.run("infra/deploy/rollback.sh", &[&ON_TEST[..], more].concat());
    for _ in 0..2 {
        assert!(rollback(&[]).status.success());
        assert_eq!(setup.live(), ["1", "7"], "what was live before anything was recorded");
    }
    let list = String::from_utf8(setup.run("infra/deploy/releases.sh", &ON_TEST).stdout).unwrap();
    let lines: Vec<_> = list.lines().collect();
    let [deployed, found] = lines[..] else { panic!("{list}") };
    assert!(deployed.starts_with("  ") && deployed.contains(" deploy "), "{list}");
    assert!(found.starts_with("* ") && found.contains(" found ") && found.contains("user/ann"), "{list}");
    let newest = deployed.split_whitespace().next().unwrap();
    assert!(rollback(&[("TO", newest)]).status.success());
    assert_eq!(setup.live(), ["2", "7"], "and forth by its name");
    setup.deploy("3");
    assert!(rollback(&[]).status.success());
    assert_eq!(setup.live(), ["2", "7"], "to what was live before the newest one");
    let refusal = setup.refusal("rollback.sh", &[ON_TEST[0], ON_TEST[1], ("TO", "20200101-000000-0000")]);
    assert!(refusal.contains("there is no release 20200101-000000-0000"), "{refusal}");
}

#[test]
fn a_rollback_sets_what_it_can_and_names_the_rest() {
    let setup = Setup::new(AWS);
    setup.set("badge-test-a.live", "1");
    setup.set("badge-test-b.live", "7");
    setup.deploy("2");
    // Somebody has moved both by hand.
    setup.set("badge-test-a.live", "5");
    setup.set("badge-test-b.live", "6");
    let refusal = setup.refusal("rollback.sh", &[ON_TEST[0], ON_TEST[1], ("THROTTLED", "badge-test-b")]);
    assert!(refusal.contains("badge-test-b is still 6, not 7") && refusal.contains("Rate exceeded"), "{refusal}");
    assert_eq!(setup.live(), ["1", "6"]);
    assert!(setup.run("infra/deploy/rollback.sh", &ON_TEST).status.success(), "typed again");
    assert_eq!(setup.live(), ["1", "7"]);
}

#[test]
fn one_deployment_at_a_time_until_its_lock_expires() {
    let setup = Setup::new(AWS);
    setup.set("badge-test-a.live", "1");
    setup.deploy("2");
    let lock = |until: &str| {
        let held = format!(r#"{{"what": "deploy", "by": "bob", "from": "2026-11-26T12:00:00Z", "until": {until}}}"#);
        setup.set("releases_test_lock", &held);
    };
    lock("99999999999");
    for verb in ["rollback.sh", "deploy.sh"] {
        let refusal = setup.refusal(verb, &ON_TEST);
        assert!(
            refusal.contains("bob has been at `make deploy` of this stage since 2026-11-26T12:00:00Z"),
            "{refusal}"
        );
    }
    assert_eq!(setup.alias("badge-test-a.live"), "2");
    lock("1");
    assert!(setup.run("infra/deploy/rollback.sh", &ON_TEST).status.success());
    assert_eq!(setup.alias("releases_test_lock"), "", "given back");
}

#[test]
fn there_is_no_way_back_from_a_first_deployment() {
    let setup = Setup::new(AWS);
    setup.deploy("1");
    let refusal = setup.refusal("rollback.sh", &ON_TEST);
    assert!(refusal.contains("there is no release before"), "{refusal}");
}
