"""The results are written beside each other, merged row by row, and shown where pages have their marks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.results import Table

from .sample import cell, run


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    report.write(run(), "latest", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "latest.json",
        "latest.md",
        "latest.svg",
        "latest-all.svg",
    }
    found = report.read("latest", tmp_path)
    assert found is not None
    assert found.as_dict() == run().as_dict()
    assert report.read("quick", tmp_path) is None


def test_rows_measured_again_take_the_place_of_the_old() -> None:
    now = run()
    now.tables = [
        Table("echo", "Echo", "messages/s", "higher", [cell("Fairway", "ours", 1.0)], "now"),
        Table("memory", "Memory", "kB", "lower", [cell("Fairway", "ours", 7.0)], "now"),
    ]
    merged = report.merged(run(), now)
    assert [(table.id, table.measured) for table in merged.tables] == [
        ("chat", "today"),
        ("memory", "now"),
        ("http2", "today"),
        ("echo", "now"),
    ]


def test_versions_that_kept_rows_were_measured_with_stay() -> None:
    found = run()
    before, now = (
        replace(found, machine=replace(found.machine, versions=versions))
        for versions in ({"ws": "8.1", "mosquitto": "1.9"}, {"mosquitto": "2.0"})
    )
    assert report.merged(before, now).machine.versions == {"ws": "8.1", "mosquitto": "2.0"}


def test_the_marked_section_is_rewritten_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{report.BEGIN}\nold\n{report.END}\n\nafter\n")
    report.embed(run(), page, "results")
    report.embed(run(), page, "results")
    text = page.read_text()
    assert text.startswith(f"before\n\n{report.BEGIN}\n\n| |")
    assert text.endswith(f"(results/latest.svg)\n\n{report.END}\n\nafter\n")
    assert "old" not in text
    assert text.count("The chat by `send`") == 1


def test_a_page_without_the_marks_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here")
    with pytest.raises(report.NoSection, match=r"page\.md has no section"):
        report.embed(run(), page, "results")


def test_our_pages_have_their_marks() -> None:
    for page in report.PAGES:
        text = page.read_text()
        assert text.index(report.BEGIN) < text.index(report.END)
