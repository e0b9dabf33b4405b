"""Makes of infra/template.yaml what the emulator ministack (1.5.33) can bring up.

Everything that it cannot do, does otherwise than AWS, or cannot know is a change below, with its reason. A change that
has nothing to change is an error, so that none outlives its reason. docs/deployment.md lists what is unproved by that.
"""

import copy
import sys
from pathlib import Path

import yaml
from samtranslator.yaml_helper import yaml_parse

sys.path.insert(0, str(Path(__file__).parents[1]))
from translate import translated  # noqa: E402


def without_ipv6(template):
    """It knows neither an IPv6 block of a VPC nor an egress-only gateway. Its functions are processes of this machine and
    in no network at all."""
    for name in ("VpcIpv6", "EgressOnlyGateway", "RouteOut"):
        del template["Resources"][name]
    for name in ("SubnetA", "SubnetB"):
        subnet = template["Resources"][name]
        del subnet["DependsOn"]
        for key in ("Ipv6CidrBlock", "AssignIpv6AddressOnCreation"):
            del subnet["Properties"][key]


def with_the_block_of_the_vpc(template):
    """It does not tell the block of a VPC (`!GetAtt Vpc.CidrBlock`)."""
    block = template["Resources"]["Vpc"]["Properties"]["CidrBlock"]
    replace(template, lambda node: block if node == {"Fn::GetAtt": ["Vpc", "CidrBlock"]} else node)


def with_plain_alarms(template):
    """It knows no metric math: such an alarm becomes one on the first of its metrics. They are there, and prove nothing."""
    for resource in template["Resources"].values():
        metrics = resource.get("Properties", {}).get("Metrics")
        if resource["Type"] == "AWS::CloudWatch::Alarm" and metrics:
            first = resource["Properties"].pop("Metrics")[0]["MetricStat"]
            resource["Properties"] |= {**first["Metric"], "Statistic": first["Stat"], "Period": first["Period"]}


def with_names_of_secrets(template):
    """It takes `!Ref` of a secret for its name; in AWS that is its ARN."""
    secrets = {name for name, one in template["Resources"].items() if one["Type"] == "AWS::SecretsManager::Secret"}
    replace(template, lambda node: {"Fn::GetAtt": [node["Ref"], "Arn"]} if node.get("Ref") in secrets else node)


def with_states_of_indexes(template):
    """Of a table that CloudFormation made it does not tell in which state its indexes are, which AWS always does and the
    job `deployed` looks at. It tells what else stands in the template."""
    for index in template["Resources"]["UsersTable"]["Properties"]["GlobalSecondaryIndexes"]:
        index["IndexStatus"] = "ACTIVE"


def with_routes_one_by_one(template):
    """It does not read the API description that SAM makes of all routes (`Body`). Each route of that becomes a resource,
    with the target that it has there."""
    paths = translated(template)["Resources"]["Api"]["Properties"]["Body"]["paths"]
    routes = [(path, method, operation) for path, methods in paths.items() for method, operation in methods.items()]
    for number, (path, method, operation) in enumerate(routes):
        integration = operation["x-amazon-apigateway-integration"]
        method = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
        template["Resources"][f"Integration{number}"] = {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": integration["uri"],
                "PayloadFormatVersion": integration["payloadFormatVersion"],
            },
        }
        template["Resources"][f"Route{number}"] = {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "RouteKey": path if path == "$default" else f"{method} {path}",
                "Target": {"Fn::Sub": f"integrations/${{Integration{number}}}"},
            },
        }


def replace(node, new):
    """Puts in place of every mapping in `node` what `new` makes of it."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in list(children):
        node[key] = new(child) if isinstance(child, dict) else child
        replace(node[key], new)


CHANGES = (
    without_ipv6,
    with_the_block_of_the_vpc,
    with_plain_alarms,
    with_names_of_secrets,
    with_states_of_indexes,
    with_routes_one_by_one,
)


def for_emulator(text, emulator_port, cache_port):
    """The template of that text for an emulator and a cache on these ports of loopback."""
    template = yaml_parse(text)
    for change in CHANGES:
        before = copy.deepcopy(template)
        change(template)
        if template == before:
            raise ValueError(f"{change.__name__} changes nothing in the template: is it still needed?")
    # It describes caches and runs none. The parameter names another, as for an operator who has one.
    template["Parameters"]["CacheUrl"]["Default"] = f"redis://127.0.0.1:{cache_port}"
    # Functions find AWS here, by the variables of AWS's own tools.
    for service in ("DYNAMODB", "ELASTICACHE", "LAMBDA", "SECRETS_MANAGER"):
        variable = f"AWS_ENDPOINT_URL_{service}"
        template["Globals"]["Function"]["Environment"]["Variables"][variable] = f"http://127.0.0.1:{emulator_port}"
    # And clients find the front.
    url = f"http://${{Api}}.execute-api.localhost:{emulator_port}/${{Stage}}"
    template["Outputs"]["Url"]["Value"] = {"Fn::Sub": url}
    return yaml.safe_dump(template, sort_keys=False, width=1000)
