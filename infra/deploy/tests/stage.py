"""A stage in the emulator's account, deployed by the Makefile's own verbs from a copy of this tree."""

import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
from parts import REGION, ROOT, ROOT_KEY, eventually
from template import for_emulator

STAGE = "test"
# What the verbs read. Nothing is built in the copy.
COPIED = ("Makefile", "Cargo.toml", "rust-toolchain.toml", "conf", "functions", "infra/deploy", "infra/dev")
# Of the other crates of the workspace cargo-lambda reads the manifest.
LINKED = ("shared", "infra/local", "infra/bench", "infra/fuzz", "infra/import")
VERB_S = 300
COOL_DOWN_S = 2


@dataclass
class Answer:
    """An answer of the front."""

    status: int
    headers: dict
    body: dict


class Stage:
    """The copy, its stage, and who looks at it from outside."""

    def __init__(self, folder, emulator_port, cache_port, sink, aws):
        self.folder, self.port, self.sink, self.clients = folder, emulator_port, sink, {}
        # No two in one range of numbers, as ranges have limits too.
        self.phones = iter(range(13_800_130_000, 13_900_000_000, 10_007))
        for part in COPIED:
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        for part in LINKED:
            (folder / part).symlink_to(ROOT / part)
        # These alone: other tools know where they were installed, and a verb would install them again.
        (folder / ".tools").mkdir()
        (folder / ".tools/aws").symlink_to(aws)
        (folder / ".tools/lambda").symlink_to(ROOT / ".tools/lambda")
        template = (ROOT / "infra/template.yaml").read_text()
        (folder / "infra/template.yaml").write_text(for_emulator(template, emulator_port, cache_port))
        # As the operator of a stage fills it in.
        self.set_conf('provider = "sns"', 'provider = "http"')
        self.set_conf('sms_url = ""', f'sms_url = "{sink.url}"')
        # Nobody can move the emulator's clock, so a phone cools down sooner.
        self.set_conf('key = "phone", window = "60s", max = 1', f'key = "phone", window = "{COOL_DOWN_S}s", max = 1')

    # ---- the operator -------------------------------------------------------------------------------------

    def run(self, *command):
        """Whether a command went well in the copy, with the account's own keys, and what it said."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CARGO_TARGET", "MAKE"))}
        environment |= ROOT_KEY | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_REGION": REGION,
            "BUILT_IN": os.environ["BUILT_IN"],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        pipes = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        run = subprocess.run(command, cwd=self.folder, env=environment, timeout=VERB_S, check=False, **pipes)
        # The command line tells of uploads, over and over.
        output = re.sub(r"\r?Uploading to [^(]*\([0-9.]+%\)", "", run.stdout + run.stderr)
        return run.returncode == 0, output

    def make(self, verb, **variables):
        """Whether `make verb STAGE=test` went well, and what it said."""
        given = [f"{name}={value}" for name, value in variables.items()]
        return self.run("make", "--no-print-directory", verb, f"STAGE={STAGE}", *given)

    def done(self, verb, **variables):
        """What a verb says that goes well."""
        is_done, output = self.make(verb, **variables)
        assert is_done, f"make {verb} {variables}:\n{output}"
        return output

    def set_conf(self, old, new):
        """Changes a line of the stage's settings, which are part of every function's package."""
        file = self.folder / f"conf/{STAGE}.toml"
        text = file.read_text()
        assert text.count(old) == 1, f"{old} is {text.count(old)} times in {file}"
        file.write_text(text.replace(old, new))

    def aws(self, service):
        """The account, by AWS's own client."""
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,
                endpoint_url=f"http://127.0.0.1:{self.port}",
                region_name=REGION,
                aws_access_key_id=ROOT_KEY["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=ROOT_KEY["AWS_SECRET_ACCESS_KEY"],
            )
        return self.clients[service]

    def functions(self):
        """Names of the stage's functions without its prefix: their folders."""
        return sorted(path.name for path in (self.folder / "functions").glob("*/*"))

    def name(self, function):
        return f"badge-{STAGE}-{function}"

    @contextmanager
    def throttled(self, function):
        """Lambda does not move aliases of this function."""
        file = self.folder.parent / "emulator/throttled"
        file.write_text(self.name(function))
        try:
            yield
        finally:
            file.unlink()

    def current_release(self):
        return next(line.split()[1] for line in self.done("releases").splitlines() if line.startswith("*"))

    def versions(self, alias="live"):
        """The version of every function that has the alias."""
        client = self.aws("lambda")
        found = {}
        for function in self.functions():
            aliases = client.list_aliases(FunctionName=self.name(function))["Aliases"]
            found |= {function: one["FunctionVersion"] for one in aliases if one["Name"] == alias}
        return found

    def lines(self, function):
        """Log lines of a function."""
        events = self.aws("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/badge/{STAGE}/functions")
        texts = [event["message"] for page in events for event in page["events"] if event["message"].startswith("{")]
        return [line for line in map(json.loads, texts) if line.get("function") == self.name(function)]

    # ---- clients ------------------------------------------------------------------------------------------

    def send(self, method, path, body=None, **headers):
        """A request to the front, of nobody in particular."""
        api = self.aws("apigatewayv2").get_apis()["Items"][0]["ApiId"]
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        request.add_header("host", f"{api}.execute-api.localhost:{self.port}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, dict(answer.headers), json.load(answer))
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), json.load(error))

    def post(self, endpoint, body, **headers):
        return self.send("POST", f"/{STAGE}/iwc/badge/user/{endpoint}", body, **headers).body

    def index(self, **headers):
        return self.send("GET", f"/{STAGE}/iwc/badge/user/index?limit=100", **headers).body

    def phone(self):
        """A phone that no other test has."""
        return str(next(self.phones))

    def ask(self, phone):
        """Asks for a code, as soon as the phone may have one."""

        def asked():
            answer = self.post("veri_code", {"phone": phone})
            return answer["code"] != 11005 and answer

        answer = eventually("the end of the cool-down", 3 * COOL_DOWN_S, asked)
        assert answer["code"] == 0, answer
        return answer["data"]

    def code(self, phone):
        """Asks for a code, and reads it in the message."""
        before = len(self.sink.to(f"+86{phone}"))
        self.ask(phone)
        texts = eventually("the message", 10, lambda: self.sink.to(f"+86{phone}")[before:])
        return re.search(r"\d{6}", texts[-1]).group()

    def applicant(self, phone, code):
        return {"user_name": "张三", "gender": 1, "birth_day": "1990-01-02", "phone": phone, "veri_code": code}

    def register(self):
        """A new user: the phone, and the id."""
        phone = self.phone()
        answer = self.post("register", self.applicant(phone, self.code(phone)))
        assert answer["code"] == 0, answer
        return phone, answer["data"]["user_id"]

    def login(self, phone):
        """A sign-in with a new code: the answer."""
        return self.send("POST", f"/{STAGE}/iwc/badge/user/login", {"phone": phone, "veri_code": self.code(phone)})
