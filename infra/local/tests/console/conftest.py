"""A stage and a browser for each test. What a browser says on its console fails the test that made it say so."""

import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.request

import pytest
from playwright.sync_api import expect, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[4]
SHOTS = ROOT / ".tools" / "console-shots"
PATIENCE_MS = 15_000

expect.set_options(timeout=PATIENCE_MS)


class Stage:
    """A running local stage with empty stores."""

    def __init__(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.api = f"{self.url}/local/iwc/badge/user"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [os.environ["STAGE_BIN"], "--port", str(self.port), "--stage", "local", "--at-start", "deployed"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("deployed: "):
                return
        raise RuntimeError("the stage did not start:\n" + "".join(said))

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def door(self, method, name, body=None):
        return self.ask(method, f"{self.url}/_stage/{name}", body)

    def ask(self, method, url, body=None, headers=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def dead_letters(self):
        """What has failed in every attempt, once something has."""
        end = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < end:
            if letters := self.door("GET", "dead_letters"):
                return letters
        raise TimeoutError("nothing has failed for good")

    def code(self, phone):
        """Asks for a code and reads it."""
        before = len(self.door("GET", f"sms?phone={phone}"))
        assert self.ask("POST", f"{self.api}/veri_code", {"phone": phone})["code"] == 0
        end = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < end:
            if len(messages := self.door("GET", f"sms?phone={phone}&wait=1s")) > before:
                return messages[0]["code"]
        raise TimeoutError("no message has come")

    def register(self, phone, name="张三"):
        body = {"user_name": name, "gender": 1, "birth_day": "1990-01-02", "phone": phone, "veri_code": self.code(phone)}
        assert self.ask("POST", f"{self.api}/register", body)["code"] == 0


@pytest.fixture
def stage():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = Stage(port)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses root, which CI is; the pages are the stage's own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        yield playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=arguments)


@pytest.fixture
def console(browser, stage):
    """Opens the console: `console("inbox", lang="zh", theme="dark", width=380)`."""
    said = []
    contexts = []

    def open_console(view="", *, lang="en", theme="light", width=1280, height=860):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, locale="zh-CN" if lang == "zh" else "en-GB")
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.goto(f"{stage.url}/#{view}")
        expect(page.locator(".dot")).not_to_have_class("dot off")
        return page

    yield open_console
    for context in contexts:
        context.close()
    assert said == []


def shot(page, name, *, full_page=True):
    """A picture to look at; git ignores the folder."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=full_page)
