"""The client of clients/typescript in a browser: at the API's own origin it signs in by cookies, on a page of `cors_origins` by
the session of the reply. `make test-clients` compiles it and runs this."""

import os
import pathlib

import pytest

from conftest import poll

pytestmark = pytest.mark.skipif("BADGE_CLIENT" not in os.environ, reason="make test-clients runs it")

PHONE = "13800138000"
OPEN = """async ([module, url]) => {
    const { Badge } = await import(module);
    globalThis.badge = new Badge({ url, language: 'en' });
}"""
CALL = "async ([name, argument]) => badge[name](argument ?? undefined)"
KEPT = "() => badge.credentials"


def open_client(page, address, url):
    """Opens a page at `address` with a client of the API at `url`."""
    text = pathlib.Path(os.environ["BADGE_CLIENT"]).read_text(encoding="utf-8")
    module = f"{address}/client.js"
    page.route(module, lambda route: route.fulfill(body=text, content_type="text/javascript"))
    # Any page of that origin: the API answers in its envelope.
    page.goto(f"{address}/any")
    page.evaluate(OPEN, [module, url])

    def call(name, argument=None):
        return page.evaluate(CALL, [name, argument])

    return call


def sign_in(call, emulator):
    """Registers and signs in through the client; the reply of `login`."""
    person = {"user_name": "张三", "gender": 1, "birth_day": "1990-01-02", "phone": PHONE}
    assert call("veriCode", {"phone": PHONE})["data"]["retry_after"] == 60
    assert call("veriCode", {"phone": PHONE})["error"]["code"] == 11005
    assert "data" in call("register", {**person, "veri_code": code(emulator, 1)})
    emulator.advance(61)
    assert "data" in call("veriCode", {"phone": PHONE})
    wrong = call("login", {"phone": PHONE, "veri_code": "000000"})["error"]
    assert (wrong["code"], wrong["message"]) == (11003, "verification code is wrong or has expired")
    return call("login", {"phone": PHONE, "veri_code": code(emulator, 2)})


def code(emulator, count):
    """The code of the newest message, once there are so many."""
    sent = poll(
        lambda: (found := emulator.control("GET", f"sms?phone={PHONE}&wait=1s")) and len(found) >= count and found,
        "no message arrived")
    return sent[0]["code"]


def is_signed_in(call):
    reply = call("index")
    assert reply.get("error") is None or reply["error"]["code"] == 10006, reply
    return "data" in reply


@pytest.mark.parametrize("url", ["/local/iwc/badge", None])
def test_a_page_of_the_own_origin_is_signed_in_by_a_cookie(browser, emulator, url):
    context = browser.new_context()
    page = context.new_page()
    call = open_client(page, emulator.url, url or emulator.api.removesuffix("/user"))
    login = sign_in(call, emulator)["data"]
    assert "session" not in login
    kept = page.evaluate(KEPT)
    assert sorted(kept) == ["device", "token", "token_ends_at"]
    assert [cookie["name"] for cookie in context.cookies() if cookie["name"] == "__sid__"] == ["__sid__"]
    assert is_signed_in(call)
    # A page that is loaded again has nothing but the cookie.
    call = open_client(page, emulator.url, "/local/iwc/badge")
    assert page.evaluate(KEPT) == {}
    assert is_signed_in(call)
    assert "data" in call("logout")
    assert not is_signed_in(call)
    context.close()


def test_a_page_of_another_origin_is_signed_in_by_the_session_of_the_reply(browser, emulator_with, pages):
    app = f"http://localhost:{pages}"
    emulator = emulator_with(lambda settings: settings.replace("cors_origins = []", f'cors_origins = ["{app}"]'))
    context = browser.new_context()
    page = context.new_page()
    call = open_client(page, app, emulator.api.removesuffix("/user"))
    login = sign_in(call, emulator)["data"]
    assert page.evaluate(KEPT)["session"] == login["session"]
    assert context.cookies() == []
    assert is_signed_in(call)
    assert "data" in call("logout")
    assert sorted(page.evaluate(KEPT)) == ["device"]
    assert not is_signed_in(call)
    context.close()


def test_a_page_of_any_other_origin_gets_a_failure_of_the_network(browser, emulator, pages):
    context = browser.new_context()
    page = context.new_page()
    call = open_client(page, f"http://localhost:{pages}", emulator.api.removesuffix("/user"))
    assert call("veriCode", {"phone": PHONE})["error"]["code"] == "network"
    assert emulator.control("GET", f"sms?phone={PHONE}") == []
    context.close()
