"""The last test: nothing of the stage is left in the account. What it was deployed by, the bucket of code, stays."""

from stage import STAGE


def names(stage):
    """Everything in the account that is of the stage."""
    found = stage.aws("dynamodb").list_tables()["TableNames"]
    found += [one["FunctionName"] for one in stage.aws("lambda").list_functions()["Functions"]]
    found += [one["Name"] for one in stage.aws("secretsmanager").list_secrets()["SecretList"]]
    found += [one["Name"] for one in stage.aws("scheduler").list_schedules()["Schedules"]]
    found += stage.aws("sqs").list_queues().get("QueueUrls", [])
    found += [one["RoleName"] for one in stage.aws("iam").list_roles()["Roles"]]
    found += [one["PolicyName"] for one in stage.aws("iam").list_policies(Scope="Local")["Policies"]]
    found += [one["Name"] for one in stage.aws("apigatewayv2").get_apis()["Items"]]
    found += [one["logGroupName"] for one in stage.aws("logs").describe_log_groups()["logGroups"]]
    found += [one["TopicArn"] for one in stage.aws("sns").list_topics()["Topics"]]
    found += [one["AlarmName"] for one in stage.aws("cloudwatch").describe_alarms()["MetricAlarms"]]
    found += [one["DashboardName"] for one in stage.aws("cloudwatch").list_dashboards()["DashboardEntries"]]
    return sorted(name for name in found if f"badge-{STAGE}" in name or f"badge/{STAGE}" in name)


def test_destroy_leaves_nothing(stage):
    assert len(names(stage)) > 30
    assert f"The stage {STAGE} is gone" in stage.done("destroy")
    assert names(stage) == []
    is_done, output = stage.make("outputs")
    assert not is_done and f"type: make deploy STAGE={STAGE}" in output
