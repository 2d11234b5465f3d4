"""Each message that the troubleshooting page lists is one that our source can say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "troubleshooting.md"
NOT_OURS = "(Python's own)"


def rows() -> list[str]:
    """The first cells of the page's tables."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return [line.split(" | ")[0] for line in lines if NOT_OURS not in line.split(" | ")[0]]


def strings(node: ast.AST) -> Iterator[str]:
    """Every literal of a module, what is formatted into it as an ellipsis."""
    for child in ast.walk(node):
        if isinstance(child, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "…" for part in child.values)
            yield "".join(str(part) for part in parts)
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield re.sub(r"%(?:\.\d+)?[sdrf]|\{[^}]*\}", "…", child.value)


def squeeze(text: str) -> str:
    return re.sub(r"[…'\s]+", " ", text)


@pytest.fixture(scope="module")
def everything_we_say() -> str:
    sources = (ROOT / "src").rglob("*.py")
    return squeeze("\n".join(text for path in sources for text in strings(ast.parse(path.read_text()))))


def test_the_page_has_messages() -> None:
    assert len(rows()) > 25


def is_text(node: ast.expr) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > len("%s: %s")


def logged() -> Iterator[tuple[str, Any]]:
    """What our source logs from warnings on, with the file it stands in."""
    levels = {"warning", "error", "critical", "exception"}
    calls = re.compile(rf"\b({'|'.join(levels)}|warn_rarely)\(")
    sources = ((path, path.read_text()) for path in sorted((ROOT / "src").rglob("*.py")))
    for path, source in sources:
        for node in ast.walk(ast.parse(source)) if calls.search(source) else ():
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in levels:
                yield from ((path.name, arg.value) for arg in node.args[:1] if is_text(arg))
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "warn_rarely":
                yield from ((path.name, arg.value) for arg in node.args[1:2] if is_text(arg))


@pytest.mark.parametrize(("file", "message"), list(logged()))
def test_what_is_logged_is_on_the_page(file: str, message: str) -> None:
    page = squeeze(PAGE.read_text().replace("`", ""))
    parts = [squeeze(part).strip(" .;:") for part in re.split(r"%(?:\.\d+)?[sdrf]", message)]
    assert any(part[:30].rstrip() in page for part in parts if len(part) > 10), f"{file} logs {message!r}"


@pytest.mark.parametrize("row", rows())
def test_the_message_exists(row: str, everything_we_say: str) -> None:
    for message in re.findall(r"`([^`]+)`", row.replace("(`--deploy`)", "")):
        # A sentence may be put into another one's place.
        sentences = re.split(r"…|(?<=\.) ", message)
        for part in filter(None, (squeeze(part).strip(" .;") for part in sentences)):
            assert part in everything_we_say, f"nothing in src/ says {part!r}"
