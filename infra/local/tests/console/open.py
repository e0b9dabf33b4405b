"""Opens a view of a running console in a browser until the input ends: `open.py inbox 127.0.0.1:9600`."""

import os
import sys

from playwright.sync_api import sync_playwright

view, address = sys.argv[1:]
with sync_playwright() as playwright:
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=arguments)
    page = browser.new_page()
    page.goto(f"http://{address}/#{view}")
    page.locator('.dot:not(.off)').wait_for()
    print("open", flush=True)
    sys.stdin.read()
    browser.close()
