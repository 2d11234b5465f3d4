"""The table of MQTT: each row names a test that is there, and each case that is refused has a row."""

from __future__ import annotations

import re
from pathlib import Path

from tests.protocols.mqtt.cases import CASES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "conformance-mqtt.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| (?:both|5\.0|3\.1\.1) \| ([^|]+) \| `([^`]+)` \|$", PAGE, re.M)


def test_each_row_names_a_test_that_is_there() -> None:
    assert len(ROWS) > 130
    for _, _, test in ROWS:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(), test


def test_each_case_that_is_refused_has_a_row() -> None:
    told = {(statement, what) for statement, what, _ in ROWS}
    for case in CASES:
        assert (case.statement, f"refused: {case.what} (0x{case.reason:02X})") in told
