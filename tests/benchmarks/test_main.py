"""The command line: rows and contenders by name, and a small run of ours from one end to the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import report
from benchmarks.contenders import BARE, Contender, fairway
from benchmarks.load import Throughput
from benchmarks.rows import BROADCAST, ROWS, Entry, Row

from .sample import run

ABSENT = Contender("picows", "other", "peers", "a-distribution-that-nobody-has", ())
BROKEN = Contender("broken", "other", "ours", "", ("-c", "raise SystemExit('it cannot start')"))
TINY = (
    Row("chat", "A room", "deliveries/s", Throughput("fanout", 5), (Entry(fairway(), BROADCAST),)),
    Row(
        "bare",
        "A page",
        "requests/s",
        Throughput("get", 2),
        (Entry(fairway(app=BARE), "/"), Entry(ABSENT, "/"), Entry(BROKEN, "/")),
    ),
)


def test_rows_and_contenders_are_chosen_by_name() -> None:
    rows = command.chosen(command.parse(["echo", "chat", "--contenders", "fairway,DAPHNE"]))
    assert [(row.id, [entry.title for entry in row.entries]) for row in rows] == [
        ("chat", ["Fairway", "channels on daphne"]),
        ("echo", ["Fairway", "channels on daphne"]),
    ]


def test_quick_runs_have_every_row_with_fewer_contenders() -> None:
    rows = command.chosen(command.parse(["--quick"]))
    assert [row.id for row in rows] == [row.id for row in ROWS]
    assert sum(len(row.entries) for row in rows) < sum(len(row.entries) for row in ROWS)


def test_another_checkout_runs_beside_ours(tmp_path: Path) -> None:
    (row,) = command.chosen(
        command.parse(["echo", "--contenders", "Fairway", "--also", f"before={tmp_path}"])
    )
    ours, before = row.entries
    assert (ours.title, before.title) == ("Fairway", "Fairway [before]")
    assert before.contender.environment()["PYTHONPATH"] == str(tmp_path / "src")


@pytest.mark.parametrize(
    ("arguments", "words"), [(["nothing"], "no row nothing"), (["--contenders", "zzz"], "Nobody's name")]
)
def test_who_is_not_there_is_told(arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit, match=words):
        command.chosen(command.parse(arguments))


@pytest.mark.parametrize("option", ["--contenders=Fairway", "--also=before=x"])
def test_half_a_row_is_not_published(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.parse(["--publish", option])
    assert "whole rows" in capsys.readouterr().err


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    page = tmp_path / "README.md"
    page.write_text(f"{report.BEGIN}\n{report.END}\n")
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "PAGES", {page: "results"})
    return page


def test_a_small_run_is_measured_and_published(
    pages: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "ROWS", TINY)
    monkeypatch.setattr(command, "_install", lambda: None)
    report.write(run(), "latest")
    command.main(["--rounds", "1", "--seconds", "0.05", "--publish"])
    found = report.read("latest")
    assert found is not None
    assert [table.id for table in found.tables] == ["chat", "memory", "http2", "bare"]
    room, *_, page = found.tables
    assert [len(cell.values) for cell in room.cells + page.cells] == [1, 1, 0, 0]
    assert all(value > 0 for cell in (room.cells[0], page.cells[0]) for value in cell.values)
    assert all(cell.cpu_us is not None for cell in (room.cells[0], page.cells[0]))
    assert page.cells[1].note == "a-distribution-that-nobody-has is not installed"
    assert "it cannot start" in page.cells[2].note
    assert "| A room | deliveries/s |" in pages.read_text()
    assert "[4/4, 0:00 left]" in capsys.readouterr().out


def test_a_quick_run_leaves_the_pages_alone(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "measured", lambda rows, options: run())
    monkeypatch.setattr(command, "ROWS", (replace(TINY[0]),))
    command.main(["--quick", "--publish"])
    assert (pages.parent / "quick.md").exists()
    assert not (pages.parent / "latest.md").exists()
    assert "A room" not in pages.read_text()


def test_a_run_that_is_stopped_publishes_what_is_whole(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "ROWS", TINY[:1])
    monkeypatch.setattr("benchmarks.runner.Runner._turn", stopped)
    with pytest.raises(SystemExit, match="nothing is written"):
        command.main(["--publish"])
    assert not (pages.parent / "latest.md").exists()


def test_the_pages_are_written_again_from_the_results(pages: Path) -> None:
    with pytest.raises(SystemExit, match="run make bench"):
        command.main(["--render"])
    report.write(run(), "latest")
    command.main(["--render"])
    assert "The chat by `send`" in pages.read_text()
