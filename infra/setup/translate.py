"""Makes of infra/template.yaml what CloudFormation would get of it, by SAM's own translator.

cfn-lint reads SAM's own resources but loosely; what comes out of this it reads in full.
"""

import json
import os
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

# Names in ARNs of AWS's own policies depend on it, and nothing else.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")


class NoPolicies:
    """AWS's own policies by name, of which the template names none."""

    def load(self):
        return {}


with open(sys.argv[1]) as file:
    template = yaml_parse(file)
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        # As it is once the code was uploaded.
        resource["Properties"]["CodeUri"] = "s3://bucket/key"
json.dump(transform(template, {"Stage": "test"}, NoPolicies()), sys.stdout)
