"""What the design says in figures is so, give or take a tenth."""

from __future__ import annotations

import re

from tests.layout.checkout import ROOT, files

PAGE = (ROOT / "docs" / "explanation" / "design.md").read_text()
PROTOCOLS = "src/channels/protocols"


def lines(folder: str) -> int:
    return sum(len((ROOT / path).read_text().splitlines()) for path in files(folder) if path.suffix == ".py")


def test_how_long_the_protocols_are() -> None:
    said = re.search(
        r"are ([0-9,]+) lines, nearly half of them HTTP/2; .* are ([0-9,]+) more, and .*`\) ([0-9,]+)\.", PAGE
    )
    assert said is not None
    served, topics, devices = (int(number.replace(",", "")) for number in said.groups())
    rooms = {topics: ("centrifuge",), devices: ("mqtt", "framing")}
    for told, names in rooms.items():
        found = sum(lines(f"{PROTOCOLS}/{name}") for name in names)
        assert abs(told - found) < found / 10
    found = lines(PROTOCOLS) - sum(lines(f"{PROTOCOLS}/{name}") for names in rooms.values() for name in names)
    assert abs(served - found) < found / 10
    assert 0.4 < lines(f"{PROTOCOLS}/http2") / found < 0.5


def test_the_files_that_it_names_are_there() -> None:
    named = {name for name in re.findall(r"`([a-z_0-9/]+\.py)`", PAGE) if "/" in name}
    bases = ("", "src/channels", "src", PROTOCOLS)
    assert {name for name in named if not any((ROOT / base / name).exists() for base in bases)} == set()
