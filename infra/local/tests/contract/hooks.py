"""What schemathesis checks of every reply beyond what docs/openapi.yaml can say. HTTP is always 200 here, so the
checks that read a status are replaced by these, which read the code in the envelope."""

import datetime
import itertools
import json
import os
import pathlib
import re
import signal
import sys
import urllib.parse
import zlib

import schemathesis
from hypothesis import strategies as st

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import accounts  # noqa: E402
import description  # noqa: E402
import parameters  # noqa: E402

LEAST_REQUESTS = 1_000
LONGEST_S = 170
# So deep into each route the requests must get.
SEEN_AT_LEAST = {
    "veri_code": {0, 11001},
    "register": {11001, 11003},
    "login": {11001, 11003},
    "logout": {0, 10006},
    "user_index": {0, 10005, 10006, 11001},
    "user_me": {0, 10005, 10006},
    "user_update": {0, 10005, 10006, 11001},
    "admin_user": {10005, 10006, 10007, 11001},
    "admin_audit": {10006, 10007, 11001, 11004},
}
OURS = {15001, 15002, 15003, 15004, 50000}
PHONES = [f"1390000{n:04}" for n in range(8)]
ADMIN = "13900000008"

# Ends the whole run when it takes too long.
signal.alarm(LONGEST_S)

# Days around the first and the last that are accepted, instead of any from the year 1 on.
schemathesis.openapi.format("date", st.dates(datetime.date(1890, 1, 1), datetime.date(2040, 1, 1)).map(str))

MESSAGES = None
CREDENTIALS = accounts.Stage(os.environ["BADGE_ORIGIN"]).sign_in(PHONES, ADMIN)
# The admin asks only what changes nobody.
PEOPLE = CREDENTIALS[:-1]
SESSIONS = {session for session, _ in CREDENTIALS}
TOKENS = {token for _, token in CREDENTIALS}


@schemathesis.hook
def before_load_schema(_context, raw_schema):
    global MESSAGES  # noqa: PLW0603, the hook is the only place that has the document
    MESSAGES = description.Messages(raw_schema)
    raw_schema.update(description.strict(raw_schema))


def cookie(case, session, _token):
    case.cookies["__sid__"] = session


def header(form):
    def put(case, session, token):
        case.headers["Authorization"] = form.format(session=session, token=token)

    return put


def as_generated(_case, _session, _token):
    pass


class Credentials:
    """Gives a route one way after the other to be signed in, and now and then what schemathesis made up. The same
    request always gets the same one, so that a failure can be had again."""

    def __init__(self, ways, credentials=PEOPLE):
        self.choices = list(itertools.product(ways, credentials))

    def choose(self, case):
        content = repr((case.query, sorted(case.headers.items()), case.body))
        return self.choices[zlib.crc32(content.encode("utf-8", "surrogatepass")) % len(self.choices)]


SESSION_WAYS = [as_generated, cookie, header("{session}")]
ALL_WAYS = [
    *SESSION_WAYS,
    header("jwt {token}"),
    header("Bearer {token}"),
    header("jwt {token}x"),
    header("Bearer {session}"),
]
# Nobody is signed in at `end_sessions`, which would end the sessions of all other routes.
WAYS = {
    "logout": Credentials(SESSION_WAYS),
    "user_token": Credentials(SESSION_WAYS),
    "user_export": Credentials(SESSION_WAYS),
    "user_index": Credentials(ALL_WAYS),
    "user_me": Credentials(ALL_WAYS),
    "user_update": Credentials(ALL_WAYS),
    "user_sessions": Credentials(ALL_WAYS),
    "admin_user": Credentials(ALL_WAYS, CREDENTIALS),
    "admin_update": Credentials(ALL_WAYS),
    "admin_audit": Credentials(ALL_WAYS, CREDENTIALS),
}


@schemathesis.auth(refresh_interval=None).apply_to(operation_id=list(WAYS))
class SignIn:
    def get(self, case, _context):
        way, credentials = WAYS[operation_of(case)].choose(case)
        return None if way is as_generated else (way, credentials)

    def set(self, case, data, _context):
        way, credentials = data
        way(case, *credentials)


def operation_of(case):
    return case.operation.definition.raw["operationId"]


def is_declared(response, case):
    return response.request.method == case.operation.method.upper()


def body_of(response):
    body = response.request.body or b""
    return body.encode("utf-8") if isinstance(body, str) else bytes(body)


def envelope_of(response):
    return json.loads(response.content)


@schemathesis.check
def envelope_is_whole(_ctx, response, _case):
    assert response.status_code == 200, "HTTP is always 200"
    assert response.headers.get("content-type", [""])[0].split(";")[0] == "application/json"
    assert response.headers.get("cache-control") == ["no-store"]
    assert response.headers.get("x-request-id"), "a reply without x-request-id"
    if response.request.method == "HEAD":
        return
    envelope = envelope_of(response)
    assert list(envelope) in (["code", "msg", "data"], ["code", "msg", "data", "next"]), f"keys {list(envelope)}"
    assert envelope["data"] is not None, "data is null"


@schemathesis.check
def message_is_of_the_table(_ctx, response, _case):
    if response.request.method == "HEAD":
        return
    envelope = envelope_of(response)
    assert any(MESSAGES.languages(envelope["code"], envelope["msg"])), f"{envelope['code']}: {envelope['msg']!r}"
    fault = parameters.message_fault(envelope)
    assert fault is None, fault


@schemathesis.check
def never_a_fault_of_ours(_ctx, response, _case):
    if response.request.method != "HEAD":
        assert envelope_of(response)["code"] not in OURS, "a fault of ours"


@schemathesis.check
def wrong_method_is_51405(_ctx, response, case):
    if is_declared(response, case) or response.request.method == "HEAD":
        return
    envelope = envelope_of(response)
    path = urllib.parse.urlsplit(response.request.url).path
    assert envelope["code"] == 51405, f"code {envelope['code']}"
    assert envelope["msg"] == f"Method {response.request.method} not allowed for URL {path}"


@schemathesis.check
def parameters_are_read_as_promised(_ctx, response, case):
    operation = operation_of(case)
    if is_declared(response, case) and operation in parameters.REQUIRED:
        envelope = envelope_of(response)
        # Read after the body, so who hears of the key sent a good body.
        if envelope["code"] == 11001 and "idempotency_key" in (envelope["data"] or {}):
            assert "Idempotency-Key" in response.request.headers, "a key was refused that nobody sent"
            return
        fault = parameters.fault(operation, body_of(response), envelope)
        assert fault is None, fault


@schemathesis.check
def page_is_as_large_as_asked(_ctx, response, case):
    envelope = envelope_of(response) if response.request.method != "HEAD" else {}
    if operation_of(case) != "user_index" or not is_declared(response, case) or envelope["code"] not in (0, 11001):
        return
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(response.request.url).query, keep_blank_values=True)
    asked = [value for value in query.get("limit", []) if value]
    if len(asked) != 1:
        return
    verdict = parameters.limit(asked[0])
    refused = envelope["code"] == 11001 and "limit" in envelope["data"]
    assert verdict is None or verdict != refused, f"limit {asked[0]!r}: {envelope['msg']}"
    if verdict and not refused and envelope["code"] == 0:
        assert len(envelope["data"]) <= int(asked[0]), "more users than asked for"


@schemathesis.check
def strangers_stay_out(_ctx, response, case):
    if not is_declared(response, case) or case.operation.definition.raw.get("x-badge-open"):
        return
    headers = response.request.headers
    shown = {headers.get("Authorization", "").removeprefix("jwt ").removeprefix("Bearer ")}
    shown |= set(re.findall(r"__sid__=([^;]*)", headers.get("Cookie", "")))
    if not shown & (SESSIONS | TOKENS):
        assert envelope_of(response)["code"] in (10005, 10006), "a stranger was let in"


@schemathesis.check
def chinese_unless_asked_otherwise(_ctx, response, _case):
    if response.request.method == "HEAD" or "Accept-Language" in response.request.headers:
        return
    envelope = envelope_of(response)
    if 10000 <= envelope["code"] < 51000:
        assert re.search(r"[\u4e00-\u9fff]", envelope["msg"]), f"not Chinese: {envelope['msg']}"


@schemathesis.check
class asks_enough:  # noqa: N801, a name beside those of the other checks
    """The run is large enough: it called every operation often, with and without credentials."""

    def __init__(self):
        self.requests = set()
        self.codes = {}

    def after_response(self, _ctx, response, case):
        self.requests.add(case.id)
        if is_declared(response, case):
            self.codes.setdefault(operation_of(case), set()).add(envelope_of(response)["code"])

    def after_run(self, _ctx):
        print(f"\n{len(self.requests)} requests; codes seen:", file=sys.stderr)
        for operation, codes in sorted(self.codes.items()):
            print(f"  {operation}: {', '.join(map(str, sorted(codes)))}", file=sys.stderr)
        assert len(self.requests) >= LEAST_REQUESTS, f"only {len(self.requests)} requests"
        for operation, codes in SEEN_AT_LEAST.items():
            unseen = codes - self.codes.get(operation, set())
            assert not unseen, f"{operation} never gave {unseen}"
