"""The reference pages are what their docstrings say today."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from channels.server.cli import build_parser

ROOT = Path(__file__).parents[2]


def load() -> ModuleType:
    path = ROOT / "scripts" / "reference.py"
    spec = importlib.util.spec_from_file_location("reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module
    spec.loader.exec_module(module)
    return module


reference = load()


def test_the_pages_are_up_to_date() -> None:
    stale = [
        path.name for path, text in reference.pages().items() if not path.exists() or path.read_text() != text
    ]
    assert stale == [], "run 'make docs'"


def test_every_page_of_the_old_names_is_there() -> None:
    names = {path.stem for path in reference.pages()}
    assert {
        "channels.consumer",
        "channels.layers",
        "channels.testing",
        "daphne.cli",
        "channels.routing",
    } <= names


def test_every_flag_has_a_row_with_its_value() -> None:
    page = reference.command_line()
    for action in build_parser("daphne", "")._actions:
        for flag in set(action.option_strings) - {"-h", "--help"}:
            assert f"`{flag}" in page
    assert "| `-p PORT`, `--port PORT` |" in page
    assert "| `--loop {auto,uvloop,asyncio}` |" in page
    assert "| `--http2`, `--no-http2` |" in page
    assert "prior knowledge. [on] |" in page
    assert "{}" not in page


@pytest.mark.parametrize(
    ("docstring", "page"),
    [
        ("Does ``this``; see :class:`~a.B`.", "Does `this`; see `a.B`."),
        (
            "One.\n\nArgs:\n    a: first\n        and more.\n    b: second.",
            "One.\n\n**Args:**\n\n- `a`: first and more.\n- `b`: second.",
        ),
        ("One.\n\nReturns:\n    What\n    it is.", "One.\n\n**Returns:** What it is."),
        ("Like so::\n\n    code()", "Like so:\n\n    code()"),
    ],
)
def test_docstrings_become_markdown(docstring: str, page: str) -> None:
    assert reference.to_markdown(docstring) == page


def test_a_signature_reads_as_a_call() -> None:
    (node,) = ast.parse("async def f(self, a, *, b: int = 1) -> None: ...").body
    assert reference.signature(node, method=True) == "async f(a, *, b: int=1) -> None"
