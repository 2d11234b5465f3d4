"""What the documentation shows is run, in order, in a project per page (the tutorial's parts share one).

The words after a block's language say what it is:

    ```python file=PATH      the whole of a file of the project
    ```python append=PATH    goes to the end of a file that is there
    ```python run            runs by itself in the project's folder
    ```console run           each "$ " line is a command that has to succeed

A block without such words is only shown; if it is Python it has to compile.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.served import environment

DOCS = Path(__file__).parents[2] / "docs"
ROOT = DOCS.parent
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    where: str
    language: str
    words: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    content = page.read_text()
    for match in FENCE.finditer(content):
        line = content.count("\n", 0, match.start()) + 1
        yield Block(f"{page.relative_to(ROOT)}:{line}", match[1], match[2].strip(), match[3])


def run(block: Block, command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{block.where}: {' '.join(command)}\n{done.stdout}{done.stderr}"


def perform(block: Block, folder: Path) -> None:
    """Do with a block what its words say."""
    action, _, target = block.words.partition("=")
    if action in ("file", "append"):
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() + "\n" if action == "append" else ""
        path.write_text(before + block.text)
    elif block.words == "run" and block.language == "console":
        for line in block.text.splitlines():
            assert line.startswith("$ python "), f"{block.where}: {line}"
            run(block, [sys.executable, *line.split()[2:]], folder)
    elif block.words == "run":
        run(block, [sys.executable, "-W", "error::RuntimeWarning", "-c", block.text], folder)
    else:
        assert not block.words, f"{block.where}: unknown words {block.words!r}"
        if block.language == "python":
            compile(block.text, block.where, "exec", flags=0)


TUTORIAL = sorted((DOCS / "tutorial").glob("*.md"))
OTHERS = [
    page
    for folder in ("howto", "explanation", "reference", "contributing")
    for page in sorted((DOCS / folder).rglob("*.md"))
    if any(block.words for block in blocks(page))
]


@pytest.mark.timeout(240)
def test_the_tutorial_builds_what_it_promises(tmp_path: Path) -> None:
    assert len(TUTORIAL) == 6
    for page in TUTORIAL:
        for block in blocks(page):
            perform(block, tmp_path)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", OTHERS, ids=lambda page: page.stem)
def test_a_pages_examples_run(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        perform(block, tmp_path)


@pytest.mark.parametrize("page", TUTORIAL, ids=lambda page: page.stem)
def test_the_tutorial_names_the_file_above_each_block(page: Path) -> None:
    """The words of a fence are not shown: who reads the page sees the line above it."""
    lines = page.read_text().splitlines()
    for number, line in enumerate(lines):
        if found := re.match(r"```\w+ (file|append)=(\S+)$", line):
            assert lines[number - 1] == ""
            assert lines[number - 2] == f"`{found[2]}`" + (", at its end:" if found[1] == "append" else ":")
