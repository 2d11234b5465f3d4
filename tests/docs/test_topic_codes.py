"""The page of the codes of topics has each code, once, with what clients do."""

from __future__ import annotations

import re
from pathlib import Path

from channels.protocols.centrifuge.codes import (
    DisconnectCode,
    ErrorCode,
    UnsubscribeCode,
    reconnects,
    resubscribes,
)

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "topic-codes.md").read_text()
ROWS = re.findall(r"^\| (\d+) \| `(\w+)` \| ([a-z ]+) \| .+ \|$", PAGE, re.M)


def test_the_page_has_each_code_and_what_clients_do() -> None:
    errors = [(code, code.name, "yes" if code.temporary else "no") for code in ErrorCode]
    ends = [
        (code, code.name, "subscribe again" if resubscribes(code) else "stay away")
        for code in UnsubscribeCode
    ]
    closes = [(code, code.name, "come back" if reconnects(code) else "stay away") for code in DisconnectCode]
    assert [(int(code), name, what) for code, name, what in ROWS] == [*errors, *ends, *closes]
