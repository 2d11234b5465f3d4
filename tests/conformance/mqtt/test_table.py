"""The table of MQTT: each statement for servers has a row, and each row names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conformance.mqtt.statements import V5_ALL, V5_CLIENTS, V311_CLIENTS, V311_SERVERS
from tests.protocols.mqtt.cases import CASES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "conformance-mqtt.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| (both|5\.0|3\.1\.1) \| ([^|]+) \| `([^`]+)` \|$", PAGE, re.M)
#: What is done otherwise, and what does not arise: statements with their reason in place of a test.
EXPLAINED = re.findall(r"^\| ((?:MQTT-[\d.-]+(?:, )?)+) \| ([^|]+) \|$", PAGE, re.M)


def test_each_row_names_a_test_that_is_there() -> None:
    assert len(ROWS) > 240
    named = re.findall(r"\| `(tests/[^`]+::[^`]+)` \|$", PAGE, re.M)
    assert len(named) > len(ROWS)  # those of bad input as well
    for test in named:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(), test


def test_each_case_that_is_refused_has_a_row() -> None:
    told = {(statement, what) for statement, _, what, _ in ROWS}
    for case in CASES:
        assert (case.statement, f"refused: {case.what} (0x{case.reason:02X})") in told


def statements(*versions: str) -> set[str]:
    """The numbers that have a row of these versions, or an explanation."""
    rows = {row[0].removeprefix("MQTT-") for row in ROWS if row[1] in versions}
    return rows | {number for cell, _ in EXPLAINED for number in re.findall(r"MQTT-([\d.-]+\d)", cell)}


def test_each_statement_of_5_0_for_servers_has_a_row() -> None:
    assert V5_ALL - V5_CLIENTS - statements("both", "5.0") == set()


def test_each_statement_of_3_1_1_for_servers_has_a_row() -> None:
    told, own = statements("both", "5.0"), statements("both", "3.1.1")
    missing = {old for old, new in V311_SERVERS.items() if (new or old) not in (told if new else own)}
    assert missing == set()


def test_no_row_names_a_statement_that_is_none() -> None:
    known = V5_ALL | V311_CLIENTS | set(V311_SERVERS)
    numbers = {row[0].removeprefix("MQTT-") for row in ROWS if row[0].startswith("MQTT-")}
    assert numbers - known == set()
