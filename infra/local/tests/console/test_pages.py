"""The API pages as the stage shows them, once `make docs` has built them: readable by everybody, and asking nobody else."""

import os
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import PATIENCE_MS, ROOT, shot
from playwright.sync_api import expect

pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and not (ROOT / ".tools/docs").is_dir(), reason="they are not built; type: make docs")
STANDARD = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa"]}}


@pytest.mark.parametrize("width", [1280, 380])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("lang", "heading"), [("en", "Limits"), ("zh", "限流")])
def test_the_api_pages_are_whole_and_accessible(browser, stage, lang, heading, theme, width):
    context = browser.new_context(viewport={"width": width, "height": 860}, color_scheme=theme)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    said, hosts = [], set()
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(f"{stage.url}/docs/{lang}/")
    expect(page.locator("html")).to_have_attribute("lang", {"en": "en", "zh": "zh-CN"}[lang])
    expect(page.get_by_text("/user/veri_code").first).to_be_attached()
    expect(page.get_by_text("10006").first).to_be_attached()
    expect(page.get_by_role("heading", name=heading).first).to_be_attached()
    shot(page, f"pages-{lang}-{theme}-{width}", full_page=False)
    found = Axe().run(page, options=STANDARD).response["violations"]
    context.close()
    assert not found, [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]
    assert hosts == {urlsplit(stage.url).netloc}
    assert [line for line in said if line.startswith("error")] == []
