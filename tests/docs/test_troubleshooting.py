"""Each message that the troubleshooting page lists is one that our source can say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

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


@pytest.mark.parametrize("row", rows())
def test_the_message_exists(row: str, everything_we_say: str) -> None:
    for message in re.findall(r"`([^`]+)`", row.replace("(`--deploy`)", "")):
        for part in filter(None, (squeeze(part).strip(" .;") for part in message.split("…"))):
            assert part in everything_we_say, f"nothing in src/ says {part!r}"
