"""cargo-lambda as the docs have it: `deploy`, bare, for every function, and `watch` with `invoke`."""

import os

import pytest
from parts import REGION, ROOT, ROOT_KEY, free_port, running
from stage import STAGE

# What a new version of the code changes in the description of a function. All else is the template's.
OF_THE_CODE = ("CodeSha256", "CodeSize", "FunctionArn", "LastModified", "RevisionId", "Version")


def settings(stage, function, qualifier):
    found = stage.aws("lambda").get_function_configuration(FunctionName=stage.name(function), Qualifier=qualifier)
    return {
        name: value
        for name, value in found.items()
        if name not in (*OF_THE_CODE, "ResponseMetadata") and not name.startswith(("LastUpdateStatus", "State"))
    }


def deploy(stage, function):
    path = f"PATH={stage.folder / '.tools/lambda/bin'}{os.pathsep}{os.environ['PATH']}"
    given = ("--binary-name", function, "--alias", "live", stage.name(function))
    is_done, output = stage.run("env", path, "cargo", "lambda", "deploy", *given)
    assert is_done, output


@pytest.mark.slow
def test_cargo_lambda_deploys_every_function_bare_and_changes_its_code_alone(stage):
    before = stage.versions()
    # The emulator's CloudFormation leaves the network out.
    network = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    stage.aws("lambda").update_function_configuration(FunctionName=stage.name("login"), VpcConfig=network)
    known = {name: settings(stage, name, "$LATEST") for name in before}
    assert known["login"]["VpcConfig"]["SubnetIds"] and known["login"]["Environment"]["Variables"]["STAGE"]
    first = stage.current_release()
    for function in before:
        deploy(stage, function)
    by_hand = stage.versions()
    assert all(by_hand[name] != before[name] for name in before), (before, by_hand)
    for qualifier in ("$LATEST", "live"):
        assert known == {name: settings(stage, name, qualifier) for name in before}, qualifier
    assert stage.index()["code"] == 10006
    stage.done("job", NAME="deployed")

    # What was made live by hand is a release, so there is a way back to it, and from it.
    stage.done("push", FN="login")
    assert "  found  " in stage.done("releases")
    stage.done("rollback")
    assert stage.versions() == by_hand
    stage.done("rollback", TO=first)
    assert stage.versions() == before


def test_a_function_runs_under_cargo_lambda_watch(stage, tmp_path):
    """docs/debugging.md. `--only-lambda-apis` compiles nothing: what watch would start is what the stage runs."""
    function, tool = "user_index", str(stage.folder / ".tools/lambda/bin/cargo-lambda")
    address = ("--invoke-address", "127.0.0.1", "--invoke-port", str(port := free_port()))
    event = tmp_path / "event.json"
    recorded = (ROOT / f"infra/local/events/{function}.json").read_text()
    event.write_text(recorded.replace("/local/", f"/{STAGE}/").replace('"stage": "local"', f'"stage": "{STAGE}"'))
    folder = stage.folder / "target/lambda" / function
    found = stage.aws("lambda").get_function_configuration(FunctionName=stage.name(function))
    environment = found["Environment"]["Variables"] | ROOT_KEY | {
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{port}/.rt/{function}",
        "AWS_REGION": REGION,
        # Not the package's settings, which a test of broken ones may have left there.
        "LAMBDA_TASK_ROOT": str(stage.folder),
    }
    watch = [tool, "lambda", "watch", "--only-lambda-apis", *address]
    with running("cargo lambda watch", watch, port, tmp_path / "watch.log", cwd=stage.folder):
        with running(function, [folder / "bootstrap"], port, tmp_path / "log", cwd=folder, env=environment):
            is_done, output = stage.run("timeout", "20", tool, "lambda", "invoke", function, *address, "--data-file", str(event))
    assert is_done and '\\"code\\":10006' in output, (output, (tmp_path / "log").read_text())
