"""The page of `make demo`, and the examples behind it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from examples import demo
from tests.e2e.example import EXAMPLES
from tests.support.browser import PHONE, chromium, picture, resize
from tests.support.browsers.readable import assert_readable
from tests.support.ports import free_port_and
from tests.support.served import environment, wait_until_listening


def fetch(url: str) -> str:
    with closing(urllib.request.urlopen(url, timeout=20)) as answer:
        return answer.read().decode()


@pytest.mark.timeout(120)
def test_it_leads_to_each_example_and_ends_with_all_of_them(tmp_path: Path) -> None:
    names = sorted(path.parent.name for path in EXAMPLES.glob("*/manage.py"))
    databases = {f"{name.upper()}_DATABASE": str(tmp_path / f"{name}.sqlite3") for name in names}
    each = range(1, len(names) + 1)
    port = free_port_and([*each, *(1000 + number for number in each)])  # the second are those of devices
    with (tmp_path / "log").open("wb") as log:
        demo = subprocess.Popen(
            [sys.executable, str(EXAMPLES / "demo.py"), "--port", str(port)],
            stdout=log,
            stderr=log,
            env=environment(**databases),
        )
    try:
        wait_until_listening(demo, port, tmp_path / "log")
        page = fetch(f"http://127.0.0.1:{port}/")
        assert sorted(re.findall(r"<code>examples/(\w+)", page)) == names
        for link in re.findall(r'href="(http:[^"]+)"', page):
            wait_until_listening(demo, int(link.rsplit(":", 1)[1].strip("/")), tmp_path / "log")
            assert "<h1" in fetch(link)
    finally:
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0, (tmp_path / "log").read_text()


def test_one_alone_is_at_the_port_itself() -> None:
    shown = subprocess.run(
        [sys.executable, str(EXAMPLES / "demo.py"), "nothing"], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 2
    assert "invalid choice: 'nothing'" in shown.stderr


@pytest.mark.browser
@pytest.mark.timeout(120)
def test_the_front_page_fits_a_phone_and_a_desk(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(demo.page({example.name: 1 for example in demo.EXAMPLES}))
    with chromium(tmp_path / "profile") as window:
        window.get((tmp_path / "page.html").as_uri())
        picture(window, "demo-desk")
        resize(window, PHONE)
        assert window.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert len(window.find_elements("css selector", "li h2 a")) == len(demo.EXAMPLES)
        assert_readable(window)
