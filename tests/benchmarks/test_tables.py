"""The tables say what a measurement can bear, and who had nothing to show."""

from __future__ import annotations

import pytest

from benchmarks import tables

from .sample import run


def plain(text: str) -> str:
    """With signs that are on every keyboard."""
    return text.replace(tables.TIMES, "x").replace(tables.NOTHING, "-")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "-"),
        (0.7718, "0.772"),
        (36.04, "36"),
        (999.9, "1,000"),
        (6249.0, "6,250"),
        (101_234.0, "101,000"),
    ],
)
def test_numbers_have_three_digits(value: float | None, words: str) -> None:
    assert plain(tables.number(value)) == words


def test_the_summary_has_a_line_per_row_with_ratios() -> None:
    _, _, chat, memory, nobody = plain(tables.summary(run())).splitlines()
    assert chat == (
        "| The chat by `send` | deliveries/s | 101,000 | 6,200 (channels on daphne) **16 x** "
        "| 202,000 (A server with a name that is far too long) **0.5 x** | 400,000 |"
    )
    assert memory == "| Memory | kB | 8 | 36 (channels on daphne) **4.5 x** | - | - |"
    assert nobody == "| HTTP/2 | requests/s | - | - | - | - |"


def test_the_report_has_everybody_the_best_first_and_the_missing_last() -> None:
    text = tables.report(run(), "latest-all.svg")
    lines = [line for line in tables.details(run().tables[0]).splitlines() if line.startswith("| ")][1:]
    assert [line.split(" | ")[0] for line in lines] == [
        "| C loop",
        "| A server with a name that is far too long",
        "| **Fairway**",
        "| channels on daphne",
        "| picows",
    ]
    assert "| **Fairway** | 101,000 |  | 1.5 ms | 20 ms | 2.50 µs |  |" in lines
    assert lines[-1].endswith("| picows is not installed |")
    for part in ("A <processor>", "3.8 GiB", "`python -m daphne -p PORT`", "ws 8.1", "latest-all.svg"):
        assert part in text
