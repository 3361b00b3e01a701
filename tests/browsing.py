"""Chromium for the tests that look at the site in a real browser; where it is missing they are skipped, or fail if they must not be."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (found := shutil.which(name))), None)
REQUIRED = os.environ.get("STUDY_TEST_BROWSER") == "required"  # set where the browser tests must not be skipped
LANGUAGES = ("sl", "en")

in_browser = pytest.mark.skipif(not REQUIRED and not (CHROMIUM and sync_playwright),
                                reason="Chromium or the package playwright is not installed")


@contextmanager
def running_chromium() -> Iterator:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        yield browser
        browser.close()


@contextmanager
def visitor(chromium, site: Path, idle: list) -> Iterator[Callable]:
    """visit("sl", width=..., scheme=..., at="?query#hash") opens the page of a language, or another by its folder and name; its
    `complaints` and `requests` are kept.

    A window costs more than a page of it, so windows are left to the next test, in `idle`. First visits, and windows with `options` of
    their own, are not.
    """
    lent, own = [], []

    def visit(folder: str, width: int = 1440, scheme: str = "light", at: str = "", name: str = "index.html", *, first: bool = False,
              **options):
        if first or options:
            page = _open_window(chromium, **options)
            own.append(page)
        else:
            page = idle.pop() if idle else _open_window(chromium)
            lent.append(page)
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(media="screen", color_scheme=scheme)
        page.complaints, page.requests = [], []
        page.goto(f"file://{site / (f'report/{folder}' if folder else '')}/{name}{at}")
        return page

    yield visit
    for page in own:
        page.context.close()
    for page in lent:
        page.goto("about:blank")
    idle += lent


def _open_window(chromium, **options):
    page = chromium.new_context(**options).new_page()
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    return page
