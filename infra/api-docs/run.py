"""Runs the samples of docs/examples as they are, each with an empty stage: plays the person who reads the codes and types
them. Every operation must have answered with code 0, whatever a sample makes of the answers.

    run.py ORIGIN
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

import httpx

import build

COMMANDS = {
    "curl/account.sh": ["sh"],
    "javascript/account.mjs": ["node"],
    "python/account.py": [sys.executable],
}
PHONE = "13800138000"
LONGEST_SECS = 60


class Person:
    """The user of a program: types the code of each SMS once, and moves the clock where a program waits. A question that names a
    phone is about its SMS."""

    def __init__(self, origin, *, becomes_admin):
        self.becomes_admin = becomes_admin
        self.control = httpx.Client(base_url=f"{origin}/_stage/", timeout=15)
        self.read = Counter()
        # It also clears the list of invocations.
        self.control.post("reset").raise_for_status()

    def answer(self, question):
        if "Enter" in question:
            self.control.post("clock", json={"advance_s": 61}).raise_for_status()
            return ""
        phone = next(iter(re.findall(r"\b\d{11}\b", question)), PHONE)
        self.read[phone] += 1
        # The reply of `veri_code` does not wait for the SMS.
        give_up = time.monotonic() + LONGEST_SECS
        while len(codes := self.codes(phone)) < self.read[phone]:
            if time.monotonic() > give_up:
                raise RuntimeError("no SMS came")
            time.sleep(0.02)
        if self.becomes_admin and self.read[PHONE] == 2:
            # Signs in next: as an admin, who may call everything.
            self.control.post("users/role", json={"phone": PHONE, "role": "admin"}).raise_for_status()
        return codes[0]

    def codes(self, phone):
        """The codes that the phone got, newest first. Notices have none, and may arrive behind one."""
        messages = self.control.get("sms", params={"phone": phone}).json()
        return [message["code"] for message in messages if message["code"]]

    def has_seen(self, operation):
        """Whether it has answered with code 0."""
        calls = self.control.get("invocations", params={"function": operation}).raise_for_status().json()
        return any(call["code"] == 0 for call in calls)


# Samples define a function for it, and do not call it.
SHOWN_ALONE = {"change_phone", "delete_account"}


def converse(command, environment, person):
    """Runs a program to its end, and returns its exit code and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        program = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        timer = threading.Timer(LONGEST_SECS, program.kill)
        timer.start()
        said, asked = b"", 0
        # A question ends without a line's end, and the program waits behind it.
        while part := os.read(program.stdout.fileno(), 4096):
            said += part
            question = said[asked:].decode(errors="replace").rpartition("\n")[2]
            if question.endswith(": "):
                asked = len(said)
                program.stdin.write(f"{person.answer(question)}\n".encode())
                program.stdin.flush()
        code = program.wait()
        timer.cancel()
    return code, said.decode(errors="replace")


def main(origin):
    # Not every sample has the calls of admins, and what ends the account or moves it is shown and not done.
    described = build.operations(build.load("openapi.yaml"))
    operations = [operation["operationId"] for operation in described if operation["tags"] != ["admin"]]
    operations = [operation for operation in operations if operation not in SHOWN_ALONE]
    environment = os.environ | {"BADGE_URL": f"{origin}/local/iwc/badge"}
    for file, command in COMMANDS.items():
        print(f"docs/examples/{file}", file=sys.stderr)
        person = Person(origin, becomes_admin=True)
        code, said = converse([*command, str(build.EXAMPLES / file)], environment, person)
        if code != 0:
            sys.exit(f"{said}\nerror: docs/examples/{file} ended with {code}")
        if missed := [operation for operation in operations if not person.has_seen(operation)]:
            sys.exit(f"{said}\nerror: docs/examples/{file}: no answer with code 0 from {', '.join(missed)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
