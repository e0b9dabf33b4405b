"""A newcomer's way through the console, in both languages and at every width."""

import re

import pytest
from conftest import PHONE, pattern, shot, texts
from playwright.sync_api import expect

SUMMARIES = {"en": "Send a verification code", "zh": "发送验证码"}


class Newcomer:
    """Finds controls by the texts of a language, as a person does."""

    def __init__(self, page, lang):
        self.page = page
        self.text = texts(lang)
        self.reply = page.locator(".panel", has=page.get_by_role("heading", name=self.text["reply"], exact=True))

    def press(self, key):
        self.page.get_by_role("button", name=self.text[key], exact=True).click()

    def view(self, name):
        self.page.locator(f'.nav a[href="#{name}"]').click()
        expect(self.page.get_by_role("heading", level=1)).to_have_text(self.text[f"nav_{name}"])

    def send(self, operation, **fields):
        """Fills in the form of an operation and sends it; the response must be a success."""
        group = self.page.get_by_role("group", name=self.text["routes"])
        group.get_by_role("button", name=re.compile(rf"\b{operation}$")).click()
        for name, value in fields.items():
            field = self.page.locator(f"#try-{name}")
            if name == "gender":
                field.select_option(value)
            else:
                field.fill(value)
        if self.page.locator("#try-veri_code").count():
            self.page.get_by_role("button", name=pattern(self.text["try_use_code"])).click()
        # A new response replaces the old one.
        self.page.locator(".reply-body").evaluate_all("bodies => bodies.forEach((body) => body.remove())")
        self.press("try_send")
        expect(self.reply.locator(".reply-body")).to_be_visible()
        expect(self.reply.locator("header .tag")).to_have_text("0")

    def shows(self, key, **values):
        """A toast with a text."""
        wanted = self.text[key]
        for name, value in values.items():
            wanted = wanted.replace(f"{{{name}}}", value)
        expect(self.page.locator(".toast", has_text=re.compile(f"^{pattern(wanted).pattern}$"))).to_be_visible()


@pytest.mark.parametrize("width", [1440, 768, 380])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_newcomer_registers_becomes_admin_and_signs_in(console, emulator, lang, width):
    page = console(lang=lang, width=width)
    newcomer = Newcomer(page, lang)
    expect(page.locator(".nav .docs a")).to_have_attribute("href", f"/docs/{lang}/")
    expect(page.locator("form .hint").first).to_contain_text(SUMMARIES[lang])
    newcomer.send("veri_code", phone=PHONE)
    expect(page.locator(".message")).to_contain_text(PHONE)
    newcomer.send("register", user_name="张三", gender="2", birth_day="1990-01-02")
    expect(page.locator(".message .tag")).to_have_text(newcomer.text["sms_used"])

    newcomer.reply.get_by_role("link", name=newcomer.text["follow_phone"]).click()
    stored = newcomer.text["follow_registered"].replace("{name}", "张三")
    expect(page.locator(".timeline li").filter(has_text=stored)).to_have_count(1)
    row = page.locator(f'tr[data-phone="+86{PHONE}"]')
    expect(row).to_contain_text("1990-01-02")
    expect(row).to_contain_text(newcomer.text["gender_2"])
    newcomer.press("make_admin")
    newcomer.shows("role_changed", name="张三", role="admin")
    expect(row.locator(".tag").first).to_have_text("admin")
    shot(page, f"journey-data-{width}-{lang}")

    newcomer.view("control")
    newcomer.press("clock_61s")
    newcomer.shows("clock_moved")
    newcomer.view("try")
    newcomer.send("veri_code")
    expect(page.locator(".message")).to_have_count(2)
    newcomer.send("login")
    newcomer.send("index")
    # An admin sees whole phones.
    expect(newcomer.reply).to_contain_text(f"+86{PHONE}")
    newcomer.reply.get_by_role("link", name=newcomer.text["reply_invocation"]).click()
    expect(page.locator(".attempt h2")).to_have_text("user_index")
    shot(page, f"journey-invocation-{width}-{lang}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
