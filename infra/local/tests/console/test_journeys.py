"""The first ten minutes of an engineer with the console."""

import json
import re
import subprocess
from datetime import datetime
from zoneinfo import ZoneInfo

from conftest import PHONE, fill, reply, request_code, route, send, shot, use_code
from playwright.sync_api import expect


def sign_up_and_in(page):
    request_code(page)
    route(page, "register")
    fill(page, user_name="张三", birth_day="1990-01-02")
    page.locator("#try-gender").select_option("2")
    use_code(page)
    send(page, 0)
    # The device is known now, and has a cool-down of its own: 60 seconds.
    before = page.locator(".message").count()
    route(page, "veri_code")
    send(page, 0)
    send(page, 11005)
    page.get_by_role("button", name=re.compile(r"^Advance the clock by ")).click()
    expect(page.get_by_text(re.compile("^The time is now 20"))).to_be_visible()
    send(page, 0)
    expect(page.locator(".message")).to_have_count(before + 2)
    route(page, "login")
    use_code(page)
    send(page, 0)


def test_a_newcomer_registers_and_logs_in_with_the_code_from_the_inbox(console, emulator):
    page = console()
    sign_up_and_in(page)
    expect(page.get_by_text(re.compile(r"^Valid for (20|19) min"))).to_be_visible()
    route(page, "index")
    send(page, 0)
    expect(reply(page).locator(".reply-body")).to_contain_text("张三")
    shot(page, "try-logged-in")
    page.get_by_role("link", name="Invocation").click()
    expect(page.locator(".attempt h2")).to_have_text("user_index")
    expect(page.locator(".attempt")).to_contain_text("Redis × 2")
    expect(page.locator(".attempt")).to_contain_text("per million")


def test_a_session_expires_when_the_clock_is_moved(console, emulator):
    page = console()
    sign_up_and_in(page)
    route(page, "index")
    send(page, 0)
    page.get_by_role("link", name="Clock & faults").click()
    page.get_by_role("button", name="+30 days").click()
    expect(page.locator(".top .zone")).to_contain_text("30 d", timeout=60_000)
    page.get_by_role("link", name="Try it").click()
    route(page, "index")
    send(page, 10006)
    expect(reply(page)).to_contain_text("the session is unknown or has ended")


def test_a_failing_redis_is_shown_with_its_reason(console, emulator):
    page = console("control")
    page.get_by_role("switch", name="Redis").check()
    expect(page.locator(".banner")).to_contain_text("Active faults: Redis: refuses")
    assert emulator.control("GET", "state")["faults"] == {"redis": {"mode": "refuse", "rate": 1.0}}
    shot(page, "faults-on")
    page.get_by_role("link", name="Try it").click()
    fill(page, phone=PHONE)
    send(page, 15004)
    page.get_by_role("link", name="Invocation").click()
    expect(page.locator(".why")).to_contain_text("Redis failed or timed out.")
    expect(page.locator(".log-line .bad").last).to_contain_text("redis")
    shot(page, "refused-by-redis")
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator(".banner")).to_have_count(0)
    assert emulator.control("GET", "state")["faults"] == {}


def test_a_full_limit_is_named_and_can_be_reset(console, emulator):
    page = console()
    request_code(page)
    send(page, 11005)
    page.get_by_role("link", name="Data").click()
    page.get_by_role("searchbox", name="Phone").fill(PHONE)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".reasons")).to_contain_text("cool_down is full: 1 of 1 in 60s")
    shot(page, "data-refused")
    page.get_by_role("button", name="Reset cool_down").click()
    expect(page.locator(".reasons")).to_contain_text("A limit was full at that time. No limit is full now.")
    page.get_by_role("link", name="Try it").click()
    send(page, 0)


def test_sessions_of_a_user_are_shown_and_ended(console, emulator):
    page = console()
    sign_up_and_in(page)
    page.get_by_role("link", name="Data").click()
    page.get_by_role("button", name="张三").click()
    expect(page.locator(".sessions li")).to_have_count(1)
    page.get_by_role("button", name="End", exact=True).click()
    expect(page.get_by_text("No sessions.", exact=True)).to_be_visible()
    page.get_by_role("link", name="Try it").click()
    route(page, "index")
    send(page, 10006)


def shell(page, folder):
    """Copies the request of the form and runs it in an empty folder; returns the reply."""
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.locator(".toast")).to_have_text("Copied: curl")
    command = page.evaluate("navigator.clipboard.readText()")
    return json.loads(subprocess.run(["sh", "-c", f"{command} --silent"], capture_output=True, cwd=folder, check=True).stdout)


def test_a_request_is_copied_for_a_shell(console, tmp_path):
    page = console()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    fill(page, phone=PHONE)
    assert shell(page, tmp_path)["code"] == 0
    expect(page.locator(".message")).to_contain_text(PHONE)


def test_a_signed_in_request_works_in_a_shell_without_any_file(console, tmp_path):
    page = console()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    route(page, "index")
    expect(page.get_by_role("button", name="Copy as curl")).to_be_disabled()
    sign_up_and_in(page)
    expect(page.locator(".toast")).to_have_count(0)
    route(page, "index")
    assert shell(page, tmp_path)["data"][0]["user_name"] == "张三"
    # `logout` takes no token, and no script can read the cookie.
    route(page, "logout")
    expect(page.get_by_role("button", name="Copy as curl")).to_be_disabled()
    expect(page.get_by_text("No script can read the browser’s session cookie")).to_be_visible()


def test_a_job_runs_now(console):
    page = console("jobs")
    row = page.get_by_role("row").filter(has_text="cron(0 0")
    expect(row).to_contain_text("none")
    row.get_by_role("button", name="Run now").click()
    expect(page.locator(".toast")).to_have_text("daily: ok")
    expect(row.locator(".tag").first).to_have_text("ok")


def test_a_dead_letter_is_redriven(console, emulator):
    emulator.control("PUT", "faults", {"sms": {"mode": "refuse"}})
    assert emulator.ask("POST", f"{emulator.api}/veri_code", {"phone": PHONE})["code"] == 0
    page = console("jobs")
    dead_letter = page.locator(".dead-letter")
    expect(dead_letter).to_contain_text("the SMS provider refused")
    shot(page, "dead-letter")
    emulator.control("PUT", "faults", {})
    # Its banner goes, and the button moves up: a click that is on its way would miss it.
    expect(page.locator(".banner")).to_have_count(0)
    dead_letter.get_by_role("button", name="Redrive").click()
    expect(dead_letter).to_have_count(0)
    page.get_by_role("link", name="SMS inbox").click()
    expect(page.locator(".message")).to_contain_text(PHONE)


def test_a_reset_is_explained_and_brings_back_real_time(console, emulator):
    emulator.control("POST", "clock", {"advance_s": 600})
    emulator.code(PHONE)
    page = console("control")
    page.get_by_role("button", name="Back to real time").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("empties the stores")
    page.get_by_role("button", name="Cancel").click()
    assert emulator.control("GET", "state")["clock"]["offset_ms"] == 600_000
    page.get_by_role("button", name="Back to real time").click()
    page.get_by_role("button", name="Reset everything").click()
    expect(page.locator(".top .zone")).not_to_contain_text("ahead")
    page.get_by_role("link", name="SMS inbox").click()
    expect(page.get_by_text("No messages yet")).to_be_visible()


def test_a_code_is_copied_and_ends_with_its_time(console, emulator):
    code = emulator.code(PHONE)
    page = console("inbox")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name=f"Copy code {code}").click()
    expect(page.locator(".toast")).to_have_text(f"Copied: {code}")
    assert page.evaluate("navigator.clipboard.readText()") == code
    expect(page.locator(".message")).to_contain_text("valid for")
    emulator.control("POST", "clock", {"advance_s": 301})
    expect(page.locator(".message")).to_contain_text("expired")


def test_two_stages_are_compared_and_secrets_are_only_named(console):
    page = console("settings")
    row = page.get_by_role("row").filter(has_text="session.cookie_secure")
    expect(row).to_contain_text("false")
    expect(row).to_contain_text("true")
    expect(page.get_by_role("row").filter(has_text="secrets.jwt")).to_contain_text("name badge/local/jwt")
    page.get_by_label("Only differences").check()
    expect(row).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="time_zone")).to_have_count(0)


def test_the_toast_after_a_move_of_the_clock_has_the_new_time(console, emulator):
    page = console("control")
    page.get_by_role("button", name="+30 days").click()
    toast = page.locator(".toast")
    expect(toast).to_have_text(re.compile(r"^The time is now 20"), timeout=60_000)
    clock = emulator.control("GET", "state")["clock"]
    shown = datetime.strptime(toast.inner_text().removeprefix("The time is now "), "%Y-%m-%d %H:%M:%S")
    now = datetime.fromisoformat(clock["now"]).astimezone(ZoneInfo(clock["zone"])).replace(tzinfo=None)
    assert abs((now - shown).total_seconds()) < 60, (now, shown)


def test_failed_and_refused_requests_are_not_shown_as_successes(console, emulator):
    assert emulator.call("login", phone=PHONE, veri_code="000000") == 11003
    emulator.control("PUT", "faults", {"redis": {"mode": "refuse"}})
    assert emulator.call("veri_code", phone=PHONE) == 15004
    emulator.control("PUT", "faults", {})
    assert emulator.call("veri_code", phone="13800138001") == 0
    page = console("functions")

    def bars(function):
        found = page.locator("tr", has=page.get_by_role("button", name=function, exact=True)).locator(".outcomes")
        return found, found.locator("i").evaluate_all("bars => bars.map(bar => getComputedStyle(bar).backgroundColor)")

    expect(bars("veri_code")[0].locator("i")).to_have_count(2)
    expect(bars("login")[0].locator("i")).to_have_count(1)
    (label, (good, bad)), (_, (refused,)) = bars("veri_code"), bars("login")
    assert len({good, bad, refused}) == 3, "success, failure and refusal have colours of their own"
    expect(label).to_have_attribute("aria-label", "Last 2 invocations: 0 refused, 1 failed")


def test_successful_jobs_do_not_bury_requests(console, emulator):
    emulator.call("veri_code", phone=PHONE)
    emulator.advance(48 * 3600)
    page = console("functions")
    rows = page.locator(".list-row")
    expect(rows.filter(has_text="veri_code")).to_have_count(1)
    expect(rows.filter(has_text="cache_watch")).to_have_count(0)
    page.get_by_role("checkbox", name=re.compile(r"^Successful job runs \(\d\d+\)$")).check()
    expect(rows.filter(has_text="cache_watch").first).to_be_visible()
    page.get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="cache_watch", exact=True).click()
    expect(rows.filter(has_text="cache_watch").first).to_be_visible()


def test_one_place_shows_what_was_sent_stored_and_refused(console, emulator):
    emulator.register(PHONE)
    emulator.call("login", phone=PHONE, veri_code="000000")
    emulator.control("PUT", "faults", {"sms": {"mode": "refuse"}})
    emulator.advance(61)
    emulator.call("veri_code", phone=PHONE)
    emulator.dead_letters()
    emulator.control("PUT", "faults", {})
    page = console()
    fill(page, phone=PHONE)
    send(page, 11005)
    page.get_by_role("link", name="Follow this phone").first.click()
    expect(page.get_by_role("heading", name="Data")).to_be_visible()
    timeline = page.locator(".timeline li")

    def entry(kind):
        return timeline.filter(has=page.locator(".kind").get_by_text(kind, exact=True))

    expect(entry("Sent")).to_contain_text("used")
    expect(entry("Stored")).to_contain_text("User 张三 was stored.")
    expect(entry("Dead letter")).to_contain_text("the SMS provider refused")
    expect(timeline.filter(has_text="11003")).to_contain_text("The code is wrong, used or expired")
    expect(timeline.filter(has_text="11005")).to_contain_text("A limit refused the request.")
    expect(timeline.filter(has_text="register")).to_contain_text("Succeeded.")
    # The view updates without a click.
    emulator.call("login", phone=PHONE, veri_code="000000")
    expect(timeline.filter(has_text="11003")).to_have_count(2)
    shot(page, "data-followed")
    timeline.filter(has_text="11005").get_by_role("link", name="Invocation").click()
    expect(page.locator(".attempt .why")).to_contain_text("A limit refused the request.")
    page.get_by_role("link", name="See the limits").click()
    expect(page.get_by_role("heading", name="Limits")).to_be_visible()


def test_data_shows_the_whole_row_and_an_admin_is_made(console, emulator):
    emulator.register(PHONE)
    page = console("data")
    row = page.locator("tbody tr", has_text="张三")
    user = emulator.control("GET", f"users?phone={PHONE}")["users"][0]
    for text in [user["id"], "male", "1990-01-02", "310100", f"+86{PHONE}", "user"]:
        expect(row).to_contain_text(text)
    row.get_by_role("button", name="张三").click()
    stored = page.locator(".panel", has=page.get_by_role("heading", name="Stored row of 张三"))
    for name in user:
        expect(stored.get_by_text(name, exact=True)).to_be_visible()
    stored.get_by_role("button", name="Make admin").click()
    expect(page.locator(".toast")).to_have_text("张三 is now admin")
    expect(row).to_contain_text("admin")
    token = emulator.sign_in(PHONE)
    seen = emulator.ask("GET", f"{emulator.api}/index", headers={"Authorization": f"jwt {token}"})["data"][0]
    assert (seen["phone"], seen["birth_day"]) == (f"+86{PHONE}", "1990-01-02")
    stored.get_by_role("button", name="Make user").click()
    expect(row.locator(".tag").first).to_have_text("user")


def test_operations_are_described_in_the_language_of_the_page(console):
    page = console(lang="zh")
    form = page.locator("form .hint").first
    expect(form).to_have_text("发送验证码。无需凭证。")
    for name, summary in [("register", "注册用户"), ("login", "登录"), ("logout", "退出登录"), ("index", "用户列表")]:
        page.get_by_role("group", name="接口").get_by_role("button", name=re.compile(rf"\b{name}$")).click()
        expect(form).to_contain_text(summary)


def test_the_api_documentation_is_one_click_away(console, emulator):
    for lang, name in [("en", "API docs"), ("zh", "API 文档")]:
        page = console(lang=lang)
        link = page.locator(".nav").get_by_role("link", name=name)
        expect(link).to_have_attribute("href", f"/docs/{lang}/")
