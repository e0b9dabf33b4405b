"""Only a code that the service accepts is offered."""

import re

from conftest import PHONE
from playwright.sync_api import expect

OTHER = "13800138001"


def message(page, code):
    return page.locator(".message", has_text=code)


def offered(page):
    """Phone and code of each message whose code can be copied, once all are confirmed."""
    expect(page.locator(".message .tag", has_text="not confirmed")).to_have_count(0)
    cards = page.locator(".message", has=page.get_by_role("button", name=re.compile("^Copy code")))
    return [(card.locator(".phone").inner_text(), card.locator("button.sms-code").inner_text()) for card in cards.all()]


def test_the_inbox_offers_live_codes_only_and_says_why_others_are_not(console, emulator):
    page = console("inbox")
    expired = emulator.code("13800138005")
    emulator.advance(301)
    emulator.register(PHONE)
    used = emulator.control("GET", f"sms?phone={PHONE}")[0]["code"]
    emulator.advance(61)
    live = emulator.code(PHONE)
    ended = emulator.code(OTHER)
    wrong = "000000" if ended != "000000" else "000001"
    for _ in range(5):
        assert emulator.call("login", phone=OTHER, veri_code=wrong) == 11003
    expect(message(page, expired)).to_contain_text("expired")
    expect(message(page, used)).to_contain_text("used")
    expect(message(page, ended)).to_contain_text("too many wrong tries")
    expect(message(page, live)).to_contain_text("valid for")
    assert offered(page) == [(f"+86{PHONE}", live)]
    assert emulator.call("login", phone=PHONE, veri_code=live) == 0
    expect(message(page, live)).to_contain_text("used")
    assert offered(page) == []


def test_every_offered_code_is_accepted(console, emulator):
    page = console("inbox")
    phones = [f"1380013800{n}" for n in range(6)]
    codes = {phone: emulator.code(phone) for phone in phones}
    emulator.call("login", phone=phones[0], veri_code=codes[phones[0]])
    emulator.ask("POST", f"{emulator.api}/register", {
        "user_name": "a", "gender": 1, "birth_day": "1990-01-02", "phone": phones[1], "veri_code": codes[phones[1]]})
    expect(message(page, codes[phones[1]])).to_contain_text("used")
    found = offered(page)
    assert len(found) == 5
    for phone, code in found:
        # 11004: the code was right, and the phone has no user.
        assert emulator.call("login", phone=phone, veri_code=code) == 11004


def test_a_used_code_is_not_offered_because_the_next_one_was_never_delivered(console, emulator):
    page = console("inbox")
    emulator.register(PHONE)
    used = emulator.control("GET", f"sms?phone={PHONE}")[0]["code"]
    emulator.advance(61)
    emulator.control("PUT", "faults", {"sms": {"mode": "refuse"}})
    assert emulator.call("veri_code", phone=PHONE) == 0
    expect(message(page, used)).to_contain_text("used")
    assert offered(page) == []


def test_a_phone_that_a_limit_has_closed_has_no_code_to_offer(console, emulator):
    emulator.advance_to_midnight()
    page = console("inbox")
    for tries in [5, 5, 5, 4]:
        code = emulator.code(PHONE)
        wrong = "000000" if code != "000000" else "000001"
        for _ in range(tries):
            assert emulator.call("login", phone=PHONE, veri_code=wrong) == 11003
        emulator.advance(301)
    code = emulator.code(PHONE)
    expect(message(page, code).first).to_contain_text("valid for")
    assert offered(page)[0] == (f"+86{PHONE}", code)
    assert emulator.call("login", phone=PHONE, veri_code=wrong) == 11003
    assert emulator.call("login", phone=PHONE, veri_code=code) == 11005
    expect(message(page, code).first).to_contain_text("blocked by a limit")
    assert offered(page) == []


def test_the_form_offers_the_code_of_its_own_phone_and_no_other(console, emulator):
    code = emulator.code(PHONE)
    page = console()
    page.get_by_role("group", name="Operations").get_by_role("button", name=re.compile(r"\blogin$")).click()
    expect(page.locator(".message .tag")).to_contain_text("valid for")
    use = page.get_by_role("button", name=re.compile(r"^Use \d{6}$"))
    phone = page.locator("#try-phone")
    for text in ["", "8", OTHER, f"+1{PHONE}", PHONE[:-1]]:
        phone.fill(text)
        expect(use).to_have_count(0)
    for text in [PHONE, f"+86 {PHONE}", f"0086{PHONE}", "138-0013-8000", "１３８００１３８０００"]:
        phone.fill(text)
        expect(use).to_have_text(f"Use {code}")
    use.click()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".panel header .tag").first).to_have_text("11004")
    emulator.register(OTHER)
    assert emulator.call("login", phone=PHONE, veri_code=code) in (11003, 11004)
    emulator.advance(301)
    expect(use).to_have_count(0)
