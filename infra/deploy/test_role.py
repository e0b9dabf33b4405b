"""Whether infra/deploy/role.yaml lets a pipeline do what it does: each call of the scripts, and what CloudFormation does for each type
of the template with the rights of their caller. Actions and resources by AWS's Service Authorization Reference."""

import fnmatch
import re
import sys
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))
from translate import translated  # noqa: E402

STAGE, REGION, ACCOUNT = "test", "ap-southeast-1", "123456789012"
VALUES = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "Environment": STAGE}
# What a pipeline runs, with what those run.
SCRIPTS = ["deploy.sh", "push.sh", "rollback.sh", "destroy.sh", "releases.sh", "lib.sh", "stack.sh", "job.sh", "releases.py"]


def arn(service, name, region=REGION, account=ACCOUNT):
    return f"arn:aws:{service}:{region}:{account}:{name}"


STACK = arn("cloudformation", f"stack/badge-{STAGE}/id")
BUCKET = arn("s3", f"badge-code-{ACCOUNT}-{REGION}", "", "")
OBJECT = f"{BUCKET}/releases/{STAGE}/lock"
FUNCTION, VERSION = arn("lambda", f"function:badge-{STAGE}-login"), arn("lambda", f"function:badge-{STAGE}-login:7")
TABLE, QUEUE = arn("dynamodb", f"table/badge-{STAGE}-users"), arn("sqs", f"badge-{STAGE}-failed-events")
SECRET = arn("secretsmanager", f"secret:badge/{STAGE}/jwt-Abc123")
ROLE, POLICY = (arn("iam", f"{kind}/badge-{STAGE}-Some-ABC", "") for kind in ("role", "policy"))
CHANGE_SET = [f"cloudformation:{verb}ChangeSet" for verb in ("Create", "Describe", "Execute", "Delete")]

# What a call of the command line asks for.
CALLS = {
    "cloudformation deploy": [(STACK, *CHANGE_SET, "cloudformation:DescribeStacks"), (OBJECT, "s3:PutObject", "s3:GetObject")],
    "cloudformation package": [(OBJECT, "s3:PutObject", "s3:GetObject")],
    "cloudformation describe-stacks": [(STACK, "cloudformation:DescribeStacks")],
    "cloudformation describe-stack-events": [(STACK, "cloudformation:DescribeStackEvents")],
    "cloudformation describe-stack-resource": [(STACK, "cloudformation:DescribeStackResource")],
    "cloudformation list-stack-resources": [(STACK, "cloudformation:ListStackResources")],
    "cloudformation describe-change-set": [(STACK, "cloudformation:DescribeChangeSet")],
    "cloudformation delete-change-set": [(STACK, "cloudformation:DeleteChangeSet")],
    "cloudformation delete-stack": [(STACK, "cloudformation:DeleteStack")],
    "cloudformation wait": [(STACK, "cloudformation:DescribeStacks")],
    "s3 mb": [(BUCKET, "s3:CreateBucket")],
    "s3api head-bucket": [(BUCKET, "s3:ListBucket")],
    "s3api put-bucket-lifecycle-configuration": [(BUCKET, "s3:PutLifecycleConfiguration")],
    "s3api list-objects-v2": [(BUCKET, "s3:ListBucket")],
    "s3api get-object": [(OBJECT, "s3:GetObject")],
    "s3api put-object": [(OBJECT, "s3:PutObject")],
    "s3api delete-object": [(OBJECT, "s3:DeleteObject")],
    "lambda get-alias": [(FUNCTION, "lambda:GetAlias")],
    "lambda update-alias": [(FUNCTION, "lambda:UpdateAlias")],
    "lambda create-alias": [(FUNCTION, "lambda:CreateAlias")],
    # `make push`, which ships by cargo-lambda.
    "cargo lambda deploy": [(FUNCTION, "lambda:GetFunction", "lambda:UpdateFunctionCode", "lambda:PublishVersion", "lambda:GetFunctionConfiguration")],
    "lambda wait": [(VERSION, "lambda:GetFunctionConfiguration", "lambda:GetFunction")],
    "lambda invoke": [(VERSION, "lambda:InvokeFunction")],
    "dynamodb delete-table": [(TABLE, "dynamodb:DeleteTable")],
    "dynamodb update-table": [(TABLE, "dynamodb:UpdateTable")],
    "dynamodb wait": [(TABLE, "dynamodb:DescribeTable")],
    "sqs get-queue-url": [(QUEUE, "sqs:GetQueueUrl")],
    "sqs delete-queue": [(QUEUE, "sqs:DeleteQueue")],
    "secretsmanager delete-secret": [(SECRET, "secretsmanager:DeleteSecret")],
    "sts get-caller-identity": [("*", "sts:GetCallerIdentity")],
    # Refused on purpose: it would count users. The script then leaves the table to somebody who may look at it.
    "dynamodb scan": [],
    # Of AWS's own settings; nobody is asked.
    "configure get": [],
}

API = [f"apigateway:{verb}" for verb in ("GET", "POST", "PATCH", "PUT", "DELETE")]
SUBNET = arn("ec2", "subnet/subnet-1")


def make(service, name, *verbs, resource):
    """Actions of one type: `*` in a verb is its name."""
    return [(resource, *(f"{service}:{verb.replace('*', name)}" for verb in verbs))]


# What CloudFormation asks for to make, change and delete a resource of a type.
TYPES = {
    "AWS::Lambda::Function": [
        (FUNCTION, "lambda:CreateFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:DeleteFunction"),
        (FUNCTION, "lambda:GetFunction", "lambda:TagResource", "lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency"),
        (SUBNET, "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"),
        (OBJECT, "s3:GetObject"),
        (ROLE, "iam:PassRole"),
    ],
    "AWS::Lambda::Version": [(FUNCTION, "lambda:PublishVersion"), (VERSION, "lambda:GetFunctionConfiguration", "lambda:DeleteFunction")],
    "AWS::Lambda::Alias": [(FUNCTION, "lambda:CreateAlias", "lambda:GetAlias", "lambda:UpdateAlias", "lambda:DeleteAlias")],
    "AWS::Lambda::Permission": [(FUNCTION, "lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission")],
    "AWS::Lambda::EventInvokeConfig": [
        (VERSION, "lambda:PutFunctionEventInvokeConfig", "lambda:GetFunctionEventInvokeConfig", "lambda:DeleteFunctionEventInvokeConfig"),
    ],
    "AWS::Lambda::EventSourceMapping": [
        ("*", "lambda:CreateEventSourceMapping", "lambda:UpdateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:GetEventSourceMapping"),
    ],
    "AWS::ApiGatewayV2::Api": [(arn("apigateway", "/apis", account=""), *API), (arn("apigateway", "/apis/a1b2c3", account=""), *API)],
    "AWS::ApiGatewayV2::Stage": [
        (arn("apigateway", "/apis/a1b2c3/stages/$default", account=""), *API),
        ("*", "logs:CreateLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:ListLogDeliveries", "logs:DescribeResourcePolicies"),
    ],
    "AWS::ApiGatewayV2::DomainName": [
        (arn("apigateway", "/domainnames", account=""), *API, "apigateway:AddCertificateToDomain"),
        (arn("apigateway", "/domainnames/api.example.com", account=""), *API, "apigateway:RemoveCertificateFromDomain"),
    ],
    "AWS::ApiGatewayV2::ApiMapping": [(arn("apigateway", "/domainnames/api.example.com/apimappings", account=""), *API)],
    "AWS::EC2::VPC": make("ec2", "Vpc", "Create*", "Delete*", "Modify*Attribute", "Describe*s", "CreateTags", resource=SUBNET),
    "AWS::EC2::VPCCidrBlock": make("ec2", "VpcCidrBlock", "Associate*", "Disassociate*", resource=SUBNET),
    "AWS::EC2::EgressOnlyInternetGateway": make("ec2", "EgressOnlyInternetGateway", "Create*", "Delete*", "Describe*s", resource=SUBNET),
    "AWS::EC2::Subnet": make("ec2", "Subnet", "Create*", "Delete*", "Modify*Attribute", "AssociateSubnetCidrBlock", resource=SUBNET),
    "AWS::EC2::RouteTable": make("ec2", "RouteTable", "Create*", "Delete*", "Describe*s", resource=SUBNET),
    "AWS::EC2::Route": make("ec2", "Route", "Create*", "Delete*", resource=SUBNET),
    "AWS::EC2::SubnetRouteTableAssociation": make("ec2", "RouteTable", "Associate*", "Disassociate*", resource=SUBNET),
    "AWS::EC2::VPCEndpoint": make("ec2", "VpcEndpoint", "Create*", "Modify*", "Delete*s", "Describe*s", resource=SUBNET),
    "AWS::EC2::SecurityGroup": make(
        "ec2", "SecurityGroup", "Create*", "Delete*", "Authorize*Ingress", "Authorize*Egress", "Revoke*Egress", "Revoke*Ingress", resource=SUBNET
    ),
    "AWS::EC2::FlowLog": [(SUBNET, "ec2:CreateFlowLogs", "ec2:DeleteFlowLogs", "ec2:DescribeFlowLogs"), (ROLE, "iam:PassRole")],
    "AWS::DynamoDB::Table": [
        (TABLE, "dynamodb:CreateTable", "dynamodb:UpdateTable", "dynamodb:DescribeTable", "dynamodb:DeleteTable", "dynamodb:TagResource"),
        (TABLE, "dynamodb:UpdateContinuousBackups", "dynamodb:DescribeContinuousBackups", "dynamodb:UpdateTimeToLive", "dynamodb:DescribeTimeToLive"),
    ],
    "AWS::ElastiCache::ServerlessCache": [
        (arn("elasticache", f"serverlesscache:badge-{STAGE}"), *(f"elasticache:{v}ServerlessCache" for v in ("Create", "Modify", "Delete"))),
        (arn("elasticache", f"usergroup:badge-{STAGE}"), "elasticache:CreateServerlessCache"),
        ("*", "elasticache:DescribeServerlessCaches"),
        (arn("iam", "role/aws-service-role/elasticache.amazonaws.com/AWSServiceRoleForElastiCache", ""), "iam:CreateServiceLinkedRole"),
    ],
    "AWS::ElastiCache::User": make("elasticache", "User", "Create*", "Modify*", "Delete*", "AddTagsToResource", resource=arn("elasticache", f"user:badge-{STAGE}-login")),
    "AWS::ElastiCache::UserGroup": make("elasticache", "UserGroup", "Create*", "Modify*", "Delete*", resource=arn("elasticache", f"usergroup:badge-{STAGE}")),
    "AWS::IAM::Role": [
        (ROLE, "iam:CreateRole", "iam:GetRole", "iam:DeleteRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy"),
        (ROLE, "iam:TagRole", "iam:UpdateAssumeRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies"),
    ],
    "AWS::IAM::ManagedPolicy": [(POLICY, "iam:CreatePolicy", "iam:GetPolicy", "iam:DeletePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:ListPolicyVersions")],
    "AWS::Logs::LogGroup": [
        (arn("logs", f"log-group:{name}:*"), "logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:DeleteLogGroup", "logs:TagResource")
        for name in (f"/badge/{STAGE}/functions", f"/aws/vendedlogs/badge/{STAGE}/access")
    ]
    + [("*", "logs:DescribeLogGroups")],
    "AWS::Logs::MetricFilter": [(arn("logs", f"log-group:/badge/{STAGE}/functions:*"), "logs:PutMetricFilter", "logs:DeleteMetricFilter", "logs:DescribeMetricFilters")],
    "AWS::SQS::Queue": make("sqs", "Queue", "Create*", "Delete*", "Get*Attributes", "Set*Attributes", "Tag*", resource=QUEUE),
    "AWS::SNS::Topic": make("sns", "Topic", "Create*", "Delete*", "Get*Attributes", "Set*Attributes", "TagResource", resource=arn("sns", f"badge-{STAGE}-alarms")),
    "AWS::SNS::Subscription": make("sns", "Subscribe", "*", "ListSubscriptionsByTopic", resource=arn("sns", f"badge-{STAGE}-alarms")),
    "AWS::SecretsManager::Secret": [
        (SECRET, "secretsmanager:CreateSecret", "secretsmanager:UpdateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret", "secretsmanager:TagResource"),
        ("*", "secretsmanager:GetRandomPassword"),
        # `front`, which the template refers to.
        (arn("secretsmanager", f"secret:badge/{STAGE}/front-Abc123"), "secretsmanager:GetSecretValue"),
    ],
    "AWS::Scheduler::Schedule": make("scheduler", "Schedule", "Create*", "Get*", "Update*", "Delete*", resource=arn("scheduler", f"schedule/default/badge-{STAGE}-daily"))
    + [(ROLE, "iam:PassRole")],
    "AWS::CloudWatch::Alarm": make("cloudwatch", "Alarms", "PutMetricAlarm", "Describe*", "Delete*", resource=arn("cloudwatch", f"alarm:badge-{STAGE}-front")),
    "AWS::CloudWatch::Dashboard": make("cloudwatch", "Dashboard", "Put*", "Get*", "Delete*s", resource=arn("cloudwatch", f"dashboard/badge-{STAGE}", "")),
    "AWS::Budgets::Budget": [(arn("budgets", f"budget/badge-{STAGE}", ""), "budgets:ModifyBudget", "budgets:ViewBudget")],
}


def listed(value):
    return value if isinstance(value, list) else [value]


def text(node):
    pattern = node["Fn::Sub"] if isinstance(node, dict) else node
    return re.sub(r"\$\{([^}]*)\}", lambda found: VALUES[found[1]], pattern)


def statements():
    template = yaml_parse((FOLDER / "role.yaml").read_text())
    return template["Resources"]["DeployRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]


def matches(patterns, name):
    return any(fnmatch.fnmatchcase(name.lower(), text(one).lower()) for one in listed(patterns))


def is_allowed(action, resource):
    """As IAM decides, without conditions: those of this role bound regions, services and functions, which are its own here."""
    effects = set()
    for one in statements():
        if matches(one["Action"], action):
            fits = not matches(one["NotResource"], resource) if "NotResource" in one else matches(one["Resource"], resource)
            effects |= {one["Effect"]} if fits else set()
    return effects == {"Allow"}


def calls():
    """Every call of the command line in the scripts."""
    found = set()
    for name in SCRIPTS:
        source = (FOLDER / name).read_text()
        found |= set(re.findall(r'"\$AWS" ([a-z0-9]+ [a-z0-9-]+)', source))
        found |= {f"{service} {verb}" for service, verb in re.findall(r'\baws\("([a-z0-9]+)", "([a-z0-9-]+)"', source)}
        found |= {"cargo lambda deploy"} if "$(cargo lambda deploy" in source else set()
        found |= {f"s3api {verb}" for verb in re.findall(r'\bof_bucket\("([a-z0-9-]+)"', source)}
    return found


def test_every_call_of_a_pipeline_has_its_place_here():
    assert calls() == set(CALLS)


def test_every_type_of_the_template_has_its_place_here():
    template = translated(yaml_parse((FOLDER.parent / "template.yaml").read_text()))
    assert {one["Type"] for one in template["Resources"].values()} <= set(TYPES)


@pytest.mark.parametrize("what", [*CALLS, *TYPES])
def test_the_role_may(what):
    for resource, *actions in (CALLS | TYPES)[what]:
        for action in actions:
            assert is_allowed(action, resource), f"{action} on {resource}"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("secretsmanager:GetSecretValue", SECRET),
        ("dynamodb:Scan", TABLE),
        ("dynamodb:ExportTableToPointInTime", TABLE),
        ("dynamodb:DeleteTable", TABLE.replace(STAGE, "prod")),
        ("lambda:UpdateFunctionCode", FUNCTION.replace(STAGE, "prod")),
        ("cloudformation:DeleteStack", STACK.replace(STAGE, "prod")),
        ("iam:PassRole", arn("iam", "role/admin", "")),
        ("iam:CreateUser", arn("iam", "user/somebody", "")),
    ],
)
def test_the_role_may_not(action, resource):
    assert not is_allowed(action, resource)
