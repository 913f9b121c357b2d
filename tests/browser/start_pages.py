"""Pictures of every role's start page in a demonstration.

`bin/docs-pictures` calls this with ADDRESS PASSWORD FOLDER; docs/start-pages.md shows them.
"""

import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PEOPLE = ("coordinator", "investigator", "monitor", "data.manager", "statistician", "admin")
SIZES = ((1440, 900), (820, 1180), (390, 844))
LANGUAGES = ("ja", "en")  # in English again afterwards


def signed_in(browser, address, password, who):
    page = browser.new_context(base_url=address, locale="en-GB").new_page()
    page.goto("/login/")
    page.fill("#id_username", f"{who}@demo.example")
    page.fill("#id_password", password)
    page.press("#id_password", "Enter")
    page.wait_for_selector(".sidebar")
    return page


def main(address, password, folder):
    with sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        for who in PEOPLE:
            page = signed_in(browser, address, password, who)
            for language in LANGUAGES:
                page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
                page.goto("/")
                page.click(f".languages button[value={language}]")
                page.wait_for_selector(f"html[lang={language}]")
                for width, height in SIZES:
                    page.set_viewport_size({"width": width, "height": height})
                    page.goto("/")
                    page.wait_for_load_state("networkidle")
                    name = f"{who.replace('.', '-')}-{width}-{language}.png"
                    page.screenshot(path=Path(folder, name))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
