"""The page of counters: everything that is counted or told is there, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from channels.layers.local.drops import REMEDIES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "counters.md").read_text()
ROOMS = "mqtt|server|protocols|layer|worker|consumer|threads|security|utils|topics|tasks|outbox|live|fleet"
EVENT = re.compile(rf"(?:{ROOMS})\.[a-z_0-9]+")
#: The name of a file, and types of messages.
NO_EVENT = {
    "server.address",
    "server.port",
    "topics.first",
    "topics.names_wanted",
    "mqtt.connected",
    "mqtt.handed_over",
    "server.pem",
    "outbox.messages",
    "outbox.hooks",
    "topics.control",
    "topics.event",
    "live.hints",
}


def names_a_cache(call: ast.Call) -> bool:
    """Whether a call gives a cache its name, under which it has statistics."""
    return ast.unparse(call.func).startswith(("BoundedCache", "super().__init__"))


def told() -> Iterator[str]:
    """Every name of an event that stands in the source."""
    for path in (ROOT / "src").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        caches = {id(call.args[0]) for call in calls if names_a_cache(call) and call.args}
        for node in nodes:
            if id(node) in caches:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and EVENT.fullmatch(node.value):
                yield node.value


def test_the_page_lists_what_the_source_counts() -> None:
    listed = set(EVENT.findall(" ".join(re.findall(r"`([a-z_.0-9]+)`", PAGE))))
    assert listed == set(told()) - NO_EVENT


def test_the_page_lists_the_reasons_for_which_layers_drop() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", PAGE, re.M)
    assert set(rows) == set(REMEDIES)
