"""The last test: nothing of the stage is left in the account. What it was deployed by, the bucket of code, stays."""

from bed import STAGE


def names(bed):
    """Everything in the account that is of the stage."""
    found = bed.aws("dynamodb").list_tables()["TableNames"]
    found += [one["FunctionName"] for one in bed.aws("lambda").list_functions()["Functions"]]
    found += [one["Name"] for one in bed.aws("secretsmanager").list_secrets()["SecretList"]]
    found += [one["Name"] for one in bed.aws("scheduler").list_schedules()["Schedules"]]
    found += bed.aws("sqs").list_queues().get("QueueUrls", [])
    found += [one["RoleName"] for one in bed.aws("iam").list_roles()["Roles"]]
    found += [one["PolicyName"] for one in bed.aws("iam").list_policies(Scope="Local")["Policies"]]
    found += [one["Name"] for one in bed.aws("apigatewayv2").get_apis()["Items"]]
    found += [one["logGroupName"] for one in bed.aws("logs").describe_log_groups()["logGroups"]]
    found += [one["TopicArn"] for one in bed.aws("sns").list_topics()["Topics"]]
    found += [one["AlarmName"] for one in bed.aws("cloudwatch").describe_alarms()["MetricAlarms"]]
    found += [one["DashboardName"] for one in bed.aws("cloudwatch").list_dashboards()["DashboardEntries"]]
    return sorted(name for name in found if f"badge-{STAGE}" in name or f"badge/{STAGE}" in name)


def test_destroy_leaves_nothing(bed):
    assert len(names(bed)) > 30
    assert f"The stage {STAGE} is gone" in bed.done("destroy")
    assert names(bed) == []
    is_done, told = bed.make("outputs")
    assert not is_done and f"type: make deploy STAGE={STAGE}" in told
