"""What a stage consists of, as infra/template.yaml and conf/<stage>.toml say: what is counted here is written there."""

import re
import sys
import tomllib
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "infra" / "deploy"))
from parameters import parameters  # noqa: E402, another folder's script

HOURS = 730
DAYS = HOURS / 24

# Resources that are paid for by use, and cost nothing by being there. A thousand mails of a topic are free each month, an
# empty queue is asked by nobody, and a filter's metric has numbers only in hours in which a line matches. What Lambda reads
# of a stream costs nothing.
BY_USE = {
    "AWS::Serverless::HttpApi",
    "AWS::Serverless::Function",
    "AWS::Lambda::EventSourceMapping",
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::SNS::Topic",
    "AWS::SNS::Subscription",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::EC2::FlowLog",
    "AWS::Scheduler::Schedule",
}
FREE = {
    "AWS::EC2::VPC",
    "AWS::EC2::VPCCidrBlock",
    "AWS::EC2::EgressOnlyInternetGateway",
    "AWS::EC2::Subnet",
    "AWS::EC2::RouteTable",
    "AWS::EC2::Route",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPCEndpoint",  # a gateway, which `check` looks at
    "AWS::EC2::SecurityGroup",
    "AWS::ElastiCache::User",
    "AWS::ElastiCache::UserGroup",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::Budgets::Budget",  # one that only notifies
}
# What `bill.idle` has a line for.
PRICED = {
    "AWS::ElastiCache::ServerlessCache",
    "AWS::SecretsManager::Secret",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
}


class Stack:
    """The resources of one stage, those left out that its parameters do not make."""

    def __init__(self, stage, template=None, conf=None):
        template = template or yaml_parse((ROOT / "infra/template.yaml").read_text())
        self.stage = stage
        self.conf = conf or tomllib.loads((ROOT / f"conf/{stage}.toml").read_text())
        # Where messages go costs nothing here, and the operator has to fill it in first.
        deploy = self.conf.get("deploy", {}) | {"sms_url": "https://sms.example"}
        defaults = {name: one.get("Default") for name, one in template["Parameters"].items()}
        self.parameters = defaults | parameters(stage, self.conf | {"deploy": deploy})
        self.conditions = template["Conditions"]
        self.globals = template["Globals"]["Function"]
        resources = template["Resources"].values()
        self.resources = [one for one in resources if self.value({"Condition": one.get("Condition")})]
        self.check()

    def check(self):
        """Refuses what nobody has thought about a price of."""
        for one in self.resources:
            if one["Type"] not in FREE | BY_USE | PRICED:
                sys.exit(f"error: {one['Type']} has no price; give it one in infra/cost, or say why it has none")
        for endpoint in self.of("AWS::EC2::VPCEndpoint"):
            if endpoint["VpcEndpointType"] != "Gateway":
                sys.exit("error: an endpoint that is no gateway costs by the hour and has no price in infra/cost")

    def value(self, node):
        """What an intrinsic function comes to, of those that conditions and prices depend on."""
        match node:
            case {"Condition": None}:
                return True
            case {"Condition": name}:
                return self.value(self.conditions[name])
            case {"Ref": name}:
                return self.parameters.get(name, name)
            case {"Fn::If": [condition, yes, no]}:
                return self.value(yes if self.value({"Condition": condition}) else no)
            case {"Fn::Equals": [left, right]}:
                return str(self.value(left)) == str(self.value(right))
            case {"Fn::And": parts}:
                return all(self.value(part) for part in parts)
            case {"Fn::Not": [one]}:
                return not self.value(one)
        return node

    def of(self, kind):
        return [one["Properties"] for one in self.resources if one["Type"] == kind]

    def has_traces(self):
        return self.parameters.get("Tracing") == "Active"

    def functions(self):
        """Memory by function, in MB."""
        found = {}
        for one in self.of("AWS::Serverless::Function"):
            found[Path(one["CodeUri"]).name] = one.get("MemorySize", self.globals["MemorySize"])
        return found

    def secrets_of(self, name):
        """How many secrets a function may read, which it does at a cold start."""
        function = next(one for one in self.of("AWS::Serverless::Function") if Path(one["CodeUri"]).name == name)
        statements = [one for policy in function["Policies"] for one in policy.get("Statement", [])]
        read = [one["Resource"] for one in statements if one["Action"] == "secretsmanager:GetSecretValue"]
        return sum(len(one) if isinstance(one, list) else 1 for one in read)

    def runs(self):
        """How often a month schedules start functions, by function."""
        found = {}
        for one in self.of("AWS::Serverless::Function"):
            for event in one.get("Events", {}).values():
                schedule = event["Properties"]
                if event["Type"] == "ScheduleV2" and schedule.get("State") != "DISABLED":
                    name = Path(one["CodeUri"]).name
                    found[name] = found.get(name, 0) + runs_a_month(schedule["ScheduleExpression"])
        return found

    def alarm_metrics(self):
        """An alarm on an expression is paid for by the metrics in it."""
        alarms = self.of("AWS::CloudWatch::Alarm")
        return sum(sum("MetricStat" in one for one in alarm.get("Metrics", [])) or 1 for alarm in alarms)

    def access_line_bytes(self):
        """The names of the variables are about as long as their values."""
        return len(self.of("AWS::Serverless::HttpApi")[0]["AccessLogSettings"]["Format"])


def runs_a_month(expression):
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        a_day = {"minute": 1440, "hour": 24, "day": 1}[rate[2]]
        return a_day * DAYS / int(rate[1])
    if re.fullmatch(r"cron\(\d+ \d+ \* \* \? \*\)", expression):
        return DAYS
    sys.exit(f"error: infra/cost does not know how often {expression} is")
