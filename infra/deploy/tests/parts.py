"""The processes beside the tests, and the SMS provider. All listen on loopback only, and end with the tests."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[3]

# The account's own keys: they may do everything. Functions get others, for their roles.
ROOT_KEY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
# The AWS command line 1 asks for queues at AWS itself, whatever AWS_ENDPOINT_URL says, in most regions; not in this one.
REGION = "eu-central-2"
START_S = 30


def eventually(what, seconds, look):
    """What `look` gives as soon as that is something; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)
    return found


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running(what, command, port, log, **options):
    """A process that listens on that port; ended by its id, whatever has happened."""
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, **options)
    try:
        def is_up():
            assert process.poll() is None, f"{what} ended: {Path(log).read_text()}"
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", port)) == 0

        eventually(what, START_S, is_up)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cache(folder):
    """A Redis or Valkey server, as infra/dev/redis.sh finds one."""
    path = f"{ROOT / '.tools/bin'}{os.pathsep}{os.environ['PATH']}"
    server = shutil.which("valkey-server", path=path) or shutil.which("redis-server", path=path)
    port = free_port()
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return running("the cache", command, port, folder / "cache.log")


def emulator(folder):
    """ministack, which looks at every signature and every policy. What it runs gets its environment, so it has little."""
    port = free_port()
    environment = ROOT_KEY | {
        "AUTH": "true",
        "GATEWAY_PORT": str(port),
        # Lambda waits a minute and then two before it tries an event again.
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2",
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(Path(__file__).parent),
        "TMPDIR": str(folder),
    }
    command = [sys.executable, "-m", "hypercorn", "app:app", "--bind", f"127.0.0.1:{port}", "--workers", "0"]
    return running("the emulator", command, port, folder / "emulator.log", env=environment)


class Sink:
    """An SMS provider: records messages, and refuses numbers as often as a test asks for."""

    def __init__(self):
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                message = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status = sink.take(message)
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/messages"
        self.accepted, self.refused, self.refusals = [], [], {}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, message):
        left = self.refusals.get(message["phone"], 0)
        self.refusals[message["phone"]] = left - 1
        (self.refused if left > 0 else self.accepted).append(message)
        return http.client.SERVICE_UNAVAILABLE if left > 0 else http.client.OK

    def refuse(self, phone, times):
        """The next so many messages to that phone (E.164) are refused."""
        self.refusals[phone] = times

    def to(self, phone, messages=None):
        return [one["text"] for one in (self.accepted if messages is None else messages) if one["phone"] == phone]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
