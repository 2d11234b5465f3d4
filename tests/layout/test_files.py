"""A file is one thought: 400 lines at most, up to 600 where its head says why."""

from __future__ import annotations

import ast

import pytest

from tests.layout.checkout import ROOT, files

MOST, AT_ALL = 400, 600
LONG = [
    path
    for path in files("src")
    if path.suffix == ".py" and len((ROOT / path).read_text().splitlines()) > MOST
]


@pytest.mark.parametrize("path", LONG, ids=str)
def test_a_long_file_says_why(path) -> None:
    text = (ROOT / path).read_text()
    assert f"More than {MOST} lines" in " ".join((ast.get_docstring(ast.parse(text)) or "").split())
    assert len(text.splitlines()) <= AT_ALL
