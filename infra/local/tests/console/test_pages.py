"""The API pages as the emulator serves them after `make docs`: accessible, and without requests to other hosts."""

import os
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import LAYOUT, ROOT, TIMEOUT_MS, shot
from playwright.sync_api import expect

pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and not (ROOT / ".tools/docs").is_dir(), reason="the pages are not built; type: make docs")
STANDARD = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa"]}}


def names_its_address(page, emulator):
    """Whether the description and the samples have the address of this emulator, and no other local one."""
    expect(page.get_by_text(f"{emulator.url}/{{stage}}/iwc/badge").first).to_be_attached()
    # The renderer adds an operation with its samples when the reader comes to it.
    page.evaluate("location.hash = 'tag/user/POST/user/login'")
    sample = page.locator('section[id$="/user/login"] pre', has_text="BADGE=").first
    expect(sample).to_contain_text(f"BADGE={emulator.url}/local/iwc/badge")
    expect(page.locator("body")).not_to_contain_text("127.0.0.1:9600")


@pytest.mark.parametrize("width", [1280, 380])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("lang", "heading"), [("en", "Limits"), ("zh", "限流")])
def test_the_api_pages_are_complete_and_accessible(browser, emulator, lang, heading, theme, width):
    context = browser.new_context(viewport={"width": width, "height": 860}, color_scheme=theme)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    logged, hosts = [], set()
    page.on("console", lambda message: logged.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: logged.append(f"error: {error}"))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(f"{emulator.url}/docs/{lang}/")
    expect(page.locator("html")).to_have_attribute("lang", {"en": "en", "zh": "zh-CN"}[lang])
    expect(page.get_by_text("/user/veri_code").first).to_be_attached()
    expect(page.get_by_text("10006").first).to_be_attached()
    expect(page.get_by_role("heading", name=heading).first).to_be_attached()
    names_its_address(page, emulator)
    assert page.evaluate(LAYOUT)["small"] == []
    shot(page, f"pages-{lang}-{theme}-{width}", full_page=False)
    found = Axe().run(page, options=STANDARD).response["violations"]
    context.close()
    assert not found, [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]
    assert hosts == {urlsplit(emulator.url).netloc}
    assert [line for line in logged if line.startswith("error")] == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_console_links_to_the_pages_in_its_language(browser, emulator, lang):
    # Without the fixture `console`: the renderer logs warnings.
    page = browser.new_context(locale="zh-CN" if lang == "zh" else "en-GB").new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(emulator.url)
    page.locator(".nav .docs a").click()
    expect(page).to_have_url(f"{emulator.url}/docs/{lang}/")
    names_its_address(page, emulator)
    page.context.close()
