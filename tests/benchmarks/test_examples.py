"""The load runs of the examples: each at a tiny size, and how the number of users is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.examples.__main__ import table
from benchmarks.examples.devices import connect_packet, publish_packet
from benchmarks.examples.kinds import USERS
from benchmarks.examples.search import Step, percentile, search
from benchmarks.examples.users import update_message

ROOT = Path(__file__).parents[2]


def test_percentiles() -> None:
    assert percentile([], 0.99) == 0.0
    assert percentile([float(number) for number in range(100, 0, -1)], 0.99) == 100.0
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0


def step(users: int, p99: float = 1.0, lost: int = 0) -> Step:
    return Step(users, 0.5, p99, 100.0, lost, 0.5, 0.1)


@pytest.mark.parametrize(
    ("limit", "best", "tried"),
    [
        (5, None, [10]),
        (10, 10, [10, 20, 15, 12]),
        (34, 30, [10, 20, 40, 30, 35]),
        (1000, 40, [10, 20, 40]),
    ],
)
async def test_users_are_doubled_and_then_halved_in_between(
    limit: int, best: int | None, tried: list[int]
) -> None:
    told: list[Step] = []

    async def run(users: int) -> Step:
        return step(users, p99=1.0 if users <= limit else 200.0)

    found = await search(run, 10, 40, 100.0, told.append)
    assert (found.users if found else None) == best
    assert [each.users for each in told] == tried


def test_who_is_lost_is_not_carried() -> None:
    assert step(10).is_carried(100.0)
    assert not step(10, lost=1).is_carried(100.0)
    assert not step(10, p99=101.0).is_carried(100.0)
    assert not Step(10, 0.0, 0.0, 0.0, 0, 0.0, 0.0).is_carried(100.0)  # nobody has seen anything


def test_the_table_has_a_row_for_each_example() -> None:
    rows = table({name: step(10, p99=200.0 if name == "chat" else 1.0) for name in USERS}, 100.0)
    assert len(rows) == 2 + len(USERS)
    assert len({row.count("|") for row in rows}) == 1
    assert rows[2].startswith("| chat | fewer than 10 | 14 |")
    assert rows[3].startswith("| notifications | 10 | 14 |")


def test_an_update_is_a_message_of_the_y_protocols() -> None:
    assert update_message(b"ab") == b"\0\2\2ab"
    assert update_message(b"a" * 300).startswith(b"\0\2\xac\2a")


def test_devices_speak_mqtt() -> None:
    assert connect_packet("a", "key") == b"\x10\x15\0\4MQTT\4\xc2\0\x3c\0\1a\0\1a\0\3key"
    assert publish_packet("t", b"{}") == b"\x32\7\0\1t\0\1{}"
    assert publish_packet("t", b"." * 200).startswith(b"\x32\xcd\1\0\1t\0\1..")


# Two servers of a real example and its users: what WebSockets, and what event streams take.
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["game", "notifications"])
def test_a_run_of_a_tiny_size(name: str) -> None:
    command = [sys.executable, "-m", "benchmarks.examples", name, "--users", "8", "--seconds"]
    seconds = "1" if name == "game" else "12"  # each orders something every ten seconds
    done = subprocess.run([*command, seconds], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{name}: 8 users, p50 " in done.stdout
    assert ", lost 0," in done.stdout
    assert " 0 deliveries/s" not in done.stdout
