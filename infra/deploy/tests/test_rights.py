"""What each function may do: every call below is made with its role, and exactly those that are listed for it go through.

So a line that a policy lacks is as red as one that it has too much. Calls that are allowed change nothing: they are about
what is not there, or lack an argument that is looked for after the rights.
"""

import io
import json
import zipfile
from pathlib import Path

import pytest
from stage import STAGE
from parts import REGION

ACCOUNT = "000000000000"
REFUSED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
USERS, RUNS, OTHER = f"badge-{STAGE}-users", f"badge-{STAGE}-runs", "badge-other-users"
AUDIT = f"badge-{STAGE}-audit"
QUEUE = f"badge-{STAGE}-failed-events"
CHANGES = f"badge-{STAGE}-failed-changes"
TO_A_TOPIC = "Publish to a topic"

# To keep the record of a run: once, and one at a time.
OF_RUNS = {f"{operation} {RUNS}" for operation in ("PutItem", "UpdateItem", "DeleteItem")}
# Of everything that is invoked asynchronously: what failed goes to the queue, by Lambda with the function's role.
KEEPS_FAILED = {f"SendMessage {QUEUE}"}

# To find a user's row by its phone and by its id.
OWN_ROW = {f"GetItem {USERS}", f"Query {USERS} by_id"}

# By one call, which gives those secrets alone that may be read.
BOTH_SECRETS = {"BatchGetSecretValue", "GetSecretValue veri_code", "GetSecretValue jwt"}

RIGHTS = {
    "veri_code": {"GetSecretValue veri_code", "Invoke send_sms:live"},
    "register": {"GetSecretValue veri_code", f"GetItem {USERS}", f"PutItem {USERS}"},
    "login": {*BOTH_SECRETS, f"GetItem {USERS}", f"UpdateItem {USERS}"},
    "logout": {"GetSecretValue jwt"},
    "change_phone": {
        *BOTH_SECRETS,
        *(f"{operation} {USERS}" for operation in ("GetItem", "PutItem", "DeleteItem")),
    },
    "delete_account": {
        *BOTH_SECRETS,
        *(f"{operation} {USERS}" for operation in ("GetItem", "UpdateItem")),
    },
    "user_index": {"GetSecretValue jwt", f"Query {USERS} by_id", f"Query {USERS} by_disabled"},
    "user_me": {"GetSecretValue jwt", *OWN_ROW},
    "user_update": {"GetSecretValue jwt", *OWN_ROW, f"UpdateItem {USERS}"},
    "user_token": {"GetSecretValue jwt"},
    "user_sessions": {"GetSecretValue jwt", *OWN_ROW},
    "end_sessions": {"GetSecretValue jwt", *OWN_ROW, f"UpdateItem {USERS}"},
    "user_export": {"GetSecretValue jwt", *OWN_ROW, f"Query {AUDIT}"},
    "admin_user": {"GetSecretValue jwt", *OWN_ROW},
    "admin_update": {"GetSecretValue jwt", *OWN_ROW, f"UpdateItem {USERS}"},
    "admin_audit": {"GetSecretValue jwt", f"Query {AUDIT}", f"Query {USERS} by_id"},
    "fallback": set(),
    # Lambda sends what it could not write to the queue, with its role. It can neither read nor delete an event.
    "audit": {f"PutItem {AUDIT}", f"SendMessage {CHANGES}"},
    "epochs": {f"UpdateItem {USERS}", "Invoke send_sms:live", f"SendMessage {CHANGES}"},
    "send_sms": {"GetSecretValue veri_code", "GetSecretValue sms", "Publish to a phone", *OF_RUNS, *KEEPS_FAILED},
    "change_rights": {f"UpdateItem {USERS}", *KEEPS_FAILED},
    "daily": {
        f"Query {USERS} by_id",
        f"Query {USERS} by_delete_time",
        f"UpdateItem {USERS}",
        f"DeleteItem {USERS}",
        f"BatchGetItem {RUNS}",
        "Invoke daily:live",
        *OF_RUNS,
        *KEEPS_FAILED,
    },
    "cache_watch": {"DescribeReplicationGroups", "DescribeCacheClusters", *OF_RUNS, *KEEPS_FAILED},
    "deployed": {
        "GetSecretValue veri_code",
        "GetSecretValue jwt",
        "GetSecretValue sms",
        *(f"{operation} {USERS}" for operation in ("DescribeTable", "Scan", "UpdateItem")),
        f"DescribeTable {RUNS}",
        f"DescribeTable {AUDIT}",
        "Invoke deployed:live",
        *OF_RUNS,
        *KEEPS_FAILED,
    },
}

# What the emulator knows no resource of, asked of the policies instead (SimulatePrincipalPolicy).
OF_THE_CACHE = {
    "elasticache:Connect": ("serverlesscache", "user"),
    "elasticache:DescribeServerlessCaches": ("serverlesscache",),
    "elasticache:DescribeServerlessCacheSnapshots": ("serverlesscache", "serverlesscachesnapshot"),
    "elasticache:DescribeReplicationGroups": ("replicationgroup",),
    "elasticache:DescribeCacheClusters": ("cluster",),
    "elasticache:DescribeSnapshots": ("snapshot",),
}
SIGNS_IN = {"veri_code", "register", "login", "logout", "user_index", "change_rights", "daily", "deployed"} | {
    *("user_me", "user_update", "user_token", "user_sessions", "end_sessions", "user_export", "admin_user", "admin_update"),
    *("admin_audit", "change_phone", "delete_account", "epochs"),
}


def of_table(table, key):
    nobody = {key: {"S": "nobody"}}
    if table == AUDIT:
        nobody["version"] = {"N": "1"}
    changes = {"TableName": table, "ConditionExpression": f"attribute_exists({key})"}
    yield "GetItem", "get_item", {"TableName": table, "Key": nobody}
    yield "BatchGetItem", "batch_get_item", {"RequestItems": {table: {"Keys": [nobody]}}}
    yield "PutItem", "put_item", {**changes, "Item": nobody}
    yield "UpdateItem", "update_item", {**changes, "Key": nobody, "UpdateExpression": "REMOVE nothing"}
    yield "DeleteItem", "delete_item", {**changes, "Key": nobody}
    yield "Scan", "scan", {"TableName": table, "Limit": 1}
    yield "Query", "query", query(table, key, "S", "nobody")
    yield "DescribeTable", "describe_table", {"TableName": table}
    yield "UpdateTable", "update_table", {"TableName": table}
    yield "DeleteTable", "delete_table", {"TableName": table}


def query(table, key, kind, value, **more):
    condition = {"KeyConditionExpression": "#key = :key", "ExpressionAttributeNames": {"#key": key}}
    return {"TableName": table, **condition, "ExpressionAttributeValues": {":key": {kind: value}}, **more}


def calls(stage):
    """Name, service, operation and arguments of each call."""
    for table, key in ((USERS, "phone"), (RUNS, "run"), (AUDIT, "id"), (OTHER, "phone")):
        for name, operation, arguments in of_table(table, key):
            yield f"{name} {table}", "dynamodb", operation, arguments
    for index, key in (("by_id", "shard"), ("by_delete_time", "is_delete"), ("by_disabled", "is_disabled")):
        yield f"Query {USERS} {index}", "dynamodb", "query", query(USERS, key, "N", "99", IndexName=index)
    for secret in ("jwt", "veri_code", "sms"):
        found = {"SecretId": f"badge/{STAGE}/{secret}"}
        yield f"GetSecretValue {secret}", "secretsmanager", "get_secret_value", found
        yield f"PutSecretValue {secret}", "secretsmanager", "put_secret_value", found
    both = {"SecretIdList": [f"badge/{STAGE}/jwt", f"badge/{STAGE}/veri_code"]}
    yield "BatchGetSecretValue", "secretsmanager", "batch_get_secret_value", both
    yield "GetSecretValue of another stage", "secretsmanager", "get_secret_value", {"SecretId": "badge/other/jwt"}
    for function in stage.functions():
        for qualifier in ("", ":live"):
            target = {"FunctionName": stage.name(function) + qualifier, "InvocationType": "DryRun"}
            yield f"Invoke {function}{qualifier}", "lambda", "invoke", target
    yield "UpdateFunctionCode", "lambda", "update_function_code", {"FunctionName": stage.name("login"), "DryRun": True}
    yield "Publish to a phone", "sns", "publish", {"PhoneNumber": "+8613800138000", "Message": "x"}
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:badge-{STAGE}-alarms"
    yield TO_A_TOPIC, "sns", "publish", {"TopicArn": topic, "Message": "x"}
    for name in (QUEUE, CHANGES):
        queue = {"QueueUrl": f"http://127.0.0.1:{stage.port}/{ACCOUNT}/{name}"}
        yield f"SendMessage {name}", "sqs", "send_message", {**queue, "MessageBody": ""}
        yield f"ReceiveMessage {name}", "sqs", "receive_message", {**queue, "VisibilityTimeout": 0}
    yield "CreateLogGroup", "logs", "create_log_group", {"logGroupName": "/aws/lambda/nobody"}
    yield "ListObjects", "s3", "list_objects_v2", {"Bucket": f"badge-code-{ACCOUNT}-{REGION}"}
    group, cluster = {"ReplicationGroupId": f"badge-{STAGE}"}, {"CacheClusterId": f"badge-{STAGE}-001"}
    yield "DescribeReplicationGroups", "elasticache", "describe_replication_groups", group
    yield "DescribeCacheClusters", "elasticache", "describe_cache_clusters", cluster


def allowed(stage, name, role):
    """Names of the calls that go through with that role."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.write(Path(__file__).with_name("probe.py"), "probe.py")
    client = stage.aws("lambda")
    client.create_function(
        FunctionName=f"probe-{name}",
        Role=role,
        Runtime="python3.13",
        Handler="probe.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"AWS_ENDPOINT": f"http://127.0.0.1:{stage.port}"}},
        Timeout=60,
    )
    answer = client.invoke(FunctionName=f"probe-{name}", Payload=json.dumps(list(calls(stage))))
    client.delete_function(FunctionName=f"probe-{name}")
    errors = json.load(answer["Payload"])
    assert "FunctionError" not in answer, errors
    may = {call for call, error in errors.items() if error not in REFUSED}
    # A topic's own policy lets every role of its account publish. Only a policy that denies it prevents that.
    return may if name == "send_sms" else may - {TO_A_TOPIC}


def role_of(stage, function):
    return stage.aws("lambda").get_function_configuration(FunctionName=stage.name(function))["Role"]


def test_every_function_is_listed(stage):
    assert sorted(RIGHTS) == stage.functions()


@pytest.mark.parametrize("function", RIGHTS)
def test_a_function_may_do_what_is_listed_and_nothing_else(stage, function):
    assert allowed(stage, function, role_of(stage, function)) == RIGHTS[function]


@pytest.mark.parametrize("job", ["daily", "cache_watch", "deployed"])
def test_a_schedule_may_call_its_job_and_nothing_else(stage, job):
    target = stage.aws("scheduler").get_schedule(Name=stage.name(job))["Target"]
    assert allowed(stage, f"schedule-{job}", target["RoleArn"]) == {f"Invoke {job}:live", *KEEPS_FAILED}


@pytest.mark.parametrize("function", RIGHTS)
def test_rights_to_the_cache_are_exact(stage, function):
    def may(action, kind, name):
        arn = f"arn:aws:elasticache:{REGION}:{ACCOUNT}:{kind}:{name}"
        answer = stage.aws("iam").simulate_principal_policy(
            PolicySourceArn=role_of(stage, function), ActionNames=[action], ResourceArns=[arn]
        )
        return answer["EvaluationResults"][0]["EvalDecision"] == "allowed"

    for action, kinds in OF_THE_CACHE.items():
        for kind in kinds:
            # Of one that is made here the user has no name, as its cache is somebody else's.
            name = {"cluster": f"badge-{STAGE}-001", "user": ""}.get(kind, f"badge-{STAGE}")
            expected = function in SIGNS_IN if action.endswith(":Connect") else function == "cache_watch"
            assert may(action, kind, name) is expected, f"{action} on {kind}:{name}"
            if "snapshot" not in kind:
                assert not may(action, kind, "badge-other-001"), f"{action} on a {kind} of another stage"
