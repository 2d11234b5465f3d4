"""The page of limits: every limit is there, with its default and a counter that the code counts."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from channels.server.cli import config_options
from channels.server.config import Config
from channels.topics.limits import Limits

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "limits.md").read_text()
#: name -> default, what happens, counter
ROWS = {
    row[1]: row.groups()[1:] for row in re.finditer(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.M)
}
GROUPS = {"connection limits", "time limits", "size limits"}
FIELDS = {spec.name: spec for spec in dataclasses.fields(Config)}
LIMITS = [name for name, spec in FIELDS.items() if spec.metadata.get("group") in GROUPS]
COUNTED = set(
    re.findall(
        r'"((?:server|protocols|topics)\.\w+)"', "".join(p.read_text() for p in (ROOT / "src").rglob("*.py"))
    )
)
#: Who is faster waits; nothing is lost that could be counted.
WAITING = {
    "ping_interval",
    "request_buffer_size",
    "tcp_buffer_size",
    "write_buffer_size",
    "websocket_queue_size",
}


TOPICS = {name: ROWS.pop(name) for name in list(ROWS) if name.isupper()}


def test_every_limit_has_a_row_and_every_row_a_limit() -> None:
    assert set(ROWS) == {*LIMITS, "http2_max_streams", "backlog"}


@pytest.mark.parametrize("name", ROWS)
def test_a_limit_has_its_default_a_flag_and_a_counter(name: str) -> None:
    default, _, counter = ROWS[name]
    assert default.split("`")[1] == str(FIELDS[name].default)
    assert name in config_options()
    counters = re.findall(r"`((?:server|protocols)\.\w+)`", counter)
    if name in WAITING:
        assert counter == "none"
    elif name != "backlog":
        assert counters
    assert set(counters) <= COUNTED


def test_every_limit_of_topics_has_a_row_with_its_default_and_counters_that_there_are() -> None:
    defaults = {spec.name.upper(): spec.default for spec in dataclasses.fields(Limits)}
    assert {name: row[0] for name, row in TOPICS.items()} == {
        name: f"`{default}`" for name, default in defaults.items()
    }
    for _, _, counter in TOPICS.values():
        assert set(re.findall(r"`(topics\.\w+)`", counter)) <= COUNTED
