"""What an engineer does in the console in the first ten minutes."""

import json
import re
import subprocess

from conftest import shot
from playwright.sync_api import expect

PHONE = "13800138000"


def route(page, name):
    page.get_by_role("group", name="Routes").get_by_role("button", name=re.compile(rf"\b{name}$")).click()


def fill(page, **fields):
    for name, value in fields.items():
        page.locator(f"#try-{name}").fill(value)


def send(page, code):
    """Sends the form; the reply must have that code."""
    page.get_by_role("button", name="Send", exact=True).click()
    expect(reply(page).locator("header .tag")).to_have_text(str(code))


def reply(page):
    return page.locator(".panel", has=page.get_by_role("heading", name="Reply", exact=True))


def use_code(page):
    page.get_by_role("button", name=re.compile(r"^Use \d{6}$")).click()
    expect(page.locator("#try-veri_code")).to_have_value(re.compile(r"^\d{6}$"))


def ask_for_code(page):
    route(page, "veri_code")
    fill(page, phone=PHONE)
    send(page, 0)
    expect(page.locator(".message").first).to_contain_text(PHONE)


def sign_up_and_in(page):
    ask_for_code(page)
    route(page, "register")
    fill(page, user_name="张三", birth_day="1990-01-02")
    page.locator("#try-gender").select_option("2")
    use_code(page)
    send(page, 0)
    # The next code may be asked for after 60 seconds.
    before = page.locator(".message").count()
    route(page, "veri_code")
    send(page, 11005)
    page.get_by_role("button", name=re.compile(r"^Let .+ pass$")).click()
    expect(page.get_by_text(re.compile("^It is 20"))).to_be_visible()
    send(page, 0)
    expect(page.locator(".message")).to_have_count(before + 1)
    route(page, "login")
    use_code(page)
    send(page, 0)


def test_a_newcomer_registers_and_logs_in_with_the_code_from_the_inbox(console, stage):
    page = console()
    sign_up_and_in(page)
    expect(page.get_by_text(re.compile(r"^Good for (20|19) min"))).to_be_visible()
    route(page, "index")
    send(page, 0)
    expect(reply(page).locator(".reply-body")).to_contain_text("张三")
    shot(page, "try-logged-in")
    page.get_by_role("link", name="Its invocation").click()
    expect(page.locator(".attempt h2")).to_have_text("user_index")
    expect(page.locator(".attempt")).to_contain_text("Redis × 1")
    expect(page.locator(".attempt")).to_contain_text("for a million like this")


def test_a_session_expires_when_the_clock_is_moved(console, stage):
    page = console()
    sign_up_and_in(page)
    route(page, "index")
    send(page, 0)
    page.get_by_role("link", name="Clock & faults").click()
    page.get_by_role("button", name="+30 days").click()
    expect(page.locator(".top .zone")).to_contain_text("30 d")
    page.get_by_role("link", name="Try it").click()
    route(page, "index")
    send(page, 10006)
    expect(reply(page)).to_contain_text("a session that is unknown or has ended")


def test_broken_redis_is_told_with_its_reason(console, stage):
    page = console("control")
    page.get_by_role("switch", name="Redis").check()
    expect(page.locator(".banner")).to_contain_text("Made to fail: Redis: refuses")
    assert stage.door("GET", "state")["faults"] == {"redis": {"mode": "refuse", "rate": 1.0}}
    shot(page, "faults-on")
    page.get_by_role("link", name="Try it").click()
    fill(page, phone=PHONE)
    send(page, 15004)
    page.get_by_role("link", name="Its invocation").click()
    expect(page.locator(".why")).to_contain_text("Redis failed or did not answer in time.")
    expect(page.locator(".log-line .bad").last).to_contain_text("redis")
    shot(page, "refused-by-redis")
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator(".banner")).to_have_count(0)
    assert stage.door("GET", "state")["faults"] == {}


def test_a_full_limit_says_which_it_is_and_can_be_reset(console, stage):
    page = console()
    ask_for_code(page)
    send(page, 11005)
    page.get_by_role("link", name="Data").click()
    page.get_by_role("searchbox", name="Phone").fill(PHONE)
    page.get_by_role("button", name="Look").click()
    expect(page.locator(".reasons")).to_contain_text("cool_down is full: 1 of 1 in 60s")
    shot(page, "data-refused")
    page.get_by_role("button", name="Reset cool_down").click()
    expect(page.locator(".reasons")).to_contain_text("A limit was full then, and none is now.")
    page.get_by_role("link", name="Try it").click()
    send(page, 0)


def test_sessions_of_a_user_are_shown_and_ended(console, stage):
    page = console()
    sign_up_and_in(page)
    page.get_by_role("link", name="Data").click()
    page.get_by_role("button", name="张三").click()
    expect(page.locator(".sessions li")).to_have_count(1)
    page.get_by_role("button", name="End", exact=True).click()
    expect(page.get_by_text("None.", exact=True)).to_be_visible()
    page.get_by_role("link", name="Try it").click()
    route(page, "index")
    send(page, 10006)


def test_a_request_is_copied_for_a_shell(console):
    page = console()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    fill(page, phone=PHONE)
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator(".toast")).to_have_text("curl copied")
    command = page.evaluate("navigator.clipboard.readText()").replace("-b cookies -c cookies ", "")
    answer = subprocess.run(["sh", "-c", f"{command} --silent"], capture_output=True, text=True, check=True).stdout
    assert json.loads(answer)["code"] == 0
    expect(page.locator(".message")).to_contain_text(PHONE)


def test_a_job_runs_now(console):
    page = console("jobs")
    row = page.get_by_role("row").filter(has_text="cron(0 0")
    expect(row).to_contain_text("not yet")
    row.get_by_role("button", name="Run now").click()
    expect(page.locator(".toast")).to_have_text("daily: ok")
    expect(row.locator(".tag")).to_have_text("ok")


def test_a_dead_letter_is_driven_again(console, stage):
    stage.door("PUT", "faults", {"sms": {"mode": "refuse"}})
    assert stage.ask("POST", f"{stage.api}/veri_code", {"phone": PHONE})["code"] == 0
    page = console("jobs")
    letter = page.locator(".letter")
    expect(letter).to_contain_text("the SMS provider refused")
    shot(page, "dead-letter")
    stage.door("PUT", "faults", {})
    letter.get_by_role("button", name="Redrive").click()
    expect(letter).to_have_count(0)
    page.get_by_role("link", name="SMS inbox").click()
    expect(page.locator(".message")).to_contain_text(PHONE)


def test_real_time_comes_back_with_a_reset_that_is_explained(console, stage):
    stage.door("POST", "clock", {"advance_s": 600})
    stage.code(PHONE)
    page = console("control")
    page.get_by_role("button", name="Back to now").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("empties the stores")
    page.get_by_role("button", name="Cancel").click()
    assert stage.door("GET", "state")["clock"]["offset_ms"] == 600_000
    page.get_by_role("button", name="Back to now").click()
    page.get_by_role("button", name="Reset the stage").click()
    expect(page.locator(".top .zone")).not_to_contain_text("ahead")
    page.get_by_role("link", name="SMS inbox").click()
    expect(page.get_by_text("No message yet")).to_be_visible()


def test_a_code_is_copied_and_ends_with_its_time(console, stage):
    code = stage.code(PHONE)
    page = console("inbox")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name=f"Copy code {code}").click()
    expect(page.locator(".toast")).to_contain_text("copied")
    assert page.evaluate("navigator.clipboard.readText()") == code
    expect(page.locator(".message")).to_contain_text("good for")
    stage.door("POST", "clock", {"advance_s": 301})
    expect(page.locator(".message")).to_contain_text("expired")


def test_two_stages_are_compared_and_secrets_are_names(console):
    page = console("settings")
    row = page.get_by_role("row").filter(has_text="session.cookie_secure")
    expect(row).to_contain_text("false")
    expect(row).to_contain_text("true")
    expect(page.get_by_role("row").filter(has_text="secrets.jwt")).to_contain_text("name badge/local/jwt")
    page.get_by_label("Only what differs").check()
    expect(row).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="time_zone")).to_have_count(0)
