"""An emulator and a browser for each test. A message on the browser's console fails the test."""

import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import time
import urllib.request
from datetime import datetime

import pytest
from playwright.sync_api import expect, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[4]
SHOTS = ROOT / ".tools" / "console-shots"
TIMEOUT_MS = 15_000
MIN_TEXT_PX = 13

expect.set_options(timeout=TIMEOUT_MS)


class Emulator:
    """A running local emulator with empty stores."""

    def __init__(self, port, root=ROOT):
        self.port, self.root = port, root
        # The last session that `sign_in` opened, and the one that new browsers have.
        self.session = self.browser_session = None
        self.url = f"http://127.0.0.1:{port}"
        self.api = f"{self.url}/local/iwc/badge/user"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [os.environ["LOCAL_BIN"], "--root", str(self.root), "--port", str(self.port), "--stage", "local",
             "--at-start", "deployed"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output = []
        for line in self.process.stdout:
            output.append(line)
            if line.startswith("deployed: "):
                return
        raise RuntimeError("the emulator did not start:\n" + "".join(output))

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def control(self, method, path, body=None):
        return self.ask(method, f"{self.url}/_stage/{path}", body)

    def ask(self, method, url, body=None, headers=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def call(self, name, **body):
        """The code of a reply to `POST /user/{name}`."""
        return self.ask("POST", f"{self.api}/{name}", body)["code"]

    def advance(self, seconds):
        self.control("POST", "clock", {"advance_s": seconds})

    def advance_to_midnight(self):
        """Moves the clock to the next midnight of the stage, or to the second behind it, so that a whole day is ahead."""
        clock = self.control("GET", "state")["clock"]
        midnight, now = (datetime.fromisoformat(clock[name]) for name in ("midnight", "now"))
        # Not to the time itself, which may have passed by now.
        self.control("POST", "clock", {"advance_s": int((midnight - now).total_seconds()) + 1})

    def dead_letters(self):
        """The dead letters, once there are some."""
        return poll(lambda: self.control("GET", "dead_letters"), "there is no dead letter")

    def code(self, phone):
        """Requests a code and reads it. A notice, which has none, may arrive behind it."""
        before = len(self.control("GET", f"sms?phone={phone}"))
        assert self.call("veri_code", phone=phone) == 0

        def newer():
            now = self.control("GET", f"sms?phone={phone}&count={before + 1}&wait=1s")
            return next((message["code"] for message in now[: len(now) - before] if message["code"]), None)

        return poll(newer, "no message arrived")

    def register(self, phone, name="张三"):
        body = {"user_name": name, "gender": 1, "birth_day": "1990-01-02", "phone": phone, "city": "310100"}
        assert self.call("register", **body, veri_code=self.code(phone)) == 0

    def sign_in(self, phone):
        """The token of a new session; `session` has its id."""
        self.advance(61)
        body = json.dumps({"phone": phone, "veri_code": self.code(phone)}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.api}/login", data=body), timeout=30) as response:
            cookies = "; ".join(response.headers.get_all("set-cookie"))
            self.session = re.search(r"__sid__=([^;]+)", cookies)[1]
            return json.load(response)["data"]["token"]


def poll(question, failure):
    """The first answer that is true."""
    end = time.monotonic() + TIMEOUT_MS / 1000
    while time.monotonic() < end:
        if answer := question():
            return answer
    raise TimeoutError(failure)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def emulator():
    running = Emulator(free_port())
    yield running
    running.stop()


@pytest.fixture
def emulator_with(tmp_path):
    """Starts an emulator with changed settings: `emulator_with(lambda settings: …)`."""
    started = []

    def start(change):
        (tmp_path / "conf").mkdir()
        (tmp_path / "conf/local.toml").write_text(change((ROOT / "conf/local.toml").read_text()))
        for name in ("infra", ".tools"):
            (tmp_path / name).symlink_to(ROOT / name)
        started.append(Emulator(free_port(), tmp_path))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # Chromium's sandbox does not start as root, which CI is; the pages are our own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        yield playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=arguments)


class Page(http.server.BaseHTTPRequestHandler):
    """An empty page."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def pages():
    """A port with an empty page. By the name `localhost` it is of another site than the API, which is at 127.0.0.1."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture
def console(browser, emulator):
    """Opens the console: `console("inbox", lang="zh", theme="dark", width=380)`."""
    logged = []
    contexts = []

    def open_console(view="", *, lang="en", theme="light", width=1280, height=860):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, locale="zh-CN" if lang == "zh" else "en-GB")
        contexts.append(context)
        if emulator.browser_session:
            context.add_cookies([{"name": "__sid__", "value": emulator.browser_session, "url": emulator.url}])
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.on("console", lambda message: logged.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: logged.append(f"error: {error}"))
        page.goto(f"{emulator.url}/#{view}")
        expect(page.locator(".dot")).not_to_have_class("dot off")
        return page

    yield open_console
    for context in contexts:
        context.close()
    assert logged == []


@pytest.fixture
def filled(emulator):
    """An emulator with content in every view; browsers are signed in as its admin."""
    emulator.register(ADMIN, "李四")
    emulator.control("POST", "users/role", {"phone": ADMIN, "role": "admin"})
    emulator.sign_in(ADMIN)
    emulator.browser_session = emulator.session
    emulator.register("13800138000")
    emulator.call("veri_code", phone="13800138000")
    emulator.sign_in("13800138000")
    emulator.call("login", phone="13800138000", veri_code="000000")
    emulator.ask("GET", f"{emulator.api}/nowhere")
    emulator.control("PUT", "faults", {"sms": {"mode": "refuse"}})
    emulator.call("veri_code", phone="13800138001")
    emulator.dead_letters()
    return emulator


def texts(lang):
    """The texts of the console by key."""
    table = (ROOT / f"infra/local/console/text.{lang}.js").read_text(encoding="utf-8")
    return dict(re.findall(r"^  (\w+): '(.*)',$", table, re.MULTILINE))


def pattern(text):
    """Matches a text whatever its placeholders stand for."""
    return re.compile(".+".join(re.escape(part) for part in re.split(r"\{\w+\}", text)))


VIEWS = ["try", "inbox", "functions", "jobs", "control", "data", "admin", "settings"]
PHONE, ADMIN = "13800138000", "13800138008"


def go(page, view, phone=PHONE):
    """Opens a view of a filled emulator, complete with its detail."""
    page.evaluate("(view) => { location.hash = view; }", f"{view}/{phone}" if view in ("data", "admin") else view)
    expect(page.locator(f'.nav a[href="#{view}"]')).to_have_attribute("aria-current", "page")
    content = {
        "try": "#try-phone", "inbox": ".message", "functions": ".list-row", "jobs": ".dead-letter", "control": ".fault",
        "data": ".limits li", "admin": ".events li", "settings": "tr.differs",
    }
    expect(page.locator(content[view]).first).to_be_visible()
    if view == "functions":
        page.locator(".list-row").first.click()
        expect(page.locator(".attempt").first).to_be_visible()
    if view in ("try", "inbox"):
        expect(page.locator(".message .tag").first).not_to_have_text(re.compile("not confirmed|未确认"))
    if view == "data":
        expect(page.locator(".timeline li").first).to_be_visible()


def route(page, name):
    """Chooses an operation: `login`, `admin/update`."""
    name = name.replace("/", ".")  # Playwright escapes none.
    page.get_by_role("group", name="Operations").get_by_role("button", name=re.compile(rf"\b{name}$")).click()


def fill(page, **fields):
    for name, value in fields.items():
        page.locator(f"#try-{name}").fill(value)


def send(page, code):
    """Sends the form; the response, which replaces the last one, must have that code."""
    page.locator(".reply-body").evaluate_all("bodies => bodies.forEach((body) => body.remove())")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(reply(page).locator(".reply-body")).to_be_visible()
    expect(reply(page).locator("header .tag")).to_have_text(str(code))


def reply(page):
    return page.locator(".panel", has=page.get_by_role("heading", name="Response", exact=True))


def use_code(page):
    page.get_by_role("button", name=re.compile(r"^Use \d{6}$")).click()
    expect(page.locator("#try-veri_code")).to_have_value(re.compile(r"^\d{6}$"))


def request_code(page, phone=PHONE):
    route(page, "veri_code")
    fill(page, phone=phone)
    send(page, 0)
    expect(page.locator(".message").first).to_contain_text(phone)


def shot(page, name, *, full_page=True):
    """A picture for people; git ignores the folder."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=full_page)


# All visible texts: those that are too small, and those that the page or an ancestor cuts off.
LAYOUT = """() => {
  const width = document.documentElement.clientWidth;
  const isHidden = (node) => node.closest('.sr, .sr-only, .skip, thead') && getComputedStyle(node.closest('.sr, .sr-only, .skip, thead')).position === 'absolute';
  const found = { small: [], cut: [], count: 0 };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    const parent = node.parentElement;
    if (!node.data.trim() || !parent.checkVisibility({ visibilityProperty: true }) || isHidden(parent)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 0);
    if (!boxes.length) continue;
    found.count += 1;
    const size = parseFloat(getComputedStyle(parent).fontSize);
    if (size < MIN) found.small.push(`${size} px: ${node.data.trim()}`);
    const right = Math.max(...boxes.map((box) => box.right));
    const left = Math.min(...boxes.map((box) => box.left));
    let isCut = right > width + 1 || left < -1;
    for (let at = parent; at && at !== document.body; at = at.parentElement) {
      if (getComputedStyle(at).overflowX === 'visible') continue;
      const box = at.getBoundingClientRect();
      if (right > box.right + 1 || left < box.left - 1) isCut = true;
    }
    if (isCut) found.cut.push(node.data.trim());
  }
  for (const field of document.querySelectorAll('input, select, textarea')) {
    if (!field.checkVisibility()) continue;
    if (parseFloat(getComputedStyle(field).fontSize) < MIN) found.small.push(field.outerHTML);
    if (field.getBoundingClientRect().right > width + 1) found.cut.push(field.outerHTML);
  }
  return found;
}""".replace("MIN", str(MIN_TEXT_PX))
