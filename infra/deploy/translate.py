"""Makes of infra/template.yaml what CloudFormation would get of it, by SAM's own translator.

    translate.py infra/template.yaml

cfn-lint reads SAM's own resources but loosely; what comes out of this it reads in full.
"""

import copy
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


def translated(template, **parameters):
    """The template without anything of SAM, for a stage with these parameters; the one that was given stays as it is."""
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # As it is once the code was uploaded.
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    return transform(template, {"Stage": "test", **parameters}, NoPolicies())


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        template = yaml_parse(file)
    # Functions without traces do not mention them, so the checks are of a stage that has them.
    template["Parameters"]["Tracing"]["Default"] = "Active"
    template = translated(template)
    # SAM alone reads them, so cfn-lint would find no use of them.
    del template["Mappings"], template["Parameters"]["Canary"]
    json.dump(template, sys.stdout)
