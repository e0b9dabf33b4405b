"""What pages of other origins can do in a browser: those of `cors_origins` with a token and not with a cookie, others nothing."""

import pytest

CALL = """async ([url, options]) => {
    try {
        return await (await fetch(url, options)).json();
    } catch (error) {
        return String(error);
    }
}"""


def post(body, content_type="application/json", **options):
    return {"method": "POST", "body": body, "headers": {"content-type": content_type}, **options}


def test_a_page_of_another_origin_signs_in_with_a_token_and_not_with_a_cookie(browser, emulator_with, pages):
    app = f"http://localhost:{pages}"
    emulator = emulator_with(lambda settings: settings.replace("cors_origins = []", f'cors_origins = ["{app}"]'))
    emulator.register("13800138000")
    emulator.advance(61)
    context = browser.new_context()
    page = context.new_page()

    def call(name, **options):
        return page.evaluate(CALL, [f"{emulator.api}/{name}", options])

    page.goto(app)
    login = call("login", **post(f'{{"phone": "13800138000", "veri_code": "{emulator.code("13800138000")}"}}'))
    assert login["code"] == 0, login
    assert context.cookies(emulator.url) == []
    for credential in (f"Bearer {login['data']['token']}", login["data"]["session"]):
        assert call("index", headers={"authorization": credential})["code"] == 0

    # The visitor is signed in at the API's own origin.
    emulator.advance(61)
    page.goto(f"{emulator.url}/docs-or-nothing")
    body = f'{{"phone": "13800138000", "veri_code": "{emulator.code("13800138000")}"}}'
    assert call("login", **post(body))["code"] == 0
    assert call("index")["code"] == 0
    assert {cookie["name"] for cookie in context.cookies(emulator.url)} == {"__sid__", "__did__"}
    page.goto(app)
    assert call("index")["code"] == 10006
    assert call("index", credentials="include") == "TypeError: Failed to fetch"
    newest = emulator.control("GET", "invocations?function=badge-local-user_index&limit=1")[0]
    assert newest["code"] == 10006, "the cookie of the visitor is not read"
    context.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_any_other_origin_can_do_nothing(browser, emulator, pages, host):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://{host}:{pages}")
    body = '{"phone": "13800138001"}'
    sent = page.evaluate(CALL, [f"{emulator.api}/veri_code", post(body, "text/plain")])
    assert sent == "TypeError: Failed to fetch"
    page.evaluate(CALL, [f"{emulator.api}/veri_code", post(body, "text/plain", mode="no-cors", credentials="include")])
    replies = emulator.control("GET", "invocations?function=badge-local-veri_code&limit=2")
    assert [reply["code"] for reply in replies] == [51403, 51403]
    assert emulator.control("GET", "sms?phone=13800138001") == []
    context.close()
