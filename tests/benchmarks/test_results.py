"""Ratios say how many times better we are, whichever way is better; a run survives being written."""

from __future__ import annotations

import json

import pytest

from benchmarks.results import Cell, Reading, run_from_dict

from .sample import run


def test_ratios_are_to_the_best_of_a_family_and_above_one_is_better() -> None:
    chat, memory, nobody = run().tables
    assert chat.ratio("original") == pytest.approx(101_234 / 6200)
    assert chat.ratio("other") == pytest.approx(0.5)
    assert memory.ratio("original") == pytest.approx(4.5)
    assert memory.ratio("other") is None
    assert nobody.ratio("other") is None
    assert nobody.best("other") is None


def test_the_figures_beside_the_median_are_those_of_its_round() -> None:
    readings = [
        Reading(1.0, {"p50": 10}, 1.0),
        Reading(9.0, {"p50": 90}, 3.0),
        Reading(4.0, {"p50": 40}, 2.0, "lost"),
    ]
    cell = Cell("x", "other", readings)
    assert (cell.median, cell.latency_us, cell.cpu_us, cell.note) == (4.0, {"p50": 40}, 2.0, "lost")
    silent = Cell("y", "other", [Reading(None, note="no")] * 2)
    assert (silent.median, silent.latency_us, silent.cpu_us, silent.note) == (None, {}, None, "no")


def test_a_run_is_the_same_after_it_was_written_and_read() -> None:
    found = run().as_dict()
    assert run_from_dict(json.loads(json.dumps(found))).as_dict() == found
