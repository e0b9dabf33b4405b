"""`[deploy] canary`: what SAM makes of it. The emulator has no CodeDeploy."""

import sys

import pytest
from parts import ROOT
from samtranslator.yaml_helper import yaml_parse

sys.path.insert(0, str(ROOT / "infra/deploy"))
from parameters import SETTINGS  # noqa: E402
from translate import translated  # noqa: E402

TEMPLATE = yaml_parse((ROOT / "infra/template.yaml").read_text())
WAYS = [way for way in TEMPLATE["Parameters"]["Canary"]["AllowedValues"] if way != "none"]


def test_without_the_setting_there_is_nothing_of_codedeploy():
    assert SETTINGS["canary"] == "Canary" and TEMPLATE["Parameters"]["Canary"]["Default"] == "none"
    made = translated(TEMPLATE)["Resources"].values()
    assert not [one for one in made if one["Type"].startswith("AWS::CodeDeploy::")]
    assert not [one for one in made if "UpdatePolicy" in one]


@pytest.mark.parametrize("way", WAYS)
def test_each_alias_moves_by_codedeploy_and_goes_back_by_an_alarm(way):
    made = translated(TEMPLATE, Canary=way)["Resources"]
    groups = {name: one for name, one in made.items() if one["Type"] == "AWS::CodeDeploy::DeploymentGroup"}
    aliases = {name: one for name, one in made.items() if one["Type"] == "AWS::Lambda::Alias"}
    functions = [path for path in (ROOT / "functions").glob("*/*") if path.is_dir()]
    assert len(groups) == len(aliases) == len(functions)
    moved_by = {one["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"] for one in aliases.values()}
    assert moved_by == set(groups)
    for group in (one["Properties"] for one in groups.values()):
        assert way in str(group["DeploymentConfigName"])
        alarms = [one["Name"]["Ref"] for one in group["AlarmConfiguration"]["Alarms"]]
        # An alarm that waits for the API would wait for itself: its routes wait for the aliases.
        assert alarms and not [name for name in alarms if "'Ref': 'Api'" in str(TEMPLATE["Resources"][name])]
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
