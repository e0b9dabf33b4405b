"""The contract through the emulator's front: shared/contract.md, each code where a client meets it."""

import re
import sys

import pytest
import yaml
from stage import STAGE
from parts import ROOT

PATHS = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())["paths"]
OPERATIONS = [(method.upper(), path) for path, methods in PATHS.items() for method in methods]


def test_a_stage_comes_up_in_an_empty_account_and_works(stage):
    assert "Successfully created/updated stack - badge-test" in stage.first
    assert "deployed at" in stage.first and "not logged in, as it should be" in stage.first
    assert stage.versions() == dict.fromkeys(stage.functions(), "1")
    assert f"/{STAGE}" in stage.done("outputs")


def test_an_account_from_its_first_code_to_its_logout(stage):
    phone, user = stage.register()
    login = stage.login(phone)
    assert (login.status, login.body["code"], login.body["data"]["user_id"]) == (200, 0, user), login
    cookie = login.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "; Secure" in cookie
    # The emulator hands a cookie over as a header and not as API Gateway does, so the session's id comes bare.
    session, token = cookie.split(";")[0].removeprefix("__sid__="), login.body["data"]["token"]

    for credential in (session, f"jwt {token}", f"Bearer {token}"):
        rows = stage.index(Authorization=credential)
        assert rows["code"] == 0, (credential.split()[0], rows)
        mine = next(row for row in rows["data"] if row["id"] == user)
        assert (mine["phone"], mine["birth_day"]) == (f"+86*********{phone[-2:]}", None)

    assert stage.post("logout", {}, Authorization=session)["code"] == 0
    assert stage.index(Authorization=session)["code"] == 10006


def test_an_admin_sees_values_from_the_next_sign_in_on(stage):
    phone, user = stage.register()
    stage.done("admin", PHONE=f"+86{phone}")
    token = stage.login(phone).body["data"]["token"]
    mine = next(row for row in stage.index(Authorization=f"jwt {token}")["data"] if row["id"] == user)
    assert (mine["phone"], mine["birth_day"]) == (f"+86{phone}", "1990-01-02")


def test_a_key_is_published_before_it_signs(stage):
    # As `make rotate` does, whose Python is the one that runs this.
    is_done, output = stage.run(sys.executable, "infra/deploy/rotate.py", STAGE)
    assert is_done, output
    for secret in ("jwt", "veri_code", "sms"):
        assert f"badge/{STAGE}/{secret}: k2 will sign next" in output
    phone, _ = stage.register()
    assert stage.login(phone).body["code"] == 0


@pytest.mark.parametrize("method, path", OPERATIONS)
def test_every_route_of_the_description_has_its_function(stage, method, path):
    answer = stage.send(method, f"/{STAGE}/iwc/badge{path}", {} if method == "POST" else None)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.body["code"] in (0, 10006, 11001), answer.body
    wrong = stage.send("DELETE", f"/{STAGE}/iwc/badge{path}").body
    assert wrong["code"] == 51405, wrong


def test_each_route_calls_the_alias_of_its_function_and_may(stage):
    gateway, functions = stage.aws("apigatewayv2"), stage.aws("lambda")
    api = gateway.get_apis()["Items"][0]["ApiId"]
    routes = gateway.get_routes(ApiId=api)["Items"]
    targets = {one["IntegrationId"]: one["IntegrationUri"] for one in gateway.get_integrations(ApiId=api)["Items"]}
    assert len(routes) == len(targets) == 2 * len(OPERATIONS) + 1
    for route in routes:
        uri = targets[route["Target"].removeprefix("integrations/")]
        function, alias = re.search(r":function:([^/]+):([^/:]+)/invocations$", uri).groups()
        assert alias == "live", route
        # The emulator lets the front call whatever it names.
        policy = functions.get_policy(FunctionName=function, Qualifier=alias)["Policy"]
        assert "apigateway.amazonaws.com" in policy, route


@pytest.mark.parametrize("path", ["/", f"/{STAGE}", f"/{STAGE}/iwc/badge/user/login/", "/other/path"])
def test_any_other_path_is_not_found_in_the_envelope(stage, path):
    answer = stage.send("GET", path)
    assert (answer.status, answer.body["code"]) == (200, 51404), answer


def test_what_a_client_gets_wrong_has_its_code(stage):
    phone = stage.phone()
    code = stage.code(phone)
    assert stage.post("register", {})["msg"] == "user_name,gender,birth_day,phone,veri_code参数缺失"
    assert stage.post("register", stage.applicant("12345", code))["code"] == 11001
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    assert stage.post("register", stage.applicant(phone, wrong))["code"] == 11003
    assert stage.post("login", {"phone": phone, "veri_code": code})["code"] == 11004
    assert stage.post("register", stage.applicant(phone, code))["code"] == 0
    assert stage.post("register", stage.applicant(phone, stage.code(phone)))["code"] == 11002
    stage.ask(phone)
    assert stage.post("veri_code", {"phone": phone})["code"] == 11005
    assert stage.index()["code"] == 10006
    assert stage.index(Authorization="jwt nonsense")["code"] == 10005
