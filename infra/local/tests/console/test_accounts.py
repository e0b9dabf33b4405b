"""Accounts for life in the console: a user's life in Data, an admin at work, and every operation in Try it."""

import re

from conftest import ADMIN, PHONE, fill, reply, request_code, route, send, shot, use_code
from playwright.sync_api import expect

NEW = "13900139000"


def panel(page, heading):
    return page.locator(".panel", has=page.get_by_role("heading", name=heading, exact=True))


def test_data_follows_a_user_from_the_registration_to_the_restoration(console, emulator):
    emulator.register(PHONE)
    emulator.sign_in(PHONE)
    page = console("data")
    page.get_by_role("button", name="张三").click()
    expect(panel(page, "Stored row of 张三")).to_contain_text("active")
    expect(page.locator(".sessions li")).to_contain_text("127.0.0.*")
    expect(page.locator(".events li")).to_have_count(1)

    def call(name, **body):
        cookie = {"Cookie": f"__sid__={emulator.session}"}
        return emulator.ask("POST", f"{emulator.api}/{name}", body, cookie)["code"]

    # The view updates without a click.
    assert call("update", user_name="李四") == 0
    expect(panel(page, "Stored row of 李四")).to_be_visible()
    expect(page.locator(".events li").first).to_contain_text("user_name")
    expect(page.locator(".events li").first).to_contain_text("user · session")
    expect(panel(page, "Limits").locator("li", has_text="tries_per_day").first).to_be_visible()

    emulator.advance(61)
    codes = {"veri_code": emulator.code(NEW), "old_veri_code": emulator.code(PHONE)}
    assert call("change_phone", phone=NEW, **codes) == 0
    row = page.locator("tbody tr", has_text="李四")
    expect(row).to_contain_text(f"+86{NEW}")
    expect(panel(page, "Stored row of 李四")).to_have_count(0)
    row.get_by_role("button", name="李四").click()
    expect(page.locator(".events li").first).to_contain_text("phone")
    # It was opened with the old phone.
    expect(page.locator(".sessions li")).to_have_count(1)
    shot(page, "data-moved")

    emulator.advance(61)
    assert call("delete", veri_code=emulator.code(NEW)) == 0
    stored = panel(page, "Stored row of 李四")
    expect(stored).to_contain_text("deleted")
    expect(stored).to_contain_text(re.compile(r"The job daily erases it after (15 d|14 d 23 h)\. Until then login restores it\."))
    expect(page.get_by_text("No sessions.", exact=True)).to_be_visible()
    expect(row).to_have_count(0)
    page.get_by_label("Deleted users").check()
    expect(row.locator(".tag.bad")).to_have_text("deleted")
    shot(page, "data-deleted")

    emulator.advance(61)
    assert call("login", phone=NEW, veri_code=emulator.code(NEW), restore=True) == 0
    expect(stored).to_contain_text("active")
    expect(row).to_have_count(0)
    page.get_by_label("Deleted users").uncheck()
    expect(row.locator(".tag.good")).to_have_text("active")
    expect(page.locator(".sessions li")).to_have_count(1)
    expect(page.locator(".events li").first).to_contain_text("is_delete = 0")


def sign_in(page, emulator, phone):
    emulator.advance(61)
    route(page, "veri_code")
    fill(page, phone=phone)
    send(page, 0)
    route(page, "login")
    use_code(page)
    send(page, 0)


def test_an_admin_finds_disables_and_restores_a_user_by_the_api_alone(console, emulator):
    emulator.register(ADMIN, "李四")
    emulator.register(PHONE)
    page = console(f"admin/{PHONE}")
    refusal = page.locator(".why")
    expect(refusal).to_contain_text("10006")
    page.get_by_role("main").get_by_role("link", name="Try it").click()
    expect(page.get_by_role("heading", name="user/login")).to_be_visible()
    sign_in(page, emulator, ADMIN)
    page.get_by_role("link", name="Admin", exact=True).click()
    expect(refusal).to_contain_text("10007")
    emulator.control("POST", "users/role", {"phone": ADMIN, "role": "admin"})
    page.get_by_role("link", name="Try it").first.click()
    sign_in(page, emulator, ADMIN)
    page.get_by_role("link", name="Admin", exact=True).click()
    found = panel(page, "张三")
    for text in [f"+86{PHONE}", "1990-01-02", "310100", "active"]:
        expect(found).to_contain_text(text)
    expect(refusal).to_have_count(0)

    newest = page.locator(".events li").first

    def press(name, state, event):
        found.get_by_role("button", name=name, exact=True).click()
        expect(page.locator(".toast", has_text=f"张三: {name}, done")).to_be_visible()
        expect(found.locator("header")).to_contain_text(state)
        # The stream writes it a moment later.
        expect(newest).to_contain_text(event)
        expect(newest).to_contain_text("admin · session")

    press("Disable", "disabled", "is_disabled = 1")
    assert emulator.call("login", phone=PHONE, veri_code=emulator.code(PHONE)) == 10008
    shot(page, "admin-disabled")
    press("Enable", "active", "is_disabled = 0")
    press("Make admin", "admin", "role = admin")
    press("Make user", "user", "role = user")
    press("End sessions", "active", "epoch")
    press("Delete", "deleted", "is_delete = 1")
    press("Restore", "active", "is_delete = 0")

    def search(text):
        page.get_by_role("searchbox").fill(text)
        page.get_by_role("button", name="Show", exact=True).click()

    user_id = emulator.control("GET", f"users?phone={ADMIN}")["users"][0]["id"]
    search(user_id)
    panel(page, "李四").get_by_role("button", name="Disable", exact=True).click()
    expect(refusal).to_contain_text("10007")
    # Nobody has the phone, and its tries can be reset.
    search(NEW)
    expect(refusal).to_contain_text("11004")
    page.get_by_role("button", name="Reset wrong tries").click()
    expect(page.locator(".toast", has_text=f"+86{NEW}: Reset wrong tries, done")).to_be_visible()
    expect(refusal).to_have_count(0)


def test_try_it_knows_every_operation_of_the_description(console, emulator):
    paths = emulator.control("GET", "api")["paths"]
    described = {f"{method.upper()} {path[1:]}" for path, methods in paths.items() for method in methods}
    emulator.register(ADMIN, "李四")
    page = console()
    group = page.get_by_role("group", name="Operations")
    expect(group.get_by_role("button").first).to_be_visible()
    assert {button.inner_text().replace("\n", " ") for button in group.get_by_role("button").all()} == described
    called = set()

    def works(name, code=0, **fields):
        route(page, name)
        for field, value in fields.items():
            control = page.locator(f"#try-{field}")
            (control.select_option if control.evaluate("node => node.tagName") == "SELECT" else control.fill)(value)
        for use in page.get_by_role("button", name=re.compile(r"^Use \d{6}$")).all():
            use.click()
        send(page, code)
        if code == 0:
            called.add(group.locator('[aria-pressed="true"]').inner_text().replace("\n", " "))

    def code_to(phone):
        emulator.advance(61)
        works("user/veri_code", phone=phone)
        expect(page.locator(".message", has_text=phone).first).to_contain_text("valid for")

    def state(text):
        expect(page.locator("form .hint").filter(has_text=text)).to_be_visible()

    code_to(PHONE)
    works("user/register", user_name="张三", gender="1", birth_day="1990-01-02")
    works("user/me", 10006)
    state("Nobody has signed in here.")
    emulator.control("POST", "users/role", {"phone": PHONE, "role": "admin"})
    code_to(PHONE)
    works("user/login")
    for name in ["user/me", "user/index", "user/sessions", "user/export", "user/token"]:
        works(name)
        state(f"Last sign-in here: +86{PHONE}.")
    works("user/update", user_name="王五")
    expect(reply(page)).to_contain_text("王五")
    works("user/end_sessions", others="true")

    works("admin/user", phone=ADMIN)
    user_id = emulator.control("GET", f"users?phone={ADMIN}")["users"][0]["id"]
    works("admin/update", id=user_id, disabled="true")
    expect(reply(page)).to_contain_text('"state": "disabled"')
    works("admin/audit", id=user_id)

    # The token, until another phone ends it.
    works("user/token")
    route(page, "user/me")
    page.get_by_label("Credential").select_option("token")
    send(page, 0)
    route(page, "user/export")
    state("A token does not open this operation.")
    send(page, 10006)
    page.get_by_label("Credential").select_option("cookie")

    code_to(PHONE)
    code_to(NEW)
    route(page, "user/change_phone")
    expect(page.get_by_role("button", name=re.compile(r"^Use \d{6}$"))).to_have_count(2)
    works("user/change_phone")
    state(f"Last sign-in here: +86{NEW}.")
    shot(page, "try-change-phone")
    code_to(NEW)
    # Without the cookie nobody knows whose account it is.
    route(page, "user/delete")
    use = page.get_by_role("button", name=re.compile(r"^Use \d{6}$"))
    expect(use).to_have_count(1)
    page.get_by_label("Credential").select_option("none")
    expect(use).to_have_count(0)
    page.get_by_label("Credential").select_option("cookie")
    works("user/delete")
    state("Nobody has signed in here.")
    code_to(NEW)
    works("user/login", 10009)
    works("user/login", restore="true")
    works("user/logout")
    assert called == described
