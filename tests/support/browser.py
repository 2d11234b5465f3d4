"""Headless Chromium windows, each its own person: nothing is shared between two of them."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from tests.support.programs import require

SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--proxy-server=direct://",
)
DESKTOP = (1100, 750)
PHONE = (390, 780)
#: Where pictures for the documentation are kept.
IMAGES = Path(__file__).parents[2] / "docs" / "examples" / "images"
#: WebP of this quality has some 20 kB for a page, and its text is sharp.
FORMAT = {"format": "webp", "quality": 85}


@contextmanager
def chromium(profile: Path, size: tuple[int, int] = DESKTOP) -> Iterator[webdriver.Chrome]:
    """One window.

    Args:
        profile: an empty folder for its cookies; two windows with one profile are one person.
        size: width and height of the page, in CSS pixels.
    """
    options = Options()
    options.binary_location = require("chromium")
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    window = webdriver.Chrome(options=options, service=Service(require("chromedriver")))
    try:
        window.set_page_load_timeout(40)
        resize(window, size)
        yield window
    finally:
        window.quit()


def resize(window: webdriver.Chrome, size: tuple[int, int]) -> None:
    """Give the page itself this size; a window cannot be narrower than 500 pixels, a page can."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def dark(window: webdriver.Chrome, on: bool) -> None:
    """Let the page believe that its user prefers dark colours."""
    feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
    window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def calm(window: webdriver.Chrome, on: bool) -> None:
    """Let the page believe that its user prefers less motion; by day, as :func:`dark` is then off."""
    feature = {"name": "prefers-reduced-motion", "value": "reduce" if on else "no-preference"}
    window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def picture(window: webdriver.Chrome, name: str, *, night: bool = False) -> None:
    """Keep what a window shows as ``docs/examples/images/NAME.webp``, if ``DOCS_PICTURES`` is set.

    Else none are taken, so that a run of the tests changes no file: ``make pictures``.

    Args:
        window: its page; scrollbars do not show.
        name: of the file.
        night: take it in dark colours.
    """
    if not os.environ.get("DOCS_PICTURES"):
        return
    dark(window, night)
    window.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    taken = window.execute_cdp_cmd("Page.captureScreenshot", FORMAT)
    (IMAGES / f"{name}.webp").write_bytes(base64.b64decode(taken["data"]))
    dark(window, False)
