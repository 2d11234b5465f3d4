"""The plot is well-formed, has a bar for each figure, and reads where some are a thousand times longer."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks import plots
from benchmarks.rows import OVERVIEW, ROWS

from .sample import cell, run

SVG = "{http://www.w3.org/2000/svg}"


def bars(svg: str) -> dict[str, float]:
    """By what the pointer shows: the length."""
    found = {}
    for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect"):
        title = rect.find(f"{SVG}title")
        if title is not None:
            found[str(title.text)] = float(rect.attrib["width"])
    return found


def test_every_figure_has_a_bar_and_nobody_else() -> None:
    found = bars(plots.plot(run()))
    assert set(found) == {
        "channels on daphne: 6,200",
        "Fairway: 101,000",
        "A server with a name that is far too long: 202,000",
        "C loop: 400,000",
        "Fairway: 8",
        "channels on daphne: 36",
    }
    assert found["C loop: 400,000"] == pytest.approx(plots.LONGEST)
    assert found["A server with a name that is far too long: 202,000"] == pytest.approx(
        plots.LONGEST / 2, rel=0.02
    )


def test_nothing_leaves_the_paper() -> None:
    drawing = ElementTree.fromstring(plots.plot(run()))
    height = float(drawing.attrib["height"])
    assert all(float(text.attrib["y"]) < height for text in drawing.iter(f"{SVG}text"))
    assert all(len(text.text or "") < 70 for text in drawing.iter(f"{SVG}text"))
    labels = [text.text or "" for text in drawing.iter(f"{SVG}text") if "end" in text.attrib["class"]]
    assert max(map(len, labels)) <= plots.LETTERS


def test_a_thousandfold_range_is_logarithmic() -> None:
    found = run()
    found.tables[0].cells = [cell("Fairway", "ours", 1.0), cell("channels", "original", 2000.0)]
    svg = plots.plot(found)
    assert "deliveries/s, logarithmic" in svg
    lengths = bars(svg)
    assert lengths["channels: 2,000"] == pytest.approx(plots.LONGEST)
    assert plots.LONGEST / 8 < lengths["Fairway: 1"] < plots.LONGEST / 2


def test_nothing_at_all_is_still_a_line() -> None:
    assert plots.Scale([0.0]).length(0.0) == 1.0


def test_the_overview_has_the_best_of_each_family() -> None:
    found = run()
    found.tables[0].cells += [cell(f"other {n}", "other", float(n)) for n in range(1, 5)]
    short = plots.overview(found, ["chat"])
    assert [table.id for table in short.tables] == ["chat"]
    others = [shown.name for shown in short.tables[0].cells if shown.family == "other"]
    assert others == ["A server with a name that is far too long", "other 4", "other 3"]


def test_our_rows_have_names_that_the_plot_has_room_for() -> None:
    assert [row.title for row in ROWS if len(row.title.replace("`", "")) > 50] == []
    names = [entry.title for row in ROWS for entry in row.entries]
    assert [name for name in names if len(name) > plots.LETTERS] == []
    assert set(OVERVIEW) < {row.id for row in ROWS}
